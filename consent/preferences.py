"""How people like to be written to: how much, at what hours, in what language, and not at all for a while."""

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from consent import ages, subjects
from consent.models import Preference
from foundation.errors import Invalid, Problem
from profiles.models import Profile

LONGEST_PAUSE = timedelta(days=366)
FIELDS = ("intensity", "paused_until", "hours_from", "hours_to", "time_zone", "language", "born_on")


def of(profile_ids: Iterable[UUID]) -> dict[UUID, Preference]:
    """Everybody's wishes; what stands for those who have not said any is the normal."""
    people = set(profile_ids)
    found = {row.profile_id: row for row in Preference.objects.filter(profile__in=people)}
    return {profile: found.get(profile) or Preference(profile_id=profile) for profile in people}


def save(profile_id: UUID, *, now: datetime, **wishes: Any) -> Preference:
    """Keeps the wishes that are named (see `FIELDS`); the others stay as they are."""
    with transaction.atomic():
        # Where two tabs save at once, each changes what it names and neither loses what the other did.
        subjects.lock_to_write([profile_id], now)
        row = of([profile_id])[profile_id]
        for name, value in wishes.items():
            if name not in FIELDS:
                raise TypeError(f"there is no wish {name!r}")
            setattr(row, name, value)
        _check(row, wishes, now)
        row.save(force_insert=row._state.adding)
    return row


def zone_of(profile: Profile, preference: Preference) -> ZoneInfo:
    """Whose midnight and evening count for them: what they chose, else what the product says, else the project's."""
    names = (preference.time_zone, profile.timezone, settings.PROJECT_TIME_ZONE)
    return next((ZoneInfo(name) for name in names if name and is_zone(name)), ZoneInfo("UTC"))


def is_zone(name: str) -> bool:
    return name in _zones()


@cache
def _zones() -> frozenset[str]:
    """All names of zones: they are files, and to look through them takes longer than all else that asks for one."""
    return frozenset(available_timezones())


def pause_of(length: str, zone: ZoneInfo, now: datetime, until: date | None = None) -> datetime:
    """When a pause ends that begins now: at the person's midnight, after a `week`, a `month` of 30 days, a `quarter`,
    or on the day `until`. A midnight that does not exist is the first moment of that day.
    """
    today = now.astimezone(zone).date()
    days = {"week": today + timedelta(days=7), "month": today + timedelta(days=30), "quarter": _months(today, 3)}
    end = until if length == "date" else days.get(length)
    if end is None:
        raise Invalid.at("pause", _("Choose how long the pause is to be, and for a day also which."))
    return datetime.combine(end, time(), zone)


def _months(day: date, number: int) -> date:
    """The same day some months on, or the last of a month that is too short for it."""
    years, month = divmod(day.month - 1 + number, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _check(row: Preference, wishes: dict[str, Any], now: datetime) -> None:
    problems = []
    if row.intensity not in Preference.Intensity.values:
        problems.append(Problem("intensity", _("Choose less, normal or more.")))
    if until := wishes.get("paused_until"):
        if until <= now:
            problems.append(Problem("pause", _("A pause must end after today.")))
        elif until > now + LONGEST_PAUSE:
            problems.append(Problem("pause", _("A pause can be a year at most.")))
    if (row.hours_from is None) != (row.hours_to is None):
        problems.append(Problem("hours", _("Hours need a beginning and an end, or neither.")))
    if row.hours_from is not None and row.hours_from == row.hours_to:
        problems.append(Problem("hours", _("Hours must not begin and end at the same time.")))
    if row.born_on is not None and not ages.is_plausible(row.born_on, now):
        problems.append(Problem("born_on", _("Write the day of your birth as in 1990-01-31.")))
    if row.time_zone and not is_zone(row.time_zone):
        problems.append(Problem("time_zone", _("This time zone is not known; choose one from the list.")))
    if row.language and row.language not in dict(settings.LANGUAGES):
        problems.append(Problem("language", _("This language is not known; choose one from the list.")))
    if problems:
        raise Invalid(problems)
