"""Kinds that are another way to write an event: what became of messages and journeys comes back as events of ours."""

from abc import abstractmethod
from typing import Any

from segments.behaviour import Where
from segments.comparing import Comparison
from segments.conditions.event import Event
from segments.kinds import Answer, Leaf, Needs
from segments.question import Question


class Sugar(Leaf):
    """A leaf that is rewritten to a primitive, which does all but the saying."""

    @abstractmethod
    def rewritten(self) -> Event: ...

    def answer(self, q: Question) -> Answer:
        return self.rewritten().answer(q)

    def changes(self, q: Question) -> list[str]:
        return self.rewritten().changes(q)

    def needs(self) -> Needs:
        return self.rewritten().needs()

    def tell(self, *found: Any) -> str:
        return self.rewritten().tell(*found)


def wherever(**properties: str | None) -> tuple[Where, ...]:
    """Comparisons for those properties that are given."""
    return tuple(Where(name, Comparison("is", value)) for name, value in properties.items() if value is not None)
