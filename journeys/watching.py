"""What is looked after while journeys run: one that does harm pauses itself, and time alone ends what it may end."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction

from foundation.errors import Conflict
from foundation.sql import statements
from foundation.wording import amount, plural
from journeys import ending, numbers, publishing
from journeys import program as programs
from journeys.models import Journey
from journeys.walking import Traveller, Walk, read

LAST = 200
SWEPT = 1_000
_NEWEST = 20_000  # messages of all journeys that are looked at: what is older harms nobody now
_BATCHES = 20
_BAD = {"failed": "could not be sent", "bounced": "bounced", "complained": "were marked as spam"}
_sql = statements("journeys", "watching")


def tick(now: datetime) -> int:
    """Pauses what does harm, and ends what time has ended; how many journeys and people that were. Sums counts up."""
    numbers.settle(now)
    return pause_harmful(now) + sweep(now)


# ── Harm ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def pause_harmful(now: datetime) -> int:
    """Pauses live journeys of whose last messages too many failed, bounced or were marked as spam; how many.

    Counted are the last 200 since the journey was published or resumed.
    """
    paused = 0
    found = {slug: counts for slug, *counts in _sql.rows("harm", {"newest": _NEWEST, "last": LAST})}
    limits = _limits(found)
    for slug, counts in found.items():
        passed = _passed(dict(zip(_BAD, counts, strict=True)), limits[slug])
        if passed:
            paused += _pause(slug, passed, now)
    return paused


def _limits(slugs: Collection[str]) -> dict[str, dict[str, int]]:
    """The limits of each of these journeys: its own, else those of the settings."""
    rows = Journey.objects.filter(slug__in=slugs).values_list("slug", "version__document__pauses_above")
    return {
        slug: {**settings.JOURNEY_PAUSES_ABOVE, **{kind: n for kind, n in (own or {}).items() if n is not None}}
        for slug, own in rows
    }


def _passed(counts: dict[str, int], limits: dict[str, int]) -> str:
    """What passed its limit, in words; "" where nothing did."""
    parts = [
        f"{amount(n)} {_BAD[kind]} (more than {amount(limits[kind])})" for kind, n in counts.items() if n > limits[kind]
    ]
    return " and ".join(parts)


def _pause(slug: str, passed: str, now: datetime) -> int:
    try:
        publishing.pause(slug, reason=f"Of its last {plural(LAST, 'message')} {passed}.", by_itself=True, now=now)
    except Conflict:  # somebody was first
        return 0
    return 1


# ── Time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def sweep(now: datetime) -> int:
    """Asks those on the way whose goal or exit time alone can bring about, some of each journey; how many it ended.

    They are asked where they stand when they go on, too; this is for those who wait long.
    """
    live = Journey.objects.filter(status=Journey.Status.LIVE, version__isnull=False).order_by("pk")
    known = programs.of(journey.version_id for journey in live if journey.version_id)
    moved = 0
    for journey in live:
        program = known.get(journey.version_id or 0)
        conditions = [program.exit, program.goal.condition if program.goal else None] if program else []
        if any(condition is not None and condition.needs().time for condition in conditions):
            moved += _sweep(journey, now)
    return moved


def _sweep(journey: Journey, now: datetime) -> int:
    moved, up_to = 0, journey.swept_up_to
    for _ in range(_BATCHES):
        with transaction.atomic():
            found = read(_sql.rows("to_be_asked", {"journey": journey.pk, "after": up_to, "limit": SWEPT}))
            walk = Walk.at(now)
            ending.check(walk, found, concerns=ending.by_time)
            moved += len(walk.moved) + len(walk.converted)
            walk.write()
            up_to = _last(found)
        if up_to is None:
            break
    if up_to != journey.swept_up_to:
        Journey.objects.filter(pk=journey.pk).update(swept_up_to=up_to)
    return moved


def _last(found: list[Traveller]) -> UUID | None:
    """How far it came; None at the end, where it begins anew."""
    return found[-1].id if len(found) == SWEPT else None
