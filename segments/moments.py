"""Moments and lengths of time as conditions write them: RFC 3339 or a bare date, durations, windows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

INSTANT = timedelta(microseconds=1)
UNITS = {
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
    "weeks": timedelta(weeks=1),
}
LONGEST = timedelta(days=36_525)
# The same pattern decides in `segments_moment` (the SQL function) what of stored text is a moment.
_MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[Tt]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)?)?",
    re.ASCII,
)


def zone_name() -> str:
    """The project's time zone: what "midnight" and a time without a zone mean."""
    return str(settings.PROJECT_TIME_ZONE)


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def read(text: str) -> datetime | None:
    """The moment that `text` says, in UTC; None if it is neither RFC 3339 nor `YYYY-MM-DD`.

    Without a zone it is the project's; digits beyond the microsecond are cut off.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    day, time, fraction, offset = found.groups()
    try:
        local = datetime.fromisoformat(f"{day}T{time or '00:00:00'}.{(fraction or '')[:6].ljust(6, '0')}")
        if offset is None:
            return local.replace(tzinfo=_zone(zone_name())).astimezone(UTC)
        return local.replace(tzinfo=UTC) - _offset(offset)
    except (ValueError, OverflowError):
        return None


def _offset(text: str) -> timedelta:
    if text in "Zz":
        return timedelta(0)
    length = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return -length if text[0] == "-" else length


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time in the unit that it was written in."""

    number: int
    unit: str

    @property
    def length(self) -> timedelta:
        return self.number * UNITS[self.unit]

    def __str__(self) -> str:
        return f"{self.number:,} {self.unit.removesuffix('s') if self.number == 1 else self.unit}"


@dataclass(frozen=True, slots=True)
class Last:
    """(at − duration, at]."""

    duration: Duration

    def __str__(self) -> str:
        return f" in the last {self.duration}"


@dataclass(frozen=True, slots=True)
class Between:
    """[from, to), never beyond `at`. `said`: the two as they were written."""

    start: datetime
    end: datetime
    said: tuple[str, str]

    def __str__(self) -> str:
        return f" from {self.said[0]} until before {self.said[1]}"


@dataclass(frozen=True, slots=True)
class Since:
    """After the entry into the journey, or into the step."""

    what: str

    def __str__(self) -> str:
        return f" since the {'journey' if self.what == 'entry' else 'step'} began"


Window = Last | Between | Since


def units_of(value: Any) -> tuple[str, Any] | None:
    """The unit and number of what looks like a duration."""
    if isinstance(value, Mapping) and len(value) == 1:
        [(unit, number)] = value.items()
        if unit in UNITS:
            return unit, number
    return None
