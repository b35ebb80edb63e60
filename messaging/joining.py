"""What messaging does when people merge, leave, or ask for their data, and what it says it uses."""

from collections.abc import Collection, Sequence
from typing import Any, Protocol
from uuid import UUID

from django.db.models import Q

from foundation import clock, registry
from foundation.sql import statements
from messaging import dynamic, folder, push
from messaging.broadcasts import running
from messaging.holdouts import periods
from messaging.inapp import inbox
from messaging.models import Link, Message, Template
from messaging.returns.models import Opening, Report
from profiles.models import Profile

_sql = statements("messaging", "outbox")
_EXPORTED = 10_000


class Pair(Protocol):
    survivor_id: UUID
    absorbed_id: UUID


@registry.absorb.join
def absorb(merges: Sequence[Pair]) -> None:
    """Messages follow the survivor, also those that are under way."""
    _sql.run(
        "absorb",
        {"absorbed": [pair.absorbed_id for pair in merges], "survivors": [pair.survivor_id for pair in merges]},
    )
    push.absorb(merges)
    running.absorb(merges)
    periods.absorb(merges)


@registry.part.join
def part(survivor_id: UUID, absorbed_id: UUID) -> None:
    """A merge is taken back: what had been theirs is theirs again. What was queued since stays with the survivor."""
    _sql.run("part", {"survivor": survivor_id, "absorbed": absorbed_id})
    push.part(survivor_id, absorbed_id)


@registry.erase.join
def erase(profile: Profile) -> None:
    """Bodies, addresses and reasons go; that something was sent stays, to nobody in particular (ER-01)."""
    went_to = Message.objects.filter(profile=profile, channel="email").values_list("address", flat=True).distinct()
    folder.forget({*went_to, profile.email or ""})
    Link.objects.filter(message__profile=profile).delete()
    inbox.empty(profile)
    push.empty(profile)
    running.erase(profile.id)
    periods.erase([profile.id])
    Opening.objects.filter(message__profile=profile).delete()
    Report.objects.filter(message__profile=profile).delete()
    Report.objects.filter(
        message=None, recipient__in={profile.email, (profile.email or "").lower()} - {"", None}
    ).delete()
    _sql.run("erase", {"profile": profile.id, "now": clock.now()})


@registry.export.join
def export(profile: Profile) -> dict[str, Any]:
    """What was written to them, word for word, and what became of it."""
    rows = (
        Message.objects.filter(profile=profile).select_related("topic", "template").order_by("-queued_at")[:_EXPORTED]
    )
    return {
        "messages": [_told(message) for message in rows],
        "browsers": push.told(profile),
        "holdouts": periods.told(profile.id),
    }


def _told(message: Message) -> dict[str, Any]:
    return {
        "id": str(message.id),
        "channel": message.channel,
        "topic": message.topic.slug,
        "template": message.template.slug,
        "journey": message.journey,
        "state": message.state,
        "reason": message.reason,
        "address": message.address,
        "subject": message.subject,
        "text": message.text,
        "queued_at": message.queued_at.isoformat(),
        "sent_at": message.sent_at.isoformat() if message.sent_at else None,
    }


@registry.users.join
def users(kind: str, slugs: Collection[str]) -> dict[str, list[str]]:
    """The same of many at once, of what broadcasts use."""
    return running.users(kind, slugs)


@registry.references.join
def references(kind: str, slug: str) -> list[str]:
    """Which templates belong to a topic, and which broadcasts use a segment or a template."""
    if kind == "segment":
        return [*running.references(kind, slug), *_showing(slug)]
    if kind != "topic":
        return running.references(kind, slug)
    rows = Template.objects.filter(topic__slug=slug).order_by("name").values_list("name", flat=True)
    return [f"The template {name} belongs to it." for name in rows]


def _showing(slug: str) -> list[str]:
    """The templates that have parts for those inside, or outside, of a segment."""
    rows = Template.objects.filter(archived=False, version__isnull=False).select_related("version").order_by("name")
    said = ("blocks", "translations", "snippets")
    found = rows.filter(*[Q(*[(f"version__{name}__icontains", slug) for name in said], _connector=Q.OR)])
    return [
        f"The template {row.name} has parts that depend on it."
        for row in found
        if row.version and slug in dynamic.segments(row.version)
    ]
