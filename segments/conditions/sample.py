"""A share of all people, picked by chance and for good."""

from dataclasses import dataclass
from decimal import Decimal

from segments import fields
from segments.comparing import plain
from segments.fields import Look
from segments.kinds import KINDS, Answer, Leaf, Needs
from segments.question import Question


@KINDS.register
@dataclass(frozen=True)
class Sample(Leaf):
    """The same people for the same salt, always; another salt picks independently of it.

    A person's bucket of 10,000 is the first 8 bytes of SHA-256 of `salt:id`, as a number, modulo 10,000.
    """

    key = "sample"
    label = "A random share"
    group = "Who they are"
    icon = "casino"
    example = {"kind": "sample", "percent": 10, "salt": "spring-test"}

    percent: Decimal = fields.asks(fields.percent, look=Look("Share", after="% of all people,"))
    salt: str = fields.asks(fields.name, look=Look("Name of the draw", before="in the draw called"))

    def answer(self, q: Question) -> Answer:
        digest = f"sha256(convert_to({q.bind(f'{self.salt}:', 'text')} || p.id::text, 'UTF8'))"
        high, low = (f"('x' || encode(substr({digest}, {at}, 4), 'hex'))::bit(32)::bigint" for at in (1, 5))
        # 2^32 is 7,296 modulo 10,000: the 8 bytes are more than a bigint holds.
        bucket = f"mod(mod({high}, 10000) * 7296 + {low}, 10000)"
        return Answer(f"({bucket} < {q.bind(self.percent, 'numeric')} * 100)")

    def clause(self) -> str:
        return f"who are in a random {plain(self.percent)}% (“{self.salt}”)"

    def needs(self) -> Needs:
        return Needs()
