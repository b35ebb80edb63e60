"""What people did, as figures of a question: read from the daily counts where they say enough, else from the events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from foundation import wording
from segments import comparing, counts, fields
from segments.comparing import Comparison, Json
from segments.counts import ANY, COUNTS, Span, bounds, midnight, named
from segments.moments import zone_name
from segments.places import Place
from segments.question import Question, both, shifted


@dataclass(frozen=True, slots=True)
class Where:
    """A comparison of a property of the event."""

    property: str = fields.asks(fields.name, look=fields.Look("Property", of="property"))
    compare: Comparison = fields.asks(comparing.comparison, keys=("op", "value"))

    def operand(self, q: Question, event: str) -> Json:
        return Json.at(f"{event}.properties", q.bind(self.property, "text"))

    def holds(self, q: Question, event: str) -> str:
        return self.compare.holds(self.operand(q, event), q)

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


FILTERS = fields.Look("where", many=Where, one="filter", place=9)


# ── In words ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def done(names: tuple[str, ...], where: tuple[Where, ...] = ()) -> str:
    """`did “Report exported” (format is “pdf”)`."""
    what = " or ".join("anything" if name == ANY else f"“{wording.spoken(name)}”" for name in names)
    return f"{what} ({' and '.join(map(str, where))})" if where else what


# ── Tables ───────────────────────────────────────────────────────────────────────────────────────────────────────────
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
    within = replace(within, start=begun(q, names, within.start))
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


def begun(q: Question, names: tuple[str, ...], start: datetime | None) -> datetime | None:
    """`start`, or later where nothing of these names was done before: the months before are not even planned for."""
    if ANY in names:
        return start
    since = q.names.since(names)
    return start if since is None else since if start is None else max(start, since)


# ── Figures ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def countable(q: Question, where: tuple[Where, ...], within: Span) -> bool:
    """Whether the daily counts can answer: they know nothing of properties, nor where somebody's own span begins."""
    return not (where or within.since or per_asked(q, within))


def figure(
    q: Question,
    names: tuple[str, ...],
    where: tuple[Where, ...],
    within: Span,
    *,
    of_days: str,
    of_events: str,
    columns: tuple[str, ...] = ("n",),
) -> str:
    """A figure of a person, as a column: worked out from `columns` of the counts where they can tell, else of events.

    Both are relations `r`. All figures of one span come from one pass.
    """
    if not countable(q, where, within):
        return of_those(q, events(q, names, where, within), of_events)
    if q.among is None:
        relation = counts.of_everybody(q, names, within, columns)
        table = f"SELECT r.key, {of_days} AS figure FROM {relation} r GROUP BY 1"
        return f"{q.table(table)}.figure"

    def build(wanted: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]) -> str:
        every = tuple(dict.fromkeys(name for some, _ in wanted for name in some))
        values = dict.fromkeys(column for _, some in wanted for column in some if column not in ("name_id", "day"))
        return counts.of_some(q, every, within, values)

    mine = f"{of_days} FILTER (WHERE {named(q, names, 'r.name_id')})"
    return q.shared(build, within, (names, columns), mine)


def of_those(q: Question, raw: Events, of_events: str) -> str:
    """A figure of a person's events `r`, as a column."""
    relation = f"(SELECT {raw.key} AS key, e.occurred_at, e.name_id, e.properties {raw.source})"
    return q.shared(lambda _: relation, raw, None, of_events, by_person=raw.by_person)


def tally(q: Question, names: tuple[str, ...], where: tuple[Where, ...], within: Span) -> str:
    """How often a person did it; NULL for who never did."""
    return figure(q, names, where, within, of_days="sum(r.n)", of_events="count(*)")


