"""Who may not be dealt with as usual: the restricted, and those who object. The only writer of limits."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction

from consent import ledger, subjects
from consent.ledger import EVERYTHING, Choice
from consent.models import ConsentRecord, Limit, State
from consent.wordings import Wordings
from profiles import pulses
from profiles.models import Profile, Pulse
from staff import audit

# The value of a person that changes with a limit, for those who follow values.
NAME = "consent.limit"


def of(profile_ids: Iterable[UUID]) -> dict[UUID, set[str]]:
    """The kinds of limit of those who have any."""
    found: dict[UUID, set[str]] = {}
    for profile, kind in Limit.objects.filter(profile__in=set(profile_ids)).values_list("profile", "kind"):
        found.setdefault(profile, set()).add(kind)
    return found


def restrict(profile: Profile, *, reason: str = "", now: datetime) -> None:
    """From now on their data is stored and nothing else: they get nothing but what they ask for here."""
    _set(profile, Limit.Kind.RESTRICTED, now, reason)


def object_all(profile: Profile, *, source: str = ConsentRecord.Source.PAGE, now: datetime) -> None:
    """Stops all marketing in all channels, whatever they agree to, until they take it back (CO-04)."""
    words = Wordings({})
    choice = Choice(
        profile_id=profile.id,
        topic=EVERYTHING,
        channel=EVERYTHING,
        state=State.DENIED,
        source=source,
        wording=words.of_objection(),
        locale=words.locale,
        evidence={"page": "preferences", "control": "Object"} if source == ConsentRecord.Source.PAGE else None,
    )
    with transaction.atomic():
        _set(profile, Limit.Kind.OBJECTED, now)
        ledger.record([choice], now=now)


def lift(profile: Profile, kind: str, *, now: datetime) -> bool:
    """Takes a limit away; whether there was one. Nothing that they refused comes back by that."""
    with transaction.atomic():
        subjects.lock_to_write([profile.id], now)
        if not Limit.objects.filter(profile=profile, kind=kind).delete()[0]:
            return False
        pulses.touch([profile.id], cause=Pulse.Cause.ATTRIBUTE, now=now, attributes=[NAME])
        audit.record("lift", "limit", str(profile.id), f"Lifted: {Limit.Kind(kind).label}.")
    return True


def _set(profile: Profile, kind: str, now: datetime, reason: str = "") -> None:
    with transaction.atomic():
        # Who is about to be written to is written to first, or not at all: dispatch holds the same lock.
        subjects.lock_to_write([profile.id], now)
        defaults = {"since": now, "reason": reason}
        _limit, is_new = Limit.objects.get_or_create(profile=profile, kind=kind, defaults=defaults)
        if is_new:
            pulses.touch([profile.id], cause=Pulse.Cause.ATTRIBUTE, now=now, attributes=[NAME])
            audit.record("limit", "limit", str(profile.id), f"Set: {Limit.Kind(kind).label}.")
