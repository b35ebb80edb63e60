"""As whom a template is looked at: somebody made up, or anybody there is."""

from typing import Any
from uuid import UUID

from django.db.models import Q

from consent import links, preferences
from consent.models import Topic
from foundation.wording import now
from messaging import brands, feedback
from messaging.dynamic import Shown
from messaging.models import Brand
from messaging.rendering import values_for, zone_of
from profiles.models import Account, AttributeType, EventType, Identifier, Profile

_SOME = 8
_NAME = ("Robin", "Sample")
_OTHERWISE: dict[str, Any] = {"number": 3, "integer": 3, "boolean": True, "datetime": "2026-01-15"}


def made_up() -> Profile:
    """A person of whom everything is known that is known of anybody, with values such as have been seen."""
    at = now()
    account = Account(external_id="sample", name="Sample & Sons", attributes=_attributes("account"))
    return Profile(
        external_id="sample",
        email="robin@example.com",
        phone="+49 30 1234567",
        first_name=_NAME[0],
        last_name=_NAME[1],
        locale="en",
        timezone="Europe/Berlin",
        created_at=at,
        attributes=_attributes("profile"),
        account=account,
        first_seen_at=at,
        last_seen_at=at,
    )


def _attributes(of: str) -> dict[str, Any]:
    rows = AttributeType.objects.filter(of=of).exclude(status=EventType.Status.BLOCKED).order_by("-volume")[:300]
    return {row.name: _sample(row.types, row.samples) for row in rows}


def _sample(types: Any, samples: Any) -> Any:
    if samples:
        return samples[0]
    return next((_OTHERWISE[one] for one in types or [] if one in _OTHERWISE), "something")


def event() -> dict[str, Any]:
    """An event that has every property that was seen."""
    found: dict[str, Any] = {}
    rows = EventType.objects.filter(renamed_to=None).exclude(status=EventType.Status.BLOCKED)
    for row in rows.exclude(name__startswith="$").order_by("-volume_30_days", "-volume", "name")[:300]:
        for name, known in row.properties.items():
            seen = known if isinstance(known, dict) else {}
            found.setdefault(name, _sample(seen.get("types"), seen.get("samples")))
    return {"name": "something", "properties": found}


def people(term: str) -> list[Profile]:
    """Those whose name, email address or own id begins with the term, or who are known under it."""
    term = term.strip().replace("\0", "")[:200]
    if not term:
        return []
    if found := person(term):
        return [found]
    known = Identifier.objects.filter(value=term).values("profile")[:_SOME]
    first, _, last = term.partition(" ")
    wanted = (
        Q(pk__in=known)
        | Q(email__istartswith=term)
        | Q(external_id__istartswith=term)
        | Q(first_name__istartswith=term)
        | Q(last_name__istartswith=term)
    )
    if last:
        wanted |= Q(first_name__iexact=first, last_name__istartswith=last)
    return list(Profile.objects.filter(wanted).order_by("-last_seen_at", "pk")[:_SOME])


def person(key: str) -> Profile | None:
    try:
        return Profile.objects.select_related("account").filter(pk=UUID(key)).first()
    except ValueError:
        return None


def values(
    profile: Profile, topic: Topic, channel: str, brand: Brand | None = None, shown: Shown | None = None
) -> dict[str, Any]:
    """What the template is filled in with for that person, with links that change nothing (UN-11)."""
    inert = links.inert_urls(topic.slug, channel)
    unsubscribe = "" if topic.transactional else inert["unsubscribe"]
    context = {"event": event()}
    found = brand or brands.current()
    asks = feedback.inert_url(topic.slug, channel)
    return values_for(
        profile, topic, channel, found, inert["preferences"], unsubscribe, context, asks=asks, shown=shown
    )


def zone(profile: Profile) -> Any:
    return zone_of(profile, preferences.of([profile.id])[profile.id])
