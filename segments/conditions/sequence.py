"""Whether somebody did one thing and then another, in order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segments import behaviour, counts, fields
from segments.behaviour import Where
from segments.fields import Look
from segments.kinds import KINDS, Answer, Leaf, Needs
from segments.moments import Duration, Last, Window
from segments.places import Place
from segments.question import Question

MOST = 10


@dataclass(frozen=True)
class Step:
    """One thing done on the way."""

    name: tuple[str, ...] = fields.asks(fields.names, look=Look("What they did", of="event"))
    where: tuple[Where, ...] = fields.asks(behaviour.wheres, default=(), look=behaviour.FILTERS)


def steps(value: Any, place: Place) -> tuple[Step, ...]:
    if not isinstance(value, list) or not 2 <= len(value) <= MOST:
        place.refuse(f"This must be a list of 2 to {MOST} steps.")
    read = []
    for number, one in enumerate(value):
        if not isinstance(one, Mapping):
            place.item(number).refuse('This must be an object, such as {"name": "signed_up"}.')
        read.append(fields.fill(Step, one, place.item(number)))
    return tuple(read)


@KINDS.register
@dataclass(frozen=True)
class Sequence(Leaf):
    """Follows the steps from each first one in the window: each strictly after the one before, all within a time of it.

    `absent`: some first step has its middle steps, the time has run out, and the last step did not follow.
    """

    key = "sequence"
    label = "Things done one after the other"
    group = "What they do"
    icon = "linear_scale"
    example = {
        "kind": "sequence",
        "steps": [{"name": "signed_up"}, {"name": "report_exported"}],
        "within": {"days": 7},
        "last_step": "absent",
    }

    steps: tuple[Step, ...] = fields.asks(steps, look=Look("Steps", many=Step, one="step", least=2))
    within: Duration = fields.asks(fields.duration, look=Look("All within", before="all within"))
    window: Window | None = fields.asks(
        fields.window, default=None, look=Look("The first step", before="the first step")
    )
    last_step: str = fields.asks(
        fields.choice("happens", "absent"),
        default="happens",
        look=Look(
            "The last step", before="the last step", words={"happens": "came about", "absent": "did not come about"}
        ),
    )

    def answer(self, q: Question) -> Answer:
        table = self._table(q)
        return Answer(f"({table}.n > 0) IS TRUE", (f"coalesce({table}.n, 0)",))

    def changes(self, q: Question) -> list[str]:
        span = counts.span(self.window, q.at)
        leaves = self.window.duration.length if isinstance(self.window, Last) else None
        if any(where.compare.moves for step in self.steps for where in step.where):
            first = self.steps[0]
            found = behaviour.turns(q, first.name, first.where, span, leaves)
            for step in self.steps[1:]:
                found += behaviour.turns(q, step.name, step.where, counts.Span(span.start, q.after))
            if self.last_step == "absent":
                still = tuple(where for where in first.where if not where.compare.moves)
                over = behaviour.later(q, "r.occurred_at", self.within.length)
                raw = behaviour.events(q, first.name, still, span)
                found.append(behaviour.of_those(q, raw, f"min({behaviour.ahead(q, over)})"))
            return found
        table = self._table(q)
        if self.last_step == "absent":
            found = [f"{table}.over"]
            return [*found, behaviour.later(q, f"{table}.first", leaves)] if leaves else found
        # It holds for as long as the last of those that came about began within the window.
        return [behaviour.later(q, f"{table}.last", leaves)] if leaves else []

    def _table(self, q: Question) -> str:
        """The first steps that count, with how many there are: `n`; of those whose time has run out, where it must."""
        if q.among is None and len(self.steps) == 2 and self.last_step == "happens":
            return q.table(self._pairs(q))
        first = behaviour.events(q, self.steps[0].name, self.steps[0].where, counts.span(self.window, q.at))
        # The earliest middle step leaves the most room for those that follow, so only that one need be looked at.
        joins, before = "", "f.at"
        for number, step in enumerate(self.steps[1:-1]):
            middle = f"SELECT min(e.occurred_at) AS at {self._following(q, step, before)}"
            joins += f" CROSS JOIN LATERAL ({middle}) s{number}"
            before = f"s{number}.at"
        followed = f"EXISTS (SELECT {self._following(q, self.steps[-1], before)})"
        columns, tests = "count(*) AS n, max(f.at) AS last", f"{before} IS NOT NULL AND {followed}"
        if self.last_step == "absent":
            over = f"f.at + {self._within(q)}"
            columns = (
                f"count(*) FILTER (WHERE {over} <= {q.moment(q.at)}) AS n, min(f.at) AS first,"
                f" min({behaviour.ahead(q, over)}) AS over"
            )
            tests = f"{before} IS NOT NULL AND NOT {followed}"
        body = (
            f"SELECT f.key, {columns} FROM (SELECT {first.key} AS key, e.profile_id AS person, e.occurred_at AS at"
            f" {first.source}) f{joins} WHERE {tests} GROUP BY f.key"
        )
        return q.table(body, by_person=first.by_person)

    def _pairs(self, q: Question) -> str:
        """Those of everybody whom a first step led to the second: of both steps each event is read once.

        Time is cut into stretches as long as the steps may lie apart, so that what follows a first step lies in its
        own stretch or the next. Each is met with these alone, and not with all that the person ever did.
        """
        first, second = self.steps
        whole = self._within(q)
        events = behaviour.events(q, first.name, first.where, counts.span(self.window, q.at))
        begun = (
            f"SELECT e.profile_id AS key, e.occurred_at AS at, {_stretch(whole)} + v.k * {whole} AS stretch"
            f" {events.source.replace('FROM profiles_event e', 'FROM (VALUES (0), (1)) v(k), profiles_event e', 1)}"
        )
        followed = (
            f"SELECT FROM profiles_event e WHERE {' AND '.join(self._tests(q, second, 'f.key', 'f.at'))}"
            f" AND {_stretch(whole)} = f.stretch"
        )
        return f"SELECT f.key, 1 AS n FROM ({begun}) f WHERE EXISTS ({followed}) GROUP BY 1"

    def _following(self, q: Question, step: Step, before: str) -> str:
        return f"FROM profiles_event e WHERE {' AND '.join(self._tests(q, step, 'f.person', before))}"

    def _tests(self, q: Question, step: Step, person: str, before: str) -> list[str]:
        # Nothing lies before the first step: it says which months to skip.
        start = counts.span(self.window, q.at).start
        for one in (self.steps[0], step):
            start = behaviour.begun(q, one.name, start)
        return [
            f"e.profile_id = {person}",
            counts.named(q, step.name, "e.name_id"),
            f"e.occurred_at > {before} AND e.occurred_at <= f.at + {self._within(q)}",
            *counts.bounds(q, counts.Span(start, q.after), "e.occurred_at"),
            *(where.holds(q, "e") for where in step.where),
        ]

    def _within(self, q: Question) -> str:
        # In seconds: a day of an interval is as long as the session's zone makes it.
        return f"make_interval(secs => {q.bind(self.within.length.total_seconds(), 'float8')})"

    def clause(self) -> str:
        said = [behaviour.done(step.name, step.where) for step in self.steps]
        if self.last_step == "absent":
            begun = ", then ".join(said[:-1])
            return f"who did {begun}{self.window or ''}, but not {said[-1]} within {self.within} of it"
        return f"who did {', then '.join(said)} within {self.within}{self._beginning()}"

    def _beginning(self) -> str:
        return f", beginning{self.window}" if self.window else ""

    def needs(self) -> Needs:
        names = tuple(name for step in self.steps for name in step.name)
        relative = any(where.compare.moves for step in self.steps for where in step.where)
        return Needs.done(names, time=relative or self.last_step == "absent" or isinstance(self.window, Last))

    def tell(self, *found: int) -> str:
        if not found[0]:
            return "it never came about"
        return "it came about once" if found[0] == 1 else f"it came about {found[0]:,} times"


def _stretch(length: str) -> str:
    """Where the stretch of time of this length begins that an event `e` falls in."""
    return f"date_bin({length}, e.occurred_at, timestamptz 'epoch')"
