"""A value that is known of a person: a column of the profile, or an attribute that was sent."""

from dataclasses import dataclass

from segments import comparing, fields
from segments.comparing import Comparison, Json, Moment, Operand, Text
from segments.kinds import KINDS, Answer, Leaf, Needs
from segments.question import Question
from segments.telling import value_found

_TEXTS = ("external_id", "email", "phone", "first_name", "last_name", "timezone", "locale")
_MOMENTS = ("created_at", "first_seen_at", "last_seen_at")


@KINDS.register
@dataclass(frozen=True)
class Attribute(Leaf):
    """Compares what is known of the person today. A column wins over an attribute of the same name."""

    key = "attribute"
    label = "What we know about them"
    group = "Who they are"
    icon = "label"
    example = {"kind": "attribute", "name": "plan", "op": "is", "value": "trial"}

    name: str = fields.asks(fields.name)
    compare: Comparison = fields.asks(comparing.comparison, keys=("op", "value"))

    def answer(self, q: Question) -> Answer:
        operand: Operand
        if self.name in _TEXTS:
            column = f"p.{_TEXTS[_TEXTS.index(self.name)]}"
            operand, value = Text(column), f"to_jsonb({column})"
        elif self.name in _MOMENTS:
            column = f"p.{_MOMENTS[_MOMENTS.index(self.name)]}"
            operand, value = Moment(column), f"to_jsonb({column})"
        else:
            value = f"(p.attributes -> {q.bind(self.name, 'text')})"
            operand = Json(value)
        return Answer(self.compare.holds(operand, q), (f"({value})::text",))

    def clause(self) -> str:
        return f"whose {self.name} {self.compare}"

    def needs(self) -> Needs:
        return Needs(attributes=frozenset({self.name}), time=self.compare.moves)

    def tell(self, *found: str | None) -> str:
        return value_found(self.name, found[0])

    def as_of_now(self) -> bool:
        return True
