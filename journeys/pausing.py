"""Who comes while a journey is paused and waits to enter: kept, let in at a ramp, or turned away in the end."""

import json
from collections.abc import Sequence
from datetime import datetime

from foundation.sql import statements
from journeys.kinds import Entry
from journeys.models import Journey, QueuedEntry

_LONGEST_KEY = 300
_sql = statements("journeys", "pausing")


def keep(journey: Journey, entries: Sequence[Entry]) -> None:
    """Keeps them until the journey is resumed; the same one comes once."""
    rows = [
        {
            "profile": str(entry.profile_id),
            "key": entry.key[:_LONGEST_KEY],
            "at": entry.at.isoformat(),
            "reason": entry.reason,
            "context": entry.context,
        }
        for entry in entries
    ]
    _sql.run("keep", {"journey": journey.pk, "rows": json.dumps(rows)})


def let_in(journey: Journey, now: datetime, *, ramp: int) -> None:
    """Says when each of them enters, now that the journey goes on."""
    _sql.run("let_in", {"journey": journey.pk, "now": now, "ramp": ramp})


def turn_away(journey: Journey, reason: str, now: datetime) -> None:
    """Lets nobody of them in, and remembers why."""
    _sql.run("turn_away", {"journey": journey.pk, "reason": reason, "now": now})
    _sql.run("forget", {"journey": journey.pk})


def due(journey: Journey, now: datetime, limit: int) -> list[QueuedEntry]:
    """The next of those who may enter now, as they came."""
    rows = QueuedEntry.objects.filter(journey=journey, due_at__lte=now).order_by("due_at", "id")
    return list(rows[:limit])


def taken(queued: Sequence[QueuedEntry]) -> list[Entry]:
    """Takes these out of the queue, those who are there still; the caller holds the people."""
    there = set(QueuedEntry.objects.filter(pk__in=[one.pk for one in queued]).values_list("pk", flat=True))
    QueuedEntry.objects.filter(pk__in=there).delete()
    return [
        Entry(one.profile_id, one.key, one.at, f"{one.reason} The journey was paused then.", one.context)
        for one in queued
        if one.pk in there
    ]
