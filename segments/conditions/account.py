"""A value that is known of the company that a person belongs to."""

from dataclasses import dataclass

from segments import comparing, fields
from segments.behaviour import ahead
from segments.comparing import Comparison, Json, Operand, Text
from segments.fields import Look
from segments.kinds import KINDS, Answer, Leaf, Needs
from segments.question import Question
from segments.telling import value_found

_COLUMNS = {"name": "a.name", "external_id": "a.external_id"}


@KINDS.register
@dataclass(frozen=True)
class Account(Leaf):
    """Compares what is known of the company today. Of who belongs to none, nothing is known."""

    key = "account"
    label = "What we know about their company"
    group = "Who they are"
    rank = 2
    icon = "apartment"
    example = {"kind": "account", "name": "seats", "op": "gte", "value": 20}

    name: str = fields.asks(fields.name, look=Look("What is known", of="account"))
    compare: Comparison = fields.asks(comparing.comparison, keys=("op", "value"))

    def answer(self, q: Question) -> Answer:
        operand = self._operand(q)
        value = operand.value if isinstance(operand, Json) else f"to_jsonb({_COLUMNS[self.name]})"
        return Answer(self.compare.holds(operand, q), (f"({value})::text",))

    def changes(self, q: Question) -> list[str]:
        return [ahead(q, turn) for turn in self.compare.turns(self._operand(q).moment(q), q)]

    def _operand(self, q: Question) -> Operand:
        q.account()
        if self.name in _COLUMNS:
            return Text(_COLUMNS[self.name])
        return Json.at("a.attributes", q.bind(self.name, "text"))

    def clause(self) -> str:
        return f"whose company’s {self.name} {self.compare}"

    def needs(self) -> Needs:
        return Needs(account=frozenset({self.name}), time=self.compare.moves)

    def tell(self, *found: str | None) -> str:
        return value_found(f"the company’s {self.name}", found[0])

    def as_of_now(self) -> bool:
        return True
