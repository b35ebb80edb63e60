"""A figure worked out of what somebody did: a sum, an average, how many different ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from segments import behaviour, comparing, counts, fields
from segments.behaviour import Where
from segments.comparing import Comparison, Json
from segments.fields import Look
from segments.kinds import KINDS, Answer, Leaf, Needs
from segments.moments import Last, Window
from segments.places import Place
from segments.question import Question
from segments.telling import figure

OF = ("sum", "avg", "min", "max", "distinct", "days")
OWN_NAME = "$name"
_NOTHING = Decimal(0)
_SAID = {
    "sum": "total {} of",
    "avg": "average {} of",
    "min": "smallest {} of",
    "max": "largest {} of",
    "distinct": "number of different values of {} of",
    "days": "number of days with",
}


@dataclass(frozen=True, slots=True)
class Of:
    """What is worked out, and of which property; of days, none."""

    what: str
    property: str | None


def of(definition: Mapping[Any, Any], place: Place) -> Of:
    """The keys `of` and `property`, which depend on each other."""
    if "of" not in definition:
        place.at("of").refuse("This is missing.")
    what = fields.choice(*OF)(definition["of"], place.at("of"))
    given = definition.get("property")
    if what == "days":
        if given is not None:
            place.at("property").refuse("Days are counted as such: leave the property out.")
        return Of(what, None)
    if given is None:
        place.at("property").refuse("This is missing.")
    return Of(what, fields.name(given, place.at("property")))


_PARTS = {
    "of": fields.asks(
        fields.choice(*OF),
        look=Look(
            "Figure",
            words={
                "sum": "the total of",
                "avg": "the average of",
                "min": "the smallest",
                "max": "the largest",
                "distinct": "how many different values of",
                "days": "on how many days",
            },
        ),
    ),
    "property": fields.asks(fields.name, default=None, look=Look("Property", of="measured")),
}


@KINDS.register
@dataclass(frozen=True)
class Measure(Leaf):
    """Compares an aggregate. Of nothing usable a sum or a number is 0; an average, a least and a most are missing."""

    key = "measure"
    label = "A figure of what they did"
    group = "What they do"
    rank = 3
    icon = "functions"
    example = {"kind": "measure", "name": "order_paid", "property": "total", "of": "sum", "op": "gte", "value": 500}

    name: tuple[str, ...] = fields.asks(fields.names, look=Look("Of what they did", of="event", before="of"))
    of: Of = fields.asks(
        of, keys=("of", "property"), look=Look(parts=_PARTS, place=-1, without=("property", "of", "days"))
    )
    compare: Comparison = fields.asks(comparing.numeric_or_set, keys=("op", "value"))
    where: tuple[Where, ...] = fields.asks(behaviour.wheres, default=(), look=behaviour.FILTERS)
    window: Window | None = fields.asks(fields.window, default=None, look=Look("When"))

    def answer(self, q: Question) -> Answer:
        if self.of.what == "avg":
            total, n = (self._of(q, f"{what}({self._number(q)})") for what in ("sum", "count"))
            return Answer(self.compare.number_holds(total, q, per=n), (f"{total} / nullif({n}, 0)",))
        number = self._figure(q)
        if self.of.what in ("min", "max"):
            return Answer(self.compare.number_holds(number, q), (number,))
        # Of what is never missing, "is known" holds for everybody: the 0 counts.
        asked = f"coalesce({number}, 0)" if self.compare.op in ("is_set", "is_not_set") else number
        return Answer(self.compare.number_holds(asked, q, absent=_NOTHING), (f"coalesce({number}, 0)",))

    def changes(self, q: Question) -> list[str]:
        span = counts.span(self.window, q.at)
        leaves = self.window.duration.length if isinstance(self.window, Last) else None
        if any(where.compare.moves for where in self.where):
            return behaviour.turns(q, self.name, self.where, span, leaves)
        if leaves is None:
            return []
        oldest = behaviour.later(q, behaviour.oldest(q, self.name, self.where, span), leaves)
        if self.of.what not in ("distinct", "days"):
            return [oldest]
        # These only fall as time passes: below the least number that matters nothing changes any more.
        places = self.compare.places
        return [f"CASE WHEN {self._figure(q)} >= {places[0]} THEN {oldest} END"] if places else []

    def _figure(self, q: Question) -> str:
        within = counts.span(self.window, q.at)
        if self.of.what == "days":
            return behaviour.days_active(q, self.name, self.where, within)
        if self.of.what == "distinct":
            if self.of.property == OWN_NAME:
                return behaviour.kinds_done(q, self.name, self.where, within)
            raw = behaviour.events(q, self.name, self.where, counts.span(self.window, q.at))
            return behaviour.different(q, raw, f"e.properties -> {q.bind(self.of.property, 'text')}")
        return self._of(q, f"{self.of.what}({self._number(q)})")

    def _of(self, q: Question, column: str) -> str:
        raw = behaviour.events(q, self.name, self.where, counts.span(self.window, q.at))
        return behaviour.of_those(q, raw, column)

    def _value(self, q: Question) -> str:
        return f"(r.properties -> {q.bind(self.of.property, 'text')})"

    def _number(self, q: Question) -> str:
        return "NULL::numeric" if self.of.property == OWN_NAME else Json(self._value(q)).number

    def clause(self) -> str:
        if self.of == Of("distinct", OWN_NAME):
            what = "number of different things done of"
        else:
            what = _SAID[self.of.what].format(f"“{self.of.property}”")
        return f"whose {what} {behaviour.done(self.name, self.where)}{self.window or ''} {self.compare}"

    def needs(self) -> Needs:
        relative = any(where.compare.moves for where in self.where)
        return Needs.done(self.name, time=relative or isinstance(self.window, Last))

    def tell(self, *found: Decimal | None) -> str:
        return "nothing to go by" if found[0] is None else f"it is {figure(found[0])}"
