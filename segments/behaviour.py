"""What people did, as tables of a question: read from the daily counts where they say enough, else from the events.

The counts hold, per person, name and day (UTC), how often something was done and when first and last. A day that lies
wholly within a window is counted from them; of a day that an edge of the window cuts, the events themselves are. So
windows are exact to the microsecond.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from foundation import wording
from segments import comparing, fields
from segments.comparing import Comparison, Json
from segments.moments import INSTANT, Between, Last, Since, Window, zone_name
from segments.places import Place
from segments.question import Question, both, shifted

ANY = "*"


@dataclass(frozen=True, slots=True)
class Where:
    """A comparison of a property of the event."""

    property: str = fields.asks(fields.name)
    compare: Comparison = fields.asks(comparing.comparison, keys=("op", "value"))

    def holds(self, q: Question, event: str) -> str:
        return self.compare.holds(Json(f"({event}.properties -> {q.bind(self.property, 'text')})"), q)

    def __str__(self) -> str:
        return f"{self.property} {self.compare}"


def wheres(value: Any, place: Place) -> tuple[Where, ...]:
    """A list of comparisons of properties, which must all hold."""
    if not isinstance(value, list):
        place.refuse('This must be a list, such as [{"property": "format", "op": "is", "value": "pdf"}].')
    if len(value) > 20:
        place.refuse("This lists more than 20 comparisons.")
    read = []
    for number, one in enumerate(value):
        if not isinstance(one, Mapping):
            place.item(number).refuse(
                'This must be an object, such as {"property": "format", "op": "is", "value": "pdf"}.'
            )
        read.append(fields.fill(Where, one, place.item(number)))
    return tuple(read)


# ── In words ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def done(names: tuple[str, ...], where: tuple[Where, ...] = ()) -> str:
    """`did “Report exported” (format is “pdf”)`."""
    what = " or ".join("anything" if name == ANY else f"“{wording.spoken(name)}”" for name in names)
    return f"{what} ({' and '.join(map(str, where))})" if where else what


# ── Spans of time ────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Span:
    """[start, end), both known when the question is put; no start: since ever. `since`: the time of the enrollment that
    it begins after, too."""

    start: datetime | None
    end: datetime
    since: str = ""


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


# ── Tables ───────────────────────────────────────────────────────────────────────────────────────────────────────────
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


@dataclass(frozen=True, slots=True)
class Events:
    """Raw events `e` of a span: `FROM … WHERE …`, and the column that says whose."""

    key: str
    source: str
    by_person: bool


def per_asked(q: Question, within: Span) -> bool:
    """Whether each of those asked has a span of their own."""
    return q.asked is not None and (q.bounded or bool(within.since))


def events(
    q: Question, names: tuple[str, ...], where: tuple[Where, ...], within: Span, *, everyone: bool = False
) -> Events:
    """The events of these names in the span, of those the question is about, or of `everyone`."""
    tests = [named(q, names, "e.name_id"), *bounds(q, within, "e.occurred_at"), *(one.holds(q, "e") for one in where)]
    if everyone or not per_asked(q, within):
        if within.since:
            tests.append("false")  # nobody has begun anything
        only = "" if everyone else q.only("e.profile_id")
        return Events("e.profile_id", f"FROM profiles_event e WHERE {both(tests)}{only}", True)
    if q.bounded:
        tests.append("(w.after IS NULL OR e.occurred_at > w.after)")
        if q.earliest is not None:
            tests.append(f"e.occurred_at > {q.moment(q.earliest)}")  # once more for all, so that months are skipped
    if within.since:
        tests.append(f"e.occurred_at > w.{within.since}")
    return Events("w.key", f"FROM w JOIN profiles_event e ON e.profile_id = w.profile_id WHERE {both(tests)}", False)


def bounds(q: Question, within: Span, column: str) -> list[str]:
    low = [f"{column} >= {q.moment(within.start)}"] if within.start is not None else []
    return [*low, f"{column} < {q.moment(within.end)}"]


@dataclass(frozen=True, slots=True)
class Days:
    """Daily counts `d` that touch a span: `FROM … WHERE …`; and whether a row lies wholly within or without it."""

    source: str
    inside: str
    outside: str
    events: str  # of a row that lies neither way: the events of the person, the name, the day and the span

    def pick(self, whole: str, nothing: str, of_events: str) -> str:
        """`whole` of a row within, `nothing` of one without, and of one that an edge cuts what the events say."""
        cut = f"({of_events} {self.events})"
        return f"CASE WHEN {self.inside} THEN {whole} WHEN {self.outside} THEN {nothing} ELSE {cut} END"


def days(q: Question, names: tuple[str, ...], within: Span, *, everyone: bool = False) -> Days:
    tests = [named(q, names, "d.name_id"), f"d.day <= {q.bind(_day(shifted(within.end, -INSTANT)), 'date')}"]
    inside, outside = [f"d.last_at < {q.moment(within.end)}"], [f"d.first_at >= {q.moment(within.end)}"]
    if within.start is not None:
        tests.append(f"d.day >= {q.bind(_day(within.start), 'date')}")
        inside.append(f"d.first_at >= {q.moment(within.start)}")
        outside.append(f"d.last_at < {q.moment(within.start)}")
    cut = [
        "e.profile_id = d.profile_id AND e.name_id = d.name_id",
        "e.occurred_at BETWEEN d.first_at AND d.last_at",
        *bounds(q, within, "e.occurred_at"),
    ]
    return Days(
        f"FROM profiles_eventday d WHERE {both(tests)}{'' if everyone else q.only('d.profile_id')}",
        " AND ".join(inside),
        " OR ".join(outside),
        f"FROM profiles_event e WHERE {' AND '.join(cut)}",
    )


def _day(at: datetime) -> Any:
    return at.astimezone(UTC).date()


def countable(q: Question, where: tuple[Where, ...], within: Span) -> bool:
    """Whether the daily counts can answer: they know nothing of properties, nor where somebody's own span begins."""
    return not (where or within.since or per_asked(q, within))


