"""Words that several kinds share when they say themselves, and when they say what was found."""

import json
from datetime import UTC, datetime
from decimal import Decimal

from foundation import wording
from segments.comparing import Comparison, plain

_HOW = {
    "gt": "more than",
    "gte": "at least",
    "lt": "less than",
    "lte": "at most",
    "is": "exactly",
    "is_not": "any number but",
}


def often(count: Comparison) -> str:
    """` at least 3 times`; "" for at least once, which goes without saying."""
    if count.op == "between":
        return f" {plain(count.value[0])} to {plain(count.value[1])} times"
    if count.op == "gte" and count.value == 1:
        return ""
    return f" {_HOW[count.op]} {plain(count.value)} {'time' if count.value == Decimal(1) else 'times'}"


def frequency(count: Comparison) -> str:
    """The same where never may be enough, and then is said: ` (or never)`."""
    return often(count) + (" (or never)" if count.accepts(Decimal(0)) and count != Comparison("is", Decimal(0)) else "")


def figure(number: Decimal) -> str:
    """A number that was worked out, to three places at most."""
    return plain(round(Decimal(number), 3))


def when(at: datetime) -> str:
    """A moment to the minute, in UTC."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def value_found(name: str, stored: str | None) -> str:
    """What is stored under a name, given as JSON text."""
    value = json.loads(stored) if stored is not None else None
    if value is None:
        return f"{name} is not known"
    if isinstance(value, str):
        return f"{name} is “{wording.shortened(value, 100)}”" if value else f"{name} is an empty text"
    if isinstance(value, list):
        return f"{name} is a list of {len(value)}" if value else f"{name} is an empty list"
    if isinstance(value, dict):
        return f"{name} has parts of its own"
    return f"{name} is {'true' if value is True else 'false' if value is False else value}"