def tally_twice(q: Question, names: tuple[str, ...], earlier: Span, lately: Span) -> tuple[str, str]:
    """The same of two spans: of everybody in one pass."""
    if q.among is not None:
        return tally(q, names, (), earlier), tally(q, names, (), lately)
    table = q.table(
        "SELECT r.key, sum(r.n) FILTER (WHERE NOT r.lately) AS earlier, sum(r.n) FILTER (WHERE r.lately) AS lately"
        f" FROM {counts.of_two(q, names, earlier, lately)} r GROUP BY 1"
    )
    return f"{table}.earlier", f"{table}.lately"


def tally_of_all(q: Question, names: tuple[str, ...], where: tuple[Where, ...], within: Span) -> str:
    """The same as a statement about everybody, whoever the question is about."""
    if where:
        raw = events(q, names, where, within, everyone=True)
        return f"SELECT {raw.key} AS key, count(*) AS n {raw.source} GROUP BY 1"
    return f"SELECT r.key, sum(r.n) AS n FROM {counts.of_everybody(q, names, within, ('n',))} r GROUP BY 1"


def extreme(q: Question, names: tuple[str, ...], which: str, within: Span) -> str:
    """When a person did it last, or first, within the span; NULL for who never did."""
    pick = "max" if which == "last" else "min"
    of_days, of_events = f"{pick}(r.{which}_at)", f"{pick}(r.occurred_at)"
    return figure(q, names, (), within, of_days=of_days, of_events=of_events, columns=(f"{which}_at",))


def lately(q: Question, names: tuple[str, ...], length: timedelta) -> str:
    """When a person did it last, if that is less than `length` ago or not much longer, as a column.

    One pass over the counts tells it of all lengths; of some people of all names, too, while of everybody those who did
    one thing are not looked for among all that was done.
    """

    def build(wanted: Sequence[tuple[tuple[str, ...], timedelta]]) -> str:
        every = tuple(dict.fromkeys(name for some, _ in wanted for name in some))
        longest = Span(shifted(q.after, -max(length for _, length in wanted)), q.after)
        if q.among is None:
            return counts.of_everybody(q, every, longest, ("last_at",))
        return counts.of_some(q, every, longest, ("last_at",))

    if q.among is None:
        return q.shared(build, ("lately", names), (names, length), "max(r.last_at)")
    mine = f"max(r.last_at) FILTER (WHERE {named(q, names, 'r.name_id')})"
    return q.shared(build, "lately", (names, length), mine)


def different(q: Question, raw: Events, value: str) -> str:
    """How many different values, of what is neither absent nor null, a person's events `e` have, as a column."""
    # Each value once by hashing, which is much faster than to sort them for each person.
    once = f"SELECT {raw.key} AS key, {value} AS value {raw.source} GROUP BY 1, 2"
    table = q.table(
        f"SELECT o.key, count(*) AS n FROM ({once}) o WHERE o.value <> 'null'::jsonb GROUP BY 1",
        by_person=raw.by_person,
    )
    return f"{table}.n"


def kinds_done(q: Question, names: tuple[str, ...], where: tuple[Where, ...], within: Span) -> str:
    """How many different things a person did, by the name that each has today."""
    of_days = f"count(DISTINCT CASE WHEN r.n > 0 THEN {q.names.today(q, 'r.name_id')} END)"
    of_events = f"count(DISTINCT {q.names.today(q, 'r.name_id')})"
    return figure(q, names, where, within, of_days=of_days, of_events=of_events, columns=("name_id", "n"))


def days_active(q: Question, names: tuple[str, ...], where: tuple[Where, ...], within: Span) -> str:
    """On how many days, in the project's zone, a person did it."""
    of_events = f"count(DISTINCT (r.occurred_at AT TIME ZONE {q.zone})::date)"
    if zone_name() == "UTC":  # the days of the counts
        of_days = "count(DISTINCT CASE WHEN r.n > 0 THEN r.day END)"
        return figure(q, names, where, within, of_days=of_days, of_events=of_events, columns=("day", "n"))
    return of_those(q, events(q, names, where, within), of_events)


