"""Times of day where a person lives: the next nine o'clock on a weekday, whatever the clocks do."""

import re
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from profiles.models import Profile
from segments.moments import zone_name

MIDNIGHT = time()
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\Z", re.ASCII)


def read(value: Any) -> time | None:
    """`"09:00"` as a time of day; None for anything else."""
    found = _TIME.match(value) if isinstance(value, str) else None
    return time(int(found[1]), int(found[2])) if found else None


def zones(profile_ids: Iterable[UUID]) -> dict[UUID, str]:
    """The time zone that is known of each of these people, of those where one is."""
    rows = Profile.objects.filter(pk__in=list(profile_ids), timezone__isnull=False)
    return {profile: name for profile, name in rows.values_list("pk", "timezone") if name}


@lru_cache(maxsize=1024)
def zone(name: str | None) -> ZoneInfo:
    """The zone of that IANA name; the project's, where it is none."""
    # Only names of the list: a key of ZoneInfo is also a path.
    return ZoneInfo(name if name in _known() else zone_name())


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


def on(day: date, at: time, name: str | None) -> datetime:
    """The moment at which it is that time on that day in that zone, by the rule of `following`."""
    return datetime.combine(day, at, tzinfo=zone(name)).astimezone(UTC)


def following(since: datetime, at: time, weekdays: Collection[int], name: str | None) -> datetime:
    """The first moment from `since` on at which it is that time on one of those days (Monday is 1) in that zone.

    A time that the clocks leap over counts as the moment after the leap; of one that comes twice, the first counts.
    A day that a zone leaves out (it has happened) is passed over.
    """
    where = zone(name)
    day = since.astimezone(where).date() - timedelta(days=1)
    for _ in range(16):
        if day.isoweekday() in weekdays:
            # To UTC and back: Python calculates with the wall clock and would not notice a leap.
            moment = datetime.combine(day, at, tzinfo=where).astimezone(UTC)
            if moment >= since and moment.astimezone(where).date() == day:
                return moment
        day += timedelta(days=1)
    return since + timedelta(days=7)
