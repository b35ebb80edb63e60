"""A figure worked out of what somebody did: a sum, an average, how many different ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from segments import behaviour, comparing, fields
from segments.behaviour import Where
from segments.comparing import Comparison, Json
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


@KINDS.register
@dataclass(frozen=True)
class Measure(Leaf):
    """Compares an aggregate. Of nothing usable a sum or a number is 0; an average, a least and a most are missing."""

    key = "measure"
    label = "A figure of what they did"
    group = "What they do"
    icon = "functions"
    example = {"kind": "measure", "name": "order_paid", "property": "total", "of": "sum", "op": "gte", "value": 500}

    name: tuple[str, ...] = fields.asks(fields.names)
    of: Of = fields.asks(of, keys=("of", "property"))
    compare: Comparison = fields.asks(comparing.numeric_or_set, keys=("op", "value"))
    where: tuple[Where, ...] = fields.asks(behaviour.wheres, default=())
    window: Window | None = fields.asks(fields.window, default=None)

    def answer(self, q: Question) -> Answer:
        table = self._table(q)
        if self.of.what == "avg":
            holds = self.compare.number_holds(f"{table}.total", q, per=f"{table}.n")
            return Answer(holds, (f"{table}.total / nullif({table}.n, 0)",))
        if self.of.what in ("min", "max"):
            return Answer(self.compare.number_holds(f"{table}.n", q), (f"{table}.n",))
        # Of what is never missing, "is known" holds for everybody: the 0 counts.
        n = f"coalesce({table}.n, 0)" if self.compare.op in ("is_set", "is_not_set") else f"{table}.n"
        return Answer(self.compare.number_holds(n, q, absent=_NOTHING), (f"coalesce({table}.n, 0)",))

    def _table(self, q: Question) -> str:
        within = behaviour.span(self.window, q.at)
        if self.of.what == "distinct" and self.of.property == OWN_NAME:
            return behaviour.kinds_done(q, self.name, self.where, within)
        if self.of.what == "days":
            return behaviour.days_active(q, self.name, self.where, within)
        raw = behaviour.events(q, self.name, self.where, within)
        body = f"SELECT {raw.key} AS key, {self._figures(q)} {raw.source} GROUP BY 1"
        return q.table(body, by_person=raw.by_person)

    def _figures(self, q: Question) -> str:
        value = f"(e.properties -> {q.bind(self.of.property, 'text')})"
        number = "NULL::numeric" if self.of.property == OWN_NAME else Json(value).number
        match self.of.what:
            case "distinct":
                return f"count(DISTINCT {value}) FILTER (WHERE {Json(value).present}) AS n"
            case "avg":
                return f"sum({number}) AS total, count({number}) AS n"
        return f"{self.of.what}({number}) AS n"

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