def any_before(q: Question, names: tuple[str, ...], end: datetime) -> str:
    """Whether the person did it before `end`: one look at the person's counts, whose first times are exact."""
    test = f"d.profile_id = p.id AND {named(q, names, 'd.name_id')} AND d.first_at < {q.moment(end)}"
    return f"((SELECT true {COUNTS} WHERE {test} LIMIT 1) IS TRUE)"


# ── When time alone may change it ────────────────────────────────────────────────────────────────────────────────────
def later(q: Question, moment: str, by: timedelta) -> str:
    """`moment + by`, as SQL. In seconds: a day of an interval is as long as the session's zone makes it."""
    return f"({moment} + make_interval(secs => {q.bind(by.total_seconds(), 'float8')}))"


def ahead(q: Question, moment: str) -> str:
    """`moment` if it is yet to come, else NULL, as SQL."""
    return f"CASE WHEN {moment} > {q.moment(q.at)} THEN {moment} END"


def oldest(q: Question, names: tuple[str, ...], where: tuple[Where, ...], within: Span) -> str:
    """When a person did it first within the span, as a column."""
    return figure(
        q, names, where, within, of_days="min(r.first_at)", of_events="min(r.occurred_at)", columns=("first_at",)
    )


def newest(q: Question, names: tuple[str, ...], where: tuple[Where, ...], within: Span, place: int = 1) -> str:
    """When a person did it last within the span, as SQL; or the `place`-th time from the last, or a little before that.

    NULL for who did it less often.
    """
    if not countable(q, where, within):
        latest = "max(r.occurred_at)" if place == 1 else "array_agg(r.occurred_at ORDER BY r.occurred_at DESC)"
        found = of_those(q, events(q, names, where, within), latest)
        return found if place == 1 else f"({found})[{place}]"
    if place == 1:
        return figure(q, names, where, within, of_days="max(r.last_at)", of_events="", columns=("last_at",))
    # So many of the latest days hold at least so many times, none of them before the first of these days.
    n = tally(q, names, where, within)
    days = figure(
        q,
        names,
        where,
        within,
        of_days="array_agg(r.first_at ORDER BY r.first_at DESC NULLS LAST)",
        of_events="",
        columns=("first_at",),
    )
    found = f"coalesce(({days})[{place}], {oldest(q, names, where, within)})"
    return f"CASE WHEN {n} >= {place} THEN {found} END"


def turns(
    q: Question, names: tuple[str, ...], where: tuple[Where, ...], within: Span, leaves: timedelta | None = None
) -> list[str]:
    """When an event of the span may come to fit the comparisons, or no longer, where these look at the time.

    `leaves`: how long after it happened an event leaves the span.
    """
    still = tuple(one for one in where if not one.compare.moves)
    raw = events(q, names, still, within)
    moments = [
        of_those(q, raw, f"min({ahead(q, turn)})")
        for one in where
        if one.compare.moves
        for turn in one.compare.turns(one.operand(q, "r").moment(q), q)
    ]
    if leaves is not None:
        moments.append(later(q, of_those(q, raw, "min(r.occurred_at)"), leaves))
    return moments


def to_come(q: Question, people: str) -> str:
    """When the next of what is dated after the question's moment comes about, of these `people` (an array in SQL)."""
    at, today = q.moment(q.at), q.bind(midnight(q.at).date(), "date")
    cut = (
        "(SELECT min(e.occurred_at) FROM profiles_event e WHERE e.profile_id = d.profile_id AND e.name_id = d.name_id"
        f" AND e.occurred_at > {at} AND e.occurred_at <= d.last_at)"
    )
    table = q.table(
        f"SELECT d.profile_id AS key, min(CASE WHEN d.first_at > {at} THEN d.first_at ELSE {cut} END) AS at {COUNTS}"
        f" WHERE d.profile_id = ANY({people}) AND d.day >= {today} AND d.last_at > {at} GROUP BY 1"
    )
    return f"{table}.at"
