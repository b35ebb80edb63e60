"""Rules such as `0 9 * * 1`: minute, hour, day of the month, month, day of the week, as cron reads them."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from celery.schedules import ParseException, crontab_parser

from journeys import hours

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_FARTHEST = 366 * 8 + 2  # days: the 29th of February comes again within eight years


class Unreadable(Exception):
    """No rule that can be kept; `str()` says why."""


@dataclass(frozen=True)
class Rule:
    """Moments on these days at these times of day, in the project's time zone."""

    text: str
    minute: int
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # Sunday is 0
    either: bool  # days of the month and of the week are both named: either will do

    def following(self, after: datetime) -> datetime | None:
        """The first moment after `after`; None where there is none in years."""
        day = after.astimezone(hours.zone(None)).date()
        for _ in range(_FARTHEST):
            if self._is_on(day):
                for hour in sorted(self.hours):
                    moment = hours.on(day, time(hour, self.minute), None)
                    if moment > after:
                        return moment
            day += timedelta(days=1)
        return None

    def _is_on(self, day: date) -> bool:
        weekday = day.isoweekday() % 7
        if day.month not in self.months:
            return False
        if self.either:
            return self._names(day) or weekday in self.weekdays
        return self._names(day) and weekday in self.weekdays

    def _names(self, day: date) -> bool:
        """Whether it is that day of the month; a month that is too short for the one day named has its last."""
        is_last = (day + timedelta(days=1)).day == 1
        return day.day in self.days or (is_last and len(self.days) == 1 and day.day < min(self.days))

    def __str__(self) -> str:
        times = [f"{hour:02}:{self.minute:02}" for hour in sorted(self.hours)]
        at = f"every hour at {self.minute} past" if len(times) == 24 else f"at {_listed(times)}"
        on = [
            *(
                [f"on the {_listed([str(day) for day in sorted(self.days)])} of the month{self._or_last()}"]
                if len(self.days) < 31
                else []
            ),
            *([f"on {_listed([_DAYS[day] for day in sorted(self.weekdays)])}"] if len(self.weekdays) < 7 else []),
        ]
        months = (
            f" in {_listed([_MONTHS[one - 1].title() for one in sorted(self.months)])}" if len(self.months) < 12 else ""
        )
        return f"{at} {' or '.join(on) or 'every day'}{months}"

    def _or_last(self) -> str:
        return ", or its last day" if len(self.days) == 1 and min(self.days) > 28 else ""


def read(text: object) -> Rule:
    """The rule that `text` says. Raises `Unreadable`."""
    parts = text.split() if isinstance(text, str) and len(text) <= 200 else []
    if len(parts) != 5 or not isinstance(text, str):
        raise Unreadable(
            "must be five parts: minute, hour, day of the month, month and day of the week, as in 0 9 * * 1"
        )
    minute = _part(parts[0], "minute", crontab_parser(60))
    if len(minute) != 1:
        raise Unreadable("must name one minute of the hour, as in 0 9 * * 1: more than once an hour is too often")
    days, weekdays = _part(parts[2], "day of the month", crontab_parser(31, 1)), _weekdays(parts[4])
    rule = Rule(
        text=" ".join(parts),
        minute=next(iter(minute)),
        hours=_part(parts[1], "hour", crontab_parser(24)),
        days=days,
        months=_part(_numbered(parts[3]), "month", crontab_parser(12, 1)),
        weekdays=weekdays,
        either=not parts[2].startswith("*") and not parts[4].startswith("*"),
    )
    if not rule.either and not any(day <= _length(month) for day in rule.days for month in rule.months):
        raise Unreadable("names a day that no month of its has")
    return rule


def _weekdays(part: str) -> frozenset[int]:
    # Cron knows Sunday as 7 as well; Celery's parser does not.
    return _part(part.replace("7", "0") if part == "7" else part, "day of the week", crontab_parser(7))


def _numbered(part: str) -> str:
    part = part.lower()
    for number, name in enumerate(_MONTHS, 1):
        part = part.replace(name, str(number))
    return part


def _part(part: str, name: str, parser: crontab_parser) -> frozenset[int]:
    try:
        found = frozenset(parser.parse(part))
    except (ParseException, ValueError):
        found = frozenset()
    if not found:
        raise Unreadable(f"cannot be read: its {name} is {part[:40]!r}")
    return found


def _length(month: int) -> int:
    return 29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31


def _listed(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if words[1:] else words[0]
