"""The daily counts as tables of a question, and the spans of time that they are asked about.

They hold, per person, name and day (UTC), how often something was done and when first and last. A day that lies wholly
within a span is counted from them; of a day that an edge of the span cuts, the events themselves are. So spans are
exact to the microsecond.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from segments.moments import INSTANT, Between, Last, Since, Window
from segments.question import Question, shifted

ANY = "*"
DAY = timedelta(days=1)
COUNTS = "FROM profiles_eventday d"
_OF_A_CUT_DAY = {  # column of the counts -> what it is of a day without the span, and of the events of one that is cut
    "n": ("0", "count(*)"),
    "first_at": ("NULL", "min(e.occurred_at)"),
    "last_at": ("NULL", "max(e.occurred_at)"),
}
_OF_AN_EVENT = {"n": "1", "first_at": "c.occurred_at", "last_at": "c.occurred_at"}  # others are those of its day


# ── Spans of time ────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Span:
    """[start, end), both known when the question is put; no start: since ever. `since`: the time of the enrollment that
    it begins after, too."""

    start: datetime | None
    end: datetime
    since: str = ""

    @property
    def is_empty(self) -> bool:
        return self.start is not None and self.start >= self.end


def span(window: Window | None, at: datetime) -> Span:
    end = shifted(at, INSTANT)
    match window:
        case Last(duration):
            return Span(shifted(at, INSTANT - duration.length), end)
        case Between(start, until):
            return Span(start, min(until, end))
        case Since(what):
            return Span(None, end, "entered_at" if what == "entry" else "step_entered_at")
    return Span(None, end)


def bounds(q: Question, within: Span, column: str) -> list[str]:
    low = [f"{column} >= {q.moment(within.start)}"] if within.start is not None else []
    return [*low, f"{column} < {q.moment(within.end)}"]


def named(q: Question, names: tuple[str, ...], column: str) -> str:
    """The condition that a column holds one of the names."""
    numbers: set[int] = set().union(*(q.names.numbers(name) for name in names if name != ANY))
    if ANY not in names:
        return _one_of(q, column, sorted(numbers))
    return f"{column} <> ALL({q.bind([n for n in q.names.ours if n not in numbers], 'int[]')})"


def _one_of(q: Question, column: str, numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"{column} = {q.bind(numbers[0], 'int')}"
    return f"{column} = ANY({q.bind(numbers, 'int[]')})"


# ── Days that an edge of the span cuts ───────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class _Edge:
    """Such a day: which rows of the counts lie within the span, which it cuts, and what of their events is in it."""

    day: str
    inside: str
    cuts: str
    within: Span

    def events(self, q: Question) -> str:
        return " AND ".join(
            [
                "e.profile_id = d.profile_id AND e.name_id = d.name_id",
                "e.occurred_at BETWEEN d.first_at AND d.last_at",
                *bounds(q, self.within, "e.occurred_at"),
            ]
        )


def _edges(q: Question, within: Span) -> list[_Edge]:
    first, end = within.start, within.end
    end_day = midnight(shifted(end, -INSTANT))
    before_end, behind_end = f"d.last_at < {q.moment(end)}", f"d.last_at >= {q.moment(end)}"
    cut_late = f"d.first_at < {q.moment(end)} AND {behind_end}"
    late = _Edge(q.bind(end_day.date(), "date"), before_end, cut_late, Span(end_day, end))
    if first is None:
        return [late]
    day = midnight(first)
    before_start, behind_start = f"d.first_at < {q.moment(first)}", f"d.first_at >= {q.moment(first)}"
    cut_early = f"{before_start} AND d.last_at >= {q.moment(first)}"
    if day == end_day:
        cuts = f"(({cut_early}) OR ({cut_late})) AND d.last_at >= {q.moment(first)} AND d.first_at < {q.moment(end)}"
        return [_Edge(q.bind(day.date(), "date"), f"{behind_start} AND {before_end}", cuts, Span(first, end))]
    early = _Edge(q.bind(day.date(), "date"), behind_start, cut_early, Span(first, shifted(day, DAY)))
    return [early, late]


def midnight(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


# ── Over everybody ───────────────────────────────────────────────────────────────────────────────────────────────────
def of_everybody(q: Question, names: tuple[str, ...], within: Span, columns: Sequence[str]) -> str:
    """What was done within the span, as a relation of `key` and these columns of the counts, and of no others.

    A row is a person's day, or an event of a day that an edge of the span cuts.
    """
    return f"({' UNION ALL '.join(_parts(q, names, within, columns))})"


def of_two(q: Question, names: tuple[str, ...], earlier: Span, lately: Span) -> str:
    """The same of two spans, as a relation of `key`, `n` and whether it was `lately`."""
    parts = [
        part
        for within, which in ((earlier, "false"), (lately, "true"))
        for part in _parts(q, names, within, ("n",), f", {which} AS lately")
    ]
    return f"({' UNION ALL '.join(parts)})"


def _parts(q: Question, names: tuple[str, ...], within: Span, columns: Sequence[str], more: str = "") -> Iterator[str]:
    # Each part has just the columns that are wanted, in the same order: then rows are handed on as they are read.
    wanted = "".join(f", d.{column}" for column in columns)
    row = f"SELECT d.profile_id AS key{wanted}{more} {COUNTS} WHERE {named(q, names, 'd.name_id')}"
    if within.is_empty:
        yield f"{row} AND false"
        return
    # Days between the edges need no look at their times, so that the planner knows how many rows there are.
    yield f"{row} AND {_between(q, within)}"
    of_an_event = "".join(f", {_OF_AN_EVENT.get(column, f'd.{column}')}" for column in columns)
    for edge in _edges(q, within):
        yield f"{row} AND d.day = {edge.day} AND {edge.inside}"
        # LATERAL and OFFSET 0: the few events of the cut days are looked up one day at a time, whatever is estimated.
        yield (
            f"SELECT d.profile_id{of_an_event}{more} {COUNTS}"
            f" CROSS JOIN LATERAL (SELECT e.occurred_at FROM profiles_event e WHERE {edge.events(q)} OFFSET 0) c"
            f" WHERE {named(q, names, 'd.name_id')} AND d.day = {edge.day} AND {edge.cuts}"
        )


def _between(q: Question, within: Span) -> str:
    """That a day lies between the first and the last of the span."""
    tests = [f"d.day < {q.bind(midnight(shifted(within.end, -INSTANT)).date(), 'date')}"]
    if within.start is not None:
        tests.append(f"d.day > {q.bind(midnight(within.start).date(), 'date')}")
    return " AND ".join(tests)


# ── Over some people ─────────────────────────────────────────────────────────────────────────────────────────────────
def of_some(q: Question, names: tuple[str, ...], within: Span, columns: Iterable[str]) -> str:
    """What they did within the span, as a relation of `key`, `name_id`, `day` and the `columns` that are wanted.

    Each row of the counts is looked up once, and the events of a cut day where one is met. Rows whose `n` is 0 say
    nothing.
    """
    if within.is_empty:
        return f"(SELECT d.profile_id AS key, d.name_id, d.day, d.n, d.first_at, d.last_at {COUNTS} WHERE false)"
    edges = _edges(q, within)
    low = [f"d.first_at >= {q.moment(within.start)}"] if within.start is not None else []
    inside = " AND ".join([*low, f"d.last_at < {q.moment(within.end)}"])
    values = []
    for column in columns:
        nothing, of_events = _OF_A_CUT_DAY[column]
        cut = [
            f"WHEN d.day = {edge.day} AND {edge.cuts}"
            f" THEN (SELECT {of_events} FROM profiles_event e WHERE {edge.events(q)})"
            for edge in edges
        ]
        values.append(f"CASE WHEN {inside} THEN d.{column} {' '.join(cut)} ELSE {nothing} END AS {column}")
    reach = f"{named(q, names, 'd.name_id')} AND {_reach(q, within)}{q.only('d.profile_id')}"
    # OFFSET 0: what a row says is worked out once, however many figures look at it.
    return f"(SELECT d.profile_id AS key, d.name_id, d.day, {', '.join(values)} {COUNTS} WHERE {reach} OFFSET 0)"


def _reach(q: Question, within: Span) -> str:
    """The days that the span may touch."""
    tests = [f"d.day <= {q.bind(midnight(shifted(within.end, -INSTANT)).date(), 'date')}"]
    if within.start is not None:
        tests.append(f"d.day >= {q.bind(midnight(within.start).date(), 'date')}")
    return " AND ".join(tests)
