"""A value that is known of a person: a column of the profile, or an attribute that was sent."""

from dataclasses import dataclass

from segments import comparing, fields
from segments.behaviour import ahead
from segments.comparing import Comparison, Json, Moment, Operand, Text
from segments.fields import Look
from segments.kinds import KINDS, Answer, Leaf, Needs
from segments.question import Question
from segments.telling import value_found

# Columns by the name under which they are asked for, so that no name that was sent is ever part of the SQL.
_TEXTS = {
    "external_id": "p.external_id",
    "email": "p.email",
    "phone": "p.phone",
    "first_name": "p.first_name",
    "last_name": "p.last_name",
    "timezone": "p.timezone",
    "locale": "p.locale",
}
_MOMENTS = {"created_at": "p.created_at", "first_seen_at": "p.first_seen_at", "last_seen_at": "p.last_seen_at"}
_SEEN = {"first_seen_at", "last_seen_at"}  # any sign of life may change them


@KINDS.register
@dataclass(frozen=True)
class Attribute(Leaf):
    """Compares what is known of the person today. A column wins over an attribute of the same name."""

    key = "attribute"
    label = "What we know about them"
    group = "Who they are"
    rank = 1
    icon = "label"
    example = {"kind": "attribute", "name": "plan", "op": "is", "value": "trial"}

    name: str = fields.asks(fields.name, look=Look("What is known", of="attribute"))
    compare: Comparison = fields.asks(comparing.comparison, keys=("op", "value"))

    def answer(self, q: Question) -> Answer:
        operand = self._operand(q)
        column = _TEXTS.get(self.name) or _MOMENTS.get(self.name)
        value = operand.value if isinstance(operand, Json) else f"to_jsonb({column})"
        return Answer(self.compare.holds(operand, q), (f"({value})::text",))

    def changes(self, q: Question) -> list[str]:
        return [ahead(q, turn) for turn in self.compare.turns(self._operand(q).moment(q), q)]

    def _operand(self, q: Question) -> Operand:
        if self.name in _TEXTS:
            return Text(_TEXTS[self.name])
        if self.name in _MOMENTS:
            return Moment(_MOMENTS[self.name])
        return Json.at("p.attributes", q.bind(self.name, "text"))

    def clause(self) -> str:
        return f"whose {self.name} {self.compare}"

    def needs(self) -> Needs:
        return Needs(attributes=frozenset({self.name}), time=self.compare.moves, anything=self.name in _SEEN)

    def tell(self, *found: str | None) -> str:
        return value_found(self.name, found[0])

    def as_of_now(self) -> bool:
        return True
