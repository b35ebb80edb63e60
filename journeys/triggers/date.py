"""A day that is known of a person comes near, is there, or has passed: a trial's end, a birthday every year."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

from foundation.errors import Problem
from foundation.wording import spoken
from journeys import hours
from journeys.fields import Duration, Field, Text, duration, joined, shown
from journeys.kinds import Trigger, triggers
from segments import moments


class TimeOfDay(Field):
    """`"09:00"`."""

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if hours.read(value) is None:
            yield Problem(path, f'must be a time of day such as "09:00", not {shown(value)}')


class YesNo(Field):
    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, bool):
            yield Problem(path, "must be true or false")


@triggers.register
class Date(Trigger):
    key = "date"
    label = "A date of theirs"
    icon = "event"
    about = "A date that is known of them comes near, such as the end of their trial."
    example = {"kind": "date", "attribute": "renews_at", "offset": {"days": -30}, "time": "09:00"}
    fields = (
        Text(name="attribute", label="Value", longest=255),
        Duration(name="offset", label="Away from it by", required=False, signed=True),
        TimeOfDay(name="time", label="At, where they live"),
        YesNo(name="yearly", label="Every year", required=False),
    )

    def prepare(self) -> None:
        self.attribute = str(self.given["attribute"])
        offset = self.given.get("offset")
        self.offset = duration(offset, signed=True) if offset else None
        self.days = self.offset.length if self.offset else timedelta(0)
        self.time = hours.read(self.given["time"]) or hours.MIDNIGHT
        self.yearly = bool(self.given.get("yearly"))

    def sentence(self) -> str:
        each = "each year " if self.yearly else ""
        when = "on"
        if self.offset and self.offset.number:
            when = f"{str(self.offset).lstrip('-')} {'before' if self.offset.number < 0 else 'after'}"
        return f"{each}it is {self.time:%H:%M} where they live, {when} their {spoken(self.attribute).lower()}"

    def moment(self, value: Any, zone: str | None, after: datetime) -> datetime | None:
        """The first moment after `after` at which somebody with that value, living in that zone, is to enter."""
        day = day_of(value, zone)
        if day is None:
            return None
        years = range(start := self._from(day, after), start + 4) if self.yearly else [day.year]
        for year in years:
            with suppress(ValueError, OverflowError):  # beyond the calendar
                moment = hours.on(_in(day, year) + self.days, self.time, zone)
                if moment > after:
                    return moment
        return None

    def _from(self, day: date, after: datetime) -> int:
        """A year before that of the first anniversary that can matter."""
        try:
            return max(day.year, (after - self.days).year - 1)
        except OverflowError:
            return day.year

    @classmethod
    def problems(cls, document: Mapping[str, Any], path: str) -> Iterator[Problem]:
        found = list(super().problems(document, path))
        yield from found
        offset = document.get("offset")
        if not found and offset and next(iter(offset)) not in ("days", "weeks"):
            yield Problem(joined(path, "offset"), "must be in days or weeks: the hour is said by time")


def day_of(value: Any, zone: str | None) -> date | None:
    """The day that a stored value means: as it is written, or the day of a moment where the person lives."""
    if isinstance(value, str):
        if len(value) == 10:
            with suppress(ValueError):
                return date.fromisoformat(value)
        value = moments.read(value)
    if not isinstance(value, datetime):
        return None
    with suppress(OverflowError):
        return value.astimezone(UTC).astimezone(hours.zone(zone)).date()
    return None


def _in(day: date, year: int) -> date:
    """The same day in that year; the 29th of February is the 28th where there is none."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)
