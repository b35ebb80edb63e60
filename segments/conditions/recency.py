"""When somebody last, or first, did something."""

from dataclasses import dataclass
from datetime import datetime

from segments import behaviour, counts, fields
from segments.counts import Span
from segments.fields import Look
from segments.kinds import KINDS, Answer, Leaf, Needs
from segments.moments import INSTANT, Duration
from segments.question import Question, shifted
from segments.telling import when

_WHEN = {"within_last": "was within the last", "more_than_ago": "was longer ago than"}


@KINDS.register
@dataclass(frozen=True)
class Recency(Leaf):
    """Compares the last (or first) time with now. Who never did it matches neither way."""

    key = "recency"
    label = "When they last did something"
    group = "What they do"
    rank = 2
    icon = "history"
    example = {"kind": "recency", "name": "*", "op": "more_than_ago", "value": {"days": 14}}

    name: tuple[str, ...] = fields.asks(fields.names, look=Look("What they did", of="event"))
    op: str = fields.asks(fields.choice("within_last", "more_than_ago"), look=Look("When", words=_WHEN))
    value: Duration = fields.asks(fields.duration, look=Look("Time"))
    which: str = fields.asks(
        fields.choice("last", "first"),
        default="last",
        look=Look("Which time", place=-1, words={"last": "the last time", "first": "the first time"}),
    )

    def answer(self, q: Question) -> Answer:
        edge = shifted(q.at, -self.value.length)
        ever = counts.span(None, q.at)
        if not behaviour.countable(q, (), ever):
            at = behaviour.extreme(q, self.name, self.which, ever)
            holds = f"{at} > {q.moment(edge)}" if self.op == "within_last" else f"{at} <= {q.moment(edge)}"
            return Answer(f"({holds}) IS TRUE", (at,))
        found = (behaviour.extreme(q, self.name, self.which, ever),) if q.explaining else ()
        # Nothing needs the whole history: whether there is something before the edge, and whether there is after it.
        before = behaviour.any_before(q, self.name, shifted(edge, INSTANT))
        if self.op == "more_than_ago" and self.which == "first":
            return Answer(before, found)
        since = f"(({behaviour.lately(q, self.name, self.value.length)} > {q.moment(edge)}) IS TRUE)"
        # CASE: who was there before is looked up of nobody whom the other half decides about.
        if self.op == "within_last":
            first = f"(CASE WHEN {since} THEN NOT {before} ELSE false END)"
            return Answer(since if self.which == "last" else first, found)
        return Answer(f"(CASE WHEN {since} THEN false ELSE {before} END)", found)

    def changes(self, q: Question) -> list[str]:
        length = self.value.length
        edge = shifted(q.at, -length)
        if self.which == "last":
            last = behaviour.lately(q, self.name, length)
            return [f"CASE WHEN {last} > {q.moment(edge)} THEN {behaviour.later(q, last, length)} END"]
        since = shifted(edge, INSTANT)
        first = behaviour.later(q, behaviour.oldest(q, self.name, (), Span(since, q.after)), length)
        return [f"CASE WHEN NOT {behaviour.any_before(q, self.name, since)} THEN {first} END"]

    def clause(self) -> str:
        how = f"within the last {self.value.bare}" if self.op == "within_last" else f"more than {self.value} ago"
        return f"who {self.which} did {behaviour.done(self.name)} {how}"

    def needs(self) -> Needs:
        return Needs.done(self.name, time=True)

    def tell(self, *found: datetime | None) -> str:
        return f"did it {self.which} on {when(found[0])}" if found[0] else "never did it"
