"""Words that several kinds share when they say themselves, and when they say what was found."""

import json
from datetime import datetime
from decimal import Decimal

from foundation import wording
from segments import moments
from segments.comparing import Comparison, plain

_HOW = {
    "gt": "more than",
    "gte": "at least",
    "lt": "fewer than",
    "lte": "at most",
    "is": "exactly",
    "is_not": "any number of times but",
}


def never(count: Comparison) -> bool:
    """Whether it says no more than that it was not done: of all that can be counted it accepts 0 alone."""
    return count.accepts(Decimal(0)) and [place for place in count.places if place > 0] == [1]


def frequency(count: Comparison) -> str:
    """` at least 3 times`; "" for at least once, which goes without saying."""
    may_be_never = count.accepts(Decimal(0))
    if not count.places:
        return " any number of times, or never" if may_be_never else " an impossible number of times"
    if count.places == [1] and not may_be_never:
        return ""
    if count.op == "between":
        return f" {plain(count.value[0])} to {plain(count.value[1])} times"
    said = f"{_HOW[count.op]} {plain(count.value) if count.op == 'is_not' else _times(count.value)}"
    # “Fewer than” takes in never for every reader; the others are easily read otherwise.
    return f" {said}{', or never' if may_be_never and count.op != 'lt' else ''}"


def _times(number: Decimal) -> str:
    return "once" if number == 1 else f"{plain(number)} times"


def figure(number: Decimal) -> str:
    """A number that was worked out, to three places at most."""
    number = Decimal(number)
    return plain(round(number, 3) if number.adjusted() < 15 else number)


def when(at: datetime) -> str:
    """A moment to the minute, in the project's zone."""
    return moments.said(at.replace(second=0, microsecond=0), to_the_minute=True)


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
