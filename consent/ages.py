"""Who is old enough for a topic (GDPR, article 8): by what they said themselves, or by what the product says."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _

from consent.models import Preference, Topic
from profiles.models import Profile

_OLDEST = 130


def born_on(profile: Profile, preference: Preference) -> date | None:
    """When they were born; the later day where the product and they themselves say two. None where nobody said."""
    said = (preference.born_on, _read(profile.attributes.get(settings.BIRTHDAY_ATTRIBUTE)))
    return max((day for day in said if day is not None), default=None)


def let_in(topic: Topic, born: date | None, now: datetime) -> bool | None:
    """Whether somebody born then may get the topic today; None where it depends on an age that nobody knows."""
    if topic.min_age is None:
        return True
    return None if born is None else age(born, _today(now)) >= topic.min_age


def too_young(topic: Topic, born: date | None, now: datetime) -> str:
    """Why somebody born then may not choose it, in a sentence to them; "" if they may."""
    may = let_in(topic, born, now)
    if may:
        return ""
    text = (
        _("%(topic)s is for people of %(age)d and older. To get it, say when you were born.")
        if may is None
        else _("%(topic)s is for people of %(age)d and older.")
    )
    return text % {"topic": topic.name, "age": topic.min_age}


def age(born: date, on: date) -> int:
    """In full years. Who was born on 29 February has their birthday on 1 March of other years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def is_plausible(born: date, now: datetime) -> bool:
    """Whether somebody who was born then can be alive and write."""
    return 0 <= age(born, _today(now)) <= _OLDEST and born <= _today(now)


def _today(now: datetime) -> date:
    return now.astimezone(ZoneInfo(settings.PROJECT_TIME_ZONE)).date()


def _read(value: Any) -> date | None:
    """A day as programs write it: `2010-03-31`, with or without a time behind it."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
