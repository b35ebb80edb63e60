"""How much people hear from us in a week: as it is, and as it would be with a draft beside everything else."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from foundation.sql import statements
from journeys.backtesting import Found

_WEEK = timedelta(days=7)
_BANDS: tuple[tuple[str, float], ...] = (
    ("Up to 1 a week", 1.0),
    ("Up to 2 a week", 2.0),
    ("Up to 3 a week", 3.0),
    ("Up to 5 a week", 5.0),
    ("More than 5 a week", float("inf")),
)
_sql = statements("journeys", "pressure")


@dataclass(frozen=True, slots=True)
class Band:
    """How many people hear so often from us, now and with the draft."""

    name: str
    now: int
    then: int


@dataclass(frozen=True, slots=True)
class Pressure:
    """Messages a person a week, of those who get any: on average, of the one who gets most, and in bands."""

    now: float
    then: float
    most_now: float
    most_then: float
    bands: list[Band]
    people: int


def forecast(slug: str, found: Found) -> Pressure:
    """Sets what a backtest would have sent beside all that really went out in its time.

    What the journey of this slug sent in that time is left out, since the draft takes its place. Transactional messages
    count: people read them, too. Guardrails are not asked of what the draft adds.
    """
    weeks = max((found.until - found.since) / _WEEK, 1.0)
    every, others = _sent(found.since, found.until, ""), _sent(found.since, found.until, slug)
    then = Counter(others)
    then.update(found.per_person)
    now = {person: number / weeks for person, number in every.items()}
    later = {person: number / weeks for person, number in then.items() if number}
    return Pressure(
        now=_mean(now),
        then=_mean(later),
        most_now=max(now.values(), default=0.0),
        most_then=max(later.values(), default=0.0),
        bands=_bands(now, later),
        people=len({*now, *later}),
    )


def _sent(since: datetime, until: datetime, without: str) -> Counter[UUID]:
    """How many messages each person was sent, but for those of one journey."""
    return Counter(dict(_sql.rows("sent", {"since": since, "until": until, "without": without})))


def _mean(rates: Mapping[UUID, float]) -> float:
    return sum(rates.values()) / len(rates) if rates else 0.0


def _bands(now: Mapping[UUID, float], then: Mapping[UUID, float]) -> list[Band]:
    bands, floor = [], 0.0
    for name, top in _BANDS:
        counts = [sum(floor < rate <= top for rate in rates.values()) for rates in (now, then)]
        bands.append(Band(name, *counts))
        floor = top
    return bands
