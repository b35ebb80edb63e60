"""Moments and lengths of time as conditions write them: RFC 3339 or a bare date, durations, windows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

INSTANT = timedelta(microseconds=1)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
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

    Without a zone it is the project's; digits beyond the microsecond are cut off. What a zone moves beyond the years 1
    to 9999 is the first, or the last, moment of these.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    day, time, fraction, offset = found.groups()
    try:
        local = datetime.fromisoformat(f"{day}T{time or '00:00:00'}.{(fraction or '')[:6].ljust(6, '0')}")
    except ValueError:
        return None
    try:
        if offset is None:
            return local.replace(tzinfo=_zone(zone_name())).astimezone(UTC)
        return local.replace(tzinfo=UTC) - _offset(offset)
    except OverflowError:
        return _FIRST if local.year == 1 else _LAST


def _offset(text: str) -> timedelta:
    if text in "Zz":
        return timedelta(0)
    length = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return -length if text[0] == "-" else length


def said(at: datetime, *, to_the_minute: bool = False) -> str:
    """A moment as people write it, in the project's zone: a midnight is its day, unless it is `to_the_minute`."""
    zone = zone_name()
    try:
        local = at.astimezone(_zone(zone))
    except OverflowError:
        local, zone = at, "UTC"
    day = f"{local.day} {local:%B} {local.year}"
    if local.time() == time() and not to_the_minute:
        return day
    clock = f"{local:%H:%M:%S.%f}" if local.microsecond else f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    return f"{day}, {clock} {'UTC' if zone == 'UTC' else f'({zone})'}"


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time in the unit that it was written in."""

    number: int
    unit: str

    @property
    def length(self) -> timedelta:
        return self.number * UNITS[self.unit]

    def __str__(self) -> str:
        return f"{'an' if self.unit == 'hours' else 'a'} {self.bare}" if self.number == 1 else self.bare

    @property
    def bare(self) -> str:
        """It behind an article: `the last week`, `the last 2 weeks`."""
        return self.unit.removesuffix("s") if self.number == 1 else f"{self.number:,} {self.unit}"


@dataclass(frozen=True, slots=True)
class Last:
    """(at − duration, at]."""

    duration: Duration

    def __str__(self) -> str:
        return f" in the last {self.duration.bare}"


@dataclass(frozen=True, slots=True)
class Between:
    """[from, to), never beyond `at`."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f" from {said(self.start)} until before {said(self.end)}"


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
