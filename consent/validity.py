"""How long a yes counts: what its topic says, what came with it, and how long a yes that nobody said may be implied."""

from calendar import monthrange
from datetime import datetime

from consent.models import ConsentRecord

Implied = ConsentRecord.Implied
IMPLIED_MONTHS = {Implied.PURCHASE: 24, Implied.INQUIRY: 6}
"""By Canada's anti-spam law (CASL, section 10), counted from the purchase or the inquiry."""


def until(
    at: datetime, *, months: int | None = None, implied: str = "", named: datetime | None = None
) -> datetime | None:
    """When a yes of `at` runs out: the earliest that its topic, its kind and whoever brought it say; None if never."""
    ends = [named] if named else []
    if months:
        ends.append(later(at, months))
    if implied:
        ends.append(later(at, IMPLIED_MONTHS[Implied(implied)]))
    return min(ends, default=None)


def later(at: datetime, months: int) -> datetime:
    """The same time of day some calendar months on, or on the last day of a month that is too short for it."""
    years, month = divmod(at.month - 1 + months, 12)
    year = at.year + years
    return at.replace(year=year, month=month + 1, day=min(at.day, monthrange(year, month + 1)[1]))
