"""What the preference page sends back, read: choices and wishes, or every problem in words."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from consent import preferences
from consent.choosing import Key
from consent.models import DECISIONS
from foundation.errors import Invalid, Problem

WISHES = ("intensity", "hours_from", "hours_to", "time_zone", "language")


def choices(posted: Mapping[str, str], keys: Mapping[str, Key]) -> dict[Key, str]:
    """What was answered to each question that there is; what was left open is left out."""
    return {key: posted[field] for field, key in keys.items() if posted.get(field) in DECISIONS}


def wishes(posted: Mapping[str, str], zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """The wishes that the form names, ready to be saved. Raises `Invalid` with all that cannot be understood."""
    read: dict[str, Any] = {name: posted[name] for name in ("intensity", "time_zone", "language") if name in posted}
    problems = []
    if "hours_from" in posted and "hours_to" in posted:
        try:
            read["hours_from"], read["hours_to"] = _hour(posted["hours_from"]), _hour(posted["hours_to"])
        except ValueError:
            problems.append(Problem("hours", _("Write the hours as in 09:00.")))
    if posted.get("pause"):
        try:
            until = date.fromisoformat(posted["until"]) if posted.get("until") else None
            read["paused_until"] = preferences.pause_of(posted["pause"], zone, now, until)
        except (ValueError, OverflowError):
            problems.append(Problem("pause", _("Write the day as in 2027-01-31.")))
        except Invalid:
            problems.append(Problem("pause", _("Choose how long the pause is to be, and for a day also which.")))
    if posted.get("born_on"):
        read["born_on"] = birth(posted["born_on"])
        if read["born_on"] is None:
            problems.append(Problem("born_on", _("Write the day of your birth as in 1990-01-31.")))
    if problems:
        raise Invalid(problems)
    return read


def birth(text: str) -> date | None:
    """The day that somebody wrote; None if it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _hour(text: str) -> time | None:
    return time.fromisoformat(text).replace(second=0, microsecond=0, tzinfo=None) if text else None


def plain(value: Any) -> str:
    """A wish as a form can send it back."""
    return value.isoformat() if isinstance(value, datetime | time) else str(value or "")


def before(posted: Mapping[str, str]) -> dict[str, Any]:
    """The wishes as they were, from what the button for undoing sends back. What makes no sense is left out."""
    read: dict[str, Any] = {}
    for name in (*WISHES, "paused_until"):
        text = posted.get(f"was_{name}")
        if text is None:
            continue
        try:
            read[name] = _was(name, text)
        except ValueError:
            continue
    return read


def _was(name: str, text: str) -> Any:
    if name == "paused_until":
        return datetime.fromisoformat(text) if text else None
    return _hour(text) if name.startswith("hours") else text
