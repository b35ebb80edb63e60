"""A segment's size over time, drawn as an inline picture that also says itself in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from foundation import wording
from foundation.pages import Part
from segments.models import Segment

DAYS = 30
_WIDTH, _HEIGHT, _TOP = 640.0, 140.0, 12.0
_FLOW = """
    SELECT (at AT TIME ZONE %(zone)s)::date AS day,
        count(*) FILTER (WHERE entered) AS came, count(*) FILTER (WHERE NOT entered) AS went
    FROM segments_membershipchange WHERE segment_id = %(segment)s AND at > %(since)s AND at <= %(now)s
    GROUP BY 1
"""


@dataclass(frozen=True)
class Day:
    """A day with what it ended at, and who came and went on it."""

    day: date
    size: int
    came: int
    went: int


@dataclass(frozen=True, kw_only=True)
class Chart(Part):
    """A line over days; the same figures stand in a table under it for whoever wants them."""

    template = "segments/chart.html"
    days: Sequence[Day]

    @property
    def most(self) -> int:
        return max((day.size for day in self.days), default=0)

    @property
    def most_said(self) -> str:
        return wording.amount(self.most)

    @property
    def line(self) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self._points())

    @property
    def area(self) -> str:
        points = self._points()
        return f"{points[0][0]:.1f},{_HEIGHT} {self.line} {points[-1][0]:.1f},{_HEIGHT}" if points else ""

    @property
    def last(self) -> tuple[str, str]:
        x, y = self._points()[-1]
        return f"{x:.1f}", f"{y:.1f}"

    @property
    def said(self) -> str:
        """The picture in a sentence."""
        first, last = self.days[0], self.days[-1]
        how = "stayed at" if first.size == last.size else "grew from" if first.size < last.size else "shrank from"
        sizes = (
            wording.amount(first.size)
            if first.size == last.size
            else f"{wording.amount(first.size)} to {wording.amount(last.size)}"
        )
        return f"In {len(self.days)} days it {how} {sizes} people; it was largest at {self.most_said}."

    @property
    def moved(self) -> list[Day]:
        return [day for day in reversed(self.days) if day.came or day.went]

    def _points(self) -> list[tuple[float, float]]:
        step = _WIDTH / max(1, len(self.days) - 1)
        height = (_HEIGHT - _TOP) / max(1, self.most)
        return [(number * step, _HEIGHT - day.size * height) for number, day in enumerate(self.days)]


def chart(segment: Segment, size: int, now: datetime) -> Chart:
    """Worked back from the size of today by who came and went, so that it costs one look at the changes."""
    since = now - timedelta(days=DAYS)
    params: dict[str, Any] = {
        "zone": str(settings.PROJECT_TIME_ZONE), "segment": segment.pk, "since": since, "now": now,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_FLOW, params)
        flow = {day: (came, went) for day, came, went in cursor.fetchall()}
        cursor.execute("SELECT (%(now)s::timestamptz AT TIME ZONE %(zone)s)::date", params)
        today = cursor.fetchone()[0]
    days: list[Day] = []
    for back in range(DAYS):
        day = today - timedelta(days=back)
        came, went = flow.get(day, (0, 0))
        days.append(Day(day, size, came, went))
        size = max(0, size - came + went)
    days.reverse()
    return Chart(title="Size over time", note="People in it at the end of each day.", days=_since_it_was(segment, days))


def _since_it_was(segment: Segment, days: list[Day]) -> list[Day]:
    """Without the days before there was the segment, but for the one before it began."""
    kept = [day for day in days if day.day >= (segment.created_at - timedelta(days=1)).date()]
    return kept if len(kept) > 1 else days[-2:]