def tally(q: Question, names: tuple[str, ...], where: tuple[Where, ...], within: Span) -> str:
    """A table with `n`: how often those who did it did it. Nobody has 0: they have no row."""
    body, by_person = counted(q, names, where, within)
    return q.table(body, by_person=by_person)


def counted(
    q: Question, names: tuple[str, ...], where: tuple[Where, ...], within: Span, *, everyone: bool = False
) -> tuple[str, bool]:
    """The same as a statement with `key` and `n`, and whether the key is the person."""
    if where or not (everyone or countable(q, where, within)):
        raw = events(q, names, where, within, everyone=everyone)
        return f"SELECT {raw.key} AS key, count(*) AS n {raw.source} GROUP BY 1", raw.by_person
    rows = days(q, names, within, everyone=everyone)
    count = rows.pick("d.n", "0", "SELECT count(*)")
    return f"SELECT d.profile_id AS key, sum({count}) AS n {rows.source} GROUP BY 1", True


def extreme(q: Question, names: tuple[str, ...], which: str, within: Span) -> str:
    """A table with `at`: when those who did it did it last, or first, within the span."""
    pick = "max" if which == "last" else "min"
    if not countable(q, (), within):
        raw = events(q, names, (), within)
        body = f"SELECT {raw.key} AS key, {pick}(e.occurred_at) AS at {raw.source} GROUP BY 1"
        return q.table(body, by_person=raw.by_person)
    rows = days(q, names, within)
    at = rows.pick(f"d.{which}_at", "NULL", f"SELECT {pick}(e.occurred_at)")
    return q.table(f"SELECT d.profile_id AS key, {pick}({at}) AS at {rows.source} GROUP BY 1")


def kinds_done(q: Question, names: tuple[str, ...], where: tuple[Where, ...], within: Span) -> str:
    """A table with `n`: how many different things somebody did, by the name that each has today."""
    if countable(q, where, within):
        rows = days(q, names, within)
        did = rows.pick("true", "false", "SELECT count(*) > 0")
        source, key, by_person = f"{rows.source} AND ({did})", "d.profile_id", True
        number = "d.name_id"
    else:
        raw = events(q, names, where, within)
        source, key, by_person, number = raw.source, raw.key, raw.by_person, "e.name_id"
    body = f"SELECT {key} AS key, count(DISTINCT {q.names.today(q, number)}) AS n {source} GROUP BY 1"
    return q.table(body, by_person=by_person)


def days_active(q: Question, names: tuple[str, ...], where: tuple[Where, ...], within: Span) -> str:
    """A table with `n`: on how many days, in the project's zone, somebody did it."""
    if zone_name() == "UTC" and countable(q, where, within):
        rows = days(q, names, within)
        did = rows.pick("true", "false", "SELECT count(*) > 0")
        return q.table(f"SELECT d.profile_id AS key, count(DISTINCT d.day) AS n {rows.source} AND ({did}) GROUP BY 1")
    raw = events(q, names, where, within)
    day = f"(e.occurred_at AT TIME ZONE {q.zone})::date"
    body = f"SELECT {raw.key} AS key, count(DISTINCT {day}) AS n {raw.source} GROUP BY 1"
    return q.table(body, by_person=raw.by_person)
