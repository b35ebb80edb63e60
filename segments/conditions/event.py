"""How often somebody did something."""

from dataclasses import dataclass
from decimal import Decimal

from foundation import wording
from segments import behaviour, comparing, counts, fields
from segments.behaviour import Where
from segments.comparing import Comparison
from segments.fields import Look
from segments.kinds import KINDS, Answer, Leaf, Needs
from segments.moments import Last, Window
from segments.question import Question
from segments.telling import frequency, never

ONCE = Comparison("gte", Decimal(1))
NONE = Decimal(0)


@KINDS.register
@dataclass(frozen=True)
class Event(Leaf):
    """Counts events of the name in the window; without a `count`, once is enough."""

    key = "event"
    label = "What they did"
    group = "What they do"
    rank = 1
    icon = "bolt"
    example = {
        "kind": "event",
        "name": "report_exported",
        "count": {"op": "gte", "value": 3},
        "window": {"last": {"days": 30}},
    }

    name: tuple[str, ...] = fields.asks(fields.names, look=Look("What they did", of="event"))
    where: tuple[Where, ...] = fields.asks(behaviour.wheres, default=(), look=behaviour.FILTERS)
    count: Comparison = fields.asks(comparing.counted, default=ONCE, look=Look("How often"))
    window: Window | None = fields.asks(fields.window, default=None, look=Look("When"))

    def answer(self, q: Question) -> Answer:
        n = behaviour.tally(q, self.name, self.where, counts.span(self.window, q.at))
        return Answer(self.count.number_holds(n, q, absent=NONE, whole=True), (f"coalesce({n}, 0)",))

    def changes(self, q: Question) -> list[str]:
        span = counts.span(self.window, q.at)
        leaves = self.window.duration.length if isinstance(self.window, Last) else None
        if any(where.compare.moves for where in self.where):
            return behaviour.turns(q, self.name, self.where, span, leaves)
        if leaves is None:
            return []
        # As time passes the count only falls: the answer changes when so many are left.
        return [
            behaviour.later(q, behaviour.newest(q, self.name, self.where, span, place), leaves)
            for place in self.count.places
        ]

    def clause(self) -> str:
        if never(self.count):
            return f"who did not do {self._what()}{self.window or ''}"
        return f"who did {self._what()}{frequency(self.count)}{self.window or ''}"

    def negation(self) -> str:
        return f"who did not do {self._what()}{self.window or ''}" if self.count == ONCE else super().negation()

    def _what(self) -> str:
        return behaviour.done(self.name, self.where)

    def needs(self) -> Needs:
        relative = any(where.compare.moves for where in self.where)
        return Needs.done(self.name, time=relative or isinstance(self.window, Last))

    def tell(self, *found: int) -> str:
        return f"did it {wording.plural(int(found[0]), 'time')}" if found[0] else "never did it"
