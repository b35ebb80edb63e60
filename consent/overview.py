"""How consent went: decisions week by week, by topic and by how they came about, counted from the ledger."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from foundation.sql import statements

_sql = statements("consent", "overview")
WEEKS = 26


@dataclass(frozen=True, slots=True)
class Way:
    """Decisions of one topic that came about in one way."""

    topic: str
    source: str
    yes: int
    no: int


def weeks(now: datetime, *, topic: str = "", source: str = "") -> dict[date, tuple[int, int]]:
    """Monday to (yes, no or ran out), of the last half year, empty weeks included; days are the project's."""
    first = _monday(now) - timedelta(weeks=WEEKS - 1)
    params = {"unit": "week", "zone": settings.PROJECT_TIME_ZONE, "topic": topic, "source": source}
    found = {day: (yes, no) for day, yes, no in _sql.rows("over_time", {**params, **_span(first, now)})}
    return {day: found.get(day, (0, 0)) for day in (first + timedelta(weeks=n) for n in range(WEEKS))}


def ways(now: datetime, *, topic: str = "") -> list[Way]:
    """How the decisions of the last half year came about, those with most consents first."""
    first = _monday(now) - timedelta(weeks=WEEKS - 1)
    return [Way(*row) for row in _sql.rows("by_source", {"topic": topic, **_span(first, now)})]


def _monday(now: datetime) -> date:
    today = now.astimezone(ZoneInfo(settings.PROJECT_TIME_ZONE)).date()
    return today - timedelta(days=today.weekday())


def _span(first: date, now: datetime) -> dict[str, datetime]:
    zone = ZoneInfo(settings.PROJECT_TIME_ZONE)
    return {"since": datetime(first.year, first.month, first.day, tzinfo=zone), "until": now}
