"""Waits: for a length of time, until an hour of the person's own day, or until a date that is known of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, ClassVar
from uuid import UUID

from foundation.errors import Problem
from foundation.wording import exact
from journeys import hours
from journeys.answers import Advance, Answer, WaitUntil
from journeys.fields import Duration, Field, Text, check, duration, joined, shown
from journeys.kinds import Standing, Step, steps
from profiles.models import Profile
from segments import moments

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, kw_only=True)
class LocalTime(Field):
    """{"time": "09:00", "weekdays": [1, 2, 3, 4, 5]}: Monday is 1; without weekdays any day will do."""

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, Mapping):
            yield Problem(path, 'must be a local time such as {"time": "09:00", "weekdays": [1, 2, 3, 4, 5]}')
            return
        yield from check((), value, path, also=("time", "weekdays"))
        if hours.read(value.get("time")) is None:
            yield Problem(
                joined(path, "time"), f'must be a time of day such as "09:00", not {shown(value.get("time"))}'
            )
        days = value.get("weekdays")
        if days is not None and not _are_weekdays(days):
            yield Problem(joined(path, "weekdays"), "must be a list of numbers from 1 (Monday) to 7 (Sunday)")


def _are_weekdays(days: Any) -> bool:
    return (
        isinstance(days, list)
        and 1 <= len(days) <= 7
        and all(isinstance(day, int) and not isinstance(day, bool) and 1 <= day <= 7 for day in days)
    )


@dataclass(frozen=True, kw_only=True)
class Date(Field):
    """{"attribute": "renews_at", "offset": {"days": -7}}: a date that is known of the person, and how far from it."""

    FIELDS: ClassVar[Sequence[Field]] = (
        Text(name="attribute", label="Value", longest=255),
        Duration(name="offset", label="Away from it by", required=False, signed=True),
    )

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if isinstance(value, Mapping):
            yield from check(self.FIELDS, value, path)
        else:
            yield Problem(path, 'must name a value such as {"attribute": "renews_at", "offset": {"days": -7}}')


@steps.register
class Wait(Step):
    key = "wait"
    label = "Wait"
    icon = "hourglass_empty"
    about = "Waits for a while, until a time of day, or until a date of theirs."
    fresh = {"for": {"days": 2}}
    one_of = ("for", "until", "until_date")
    example = {"kind": "wait", "for": {"days": 2}}
    fields = (
        Duration(name="for", label="For", required=False),
        LocalTime(name="until", label="Until a time of day", required=False),
        Date(name="until_date", label="Until a date", required=False),
    )

    def prepare(self) -> None:
        self.length = duration(self.given["for"]) if self.given.get("for") else None
        if until := self.given.get("until"):
            self.time = hours.read(until["time"]) or time()
            self.weekdays = frozenset(until.get("weekdays") or range(1, 8))
            self.hangs_on = ("timezone",)
        if date := self.given.get("until_date"):
            self.attribute: str = date["attribute"]
            self.hangs_on = (self.attribute,)
            self.offset = duration(date["offset"], signed=True) if date.get("offset") else None

    def sentence(self) -> str:
        if self.length is not None:
            return f"Wait for {self.length}"
        if self.given.get("until"):
            return f"Wait until {self._hour()} where they live"
        return f"Wait until {self._date()}"

    def _hour(self) -> str:
        days = [_DAYS[day - 1] for day in sorted(self.weekdays)]
        on = "" if len(days) == 7 else f" on {', '.join(days[:-1])}{' or ' if days[1:] else ''}{days[-1]}"
        return f"{self.time:%H:%M}{on}"

    def _date(self) -> str:
        if self.offset is None or not self.offset.number:
            return f"their {self.attribute}"
        side = "before" if self.offset.number < 0 else "after"
        return f"{str(self.offset).lstrip('-')} {side} their {self.attribute}"

    def answer(self, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        if self.length is not None:
            return {one.id: self._for(one.step_entered_at + self.length.length, at) for one in people}
        if self.given.get("until"):
            zones = hours.zones(one.profile_id for one in people)
            return {one.id: self._until(one, zones.get(one.profile_id), at) for one in people}
        dates = _dates([one.profile_id for one in people], self.attribute)
        return {one.id: self._until_date(dates.get(one.profile_id), at) for one in people}

    def _for(self, until: datetime, at: datetime) -> Answer:
        if until <= at:
            return Advance(reason=f"{self.length} have passed.")
        return WaitUntil(until, f"Waits for {self.length}.")

    def _until(self, one: Standing, zone: str | None, at: datetime) -> Answer:
        until = hours.following(one.step_entered_at, self.time, self.weekdays, zone)
        if until <= at:
            return Advance(reason=f"It was {self._hour()} where they live.")
        return WaitUntil(until, f"Waits until {self._hour()} where they live.")

    def _until_date(self, date: datetime | None, at: datetime) -> Answer:
        if date is None:
            return Advance(reason=f"Their {self.attribute} is no date that is known.")
        try:
            until = date + self.offset.length if self.offset else date
        except OverflowError:
            return Advance(reason=f"Their {self.attribute} is too far away to wait for.")
        if until <= at:
            return Advance(reason=f"It was {self._date()} ({exact(date)}).")
        return WaitUntil(until, f"Waits until {self._date()} ({exact(date)}).")

    @classmethod
    def problems(cls, document: Mapping[str, Any], path: str) -> Iterator[Problem]:
        yield from super().problems(document, path)
        given = [field.name for field in cls.fields if document.get(field.name) is not None]
        if not given:
            yield Problem(path, "must say how long: for a time, until a time of day, or until_date")
        elif len(given) > 1:
            yield Problem(joined(path, given[1]), f"cannot stand beside {given[0]}: a wait is of one kind")


def _dates(profile_ids: Sequence[UUID], name: str) -> dict[UUID, datetime]:
    """The date that is known of each under that name; a column wins over an attribute, as everywhere."""
    column = name if name in Profile.COLUMNS else None
    rows = Profile.objects.filter(pk__in=profile_ids).values_list("pk", column or "pk", "attributes")
    dates: dict[UUID, datetime] = {}
    for profile, held, attributes in rows:
        value = held if column and held is not None else attributes.get(name)
        read = moments.read(value) if isinstance(value, str) else value
        if isinstance(read, datetime):
            dates[profile] = read
    return dates
