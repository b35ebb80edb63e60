"""How often somebody did something lately, against the time just before."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from segments import behaviour, fields
from segments.comparing import plain
from segments.counts import Span
from segments.fields import Look
from segments.kinds import KINDS, Answer, Leaf, Needs
from segments.moments import INSTANT, Duration
from segments.places import Place
from segments.question import Question, shifted


@dataclass(frozen=True, slots=True)
class Share:
    """By how much it falls or rises, in percent of the time before."""

    op: str
    percent: Decimal


def share(definition: Mapping[Any, Any], place: Place) -> Share:
    """The keys `op` and `percent`: nothing falls by more than all of it."""
    for key in ("op", "percent"):
        if key not in definition:
            place.at(key).refuse("This is missing.")
    op = fields.choice("falls_by", "rises_by")(definition["op"], place.at("op"))
    percent = fields.number(definition["percent"], place.at("percent"))
    if percent < 0 or (op == "falls_by" and percent > 100):
        place.at("percent").refuse("This must be 0 or more, and for falls_by at most 100.")
    return Share(op, percent)


_PARTS = {
    "op": fields.asks(
        fields.choice("falls_by", "rises_by"),
        look=Look("Which way", words={"falls_by": "fell by at least", "rises_by": "rose by at least"}),
    ),
    "percent": fields.asks(fields.number, look=Look("By how much", after="%")),
}


@KINDS.register
@dataclass(frozen=True)
class Trend(Leaf):
    """Compares (at − window, at] with the window before it. Who did nothing in that one never matches."""

    key = "trend"
    label = "Whether they do more or less of something"
    group = "What they do"
    icon = "trending_down"
    example = {"kind": "trend", "name": "*", "window": {"days": 7}, "op": "falls_by", "percent": 50}

    name: tuple[str, ...] = fields.asks(fields.names, look=Look("What they did", of="event"))
    window: Duration = fields.asks(
        fields.duration, look=Look("Over how long", before="over", after="against the time before", place=1)
    )
    share: Share = fields.asks(share, keys=("op", "percent"), look=Look(parts=_PARTS))

    def answer(self, q: Question) -> Answer:
        lately, earlier = self._spans(q)
        before, now = behaviour.tally_twice(q, self.name, earlier, lately)
        sign = "-" if self.share.op == "falls_by" else "+"
        bound = f"{before} * (100 {sign} {q.bind(self.share.percent, 'numeric')})"
        holds = f"coalesce({now}, 0) * 100 {'<=' if sign == '-' else '>='} {bound}"
        return Answer(f"({before} > 0 AND {holds}) IS TRUE", (f"coalesce({now}, 0)", f"coalesce({before}, 0)"))

    def changes(self, q: Question) -> list[str]:
        length = self.window.length
        return [
            behaviour.later(q, behaviour.oldest(q, self.name, (), span), by)
            for span, by in zip(self._spans(q), (length, 2 * length), strict=True)
        ]

    def _spans(self, q: Question) -> tuple[Span, Span]:
        end = shifted(q.at, INSTANT)
        middle = shifted(end, -self.window.length)
        return Span(middle, end), Span(shifted(middle, -self.window.length), middle)

    def clause(self) -> str:
        how = "less" if self.share.op == "falls_by" else "more"
        lately = f"in the last {self.window.bare} at least {plain(self.share.percent)}% {how} often"
        return f"who did {behaviour.done(self.name)} {lately} than in the {self.window.bare} before"

    def needs(self) -> Needs:
        return Needs.done(self.name, time=True)

    def tell(self, *found: int) -> str:
        return f"{int(found[0]):,} lately, {int(found[1]):,} before"
