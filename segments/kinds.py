"""The family of conditions: what every kind can do, whatever it asks about.

A kind is one file in `segments/conditions/`, a frozen dataclass that declares its fields with `fields.asks`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from foundation.registry import Family
from segments import fields
from segments.places import Place
from segments.question import Question


@dataclass(frozen=True, slots=True)
class Needs:
    """What an answer depends on: when none of it changes, neither does the answer.

    `time`: it may change by time alone. `anything`: any event from outside may change it. `whole`: it depends on what
    other people do, so that it can only be asked about everybody.
    """

    events: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    account: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    time: bool = False
    anything: bool = False
    whole: bool = False
    consent: bool = False

    def __or__(self, other: "Needs") -> "Needs":
        return Needs(
            self.events | other.events,
            self.attributes | other.attributes,
            self.account | other.account,
            self.segments | other.segments,
            self.time or other.time,
            self.anything or other.anything,
            self.whole or other.whole,
            self.consent or other.consent,
        )

    @classmethod
    def done(cls, names: tuple[str, ...], *, time: bool, whole: bool = False) -> "Needs":
        """The needs of a question about events of these names."""
        return cls(events=frozenset(names) - {"*"}, anything="*" in names, time=time, whole=whole)


@dataclass(frozen=True, slots=True)
class Answer:
    """A leaf within a question: an expression that is true or false, and others that say by what it was found."""

    holds: str
    found: tuple[str, ...] = ()


class Leaf(ABC):
    """One thing asked about people. Only filters: it never adds anybody who is not among those asked about."""

    key: ClassVar[str]
    label: ClassVar[str]
    group: ClassVar[str]
    icon: ClassVar[str]
    example: ClassVar[Mapping[str, Any]]
    rank: ClassVar[int] = 9  # where it stands among those of its group; the usual ones come first

    @abstractmethod
    def answer(self, q: Question) -> Answer:
        """Adds what it needs to the question."""

    @abstractmethod
    def clause(self) -> str:
        """It as part of a sentence that begins with "People": `whose plan is “pro”`, `who did …`."""

    def negation(self) -> str:
        """The opposite, as such a part."""
        return f"who are not among those {self.clause()}"

    @abstractmethod
    def needs(self) -> Needs: ...

    def changes(self, q: Question) -> list[str]:
        """When time alone may change the answer, as SQL: moments after `q.at`, or NULL for never.

        One that comes too early costs a question more; one that comes too late is an error. What is dated ahead of
        `q.at` is no concern of a leaf's. Only asked about some people.
        """
        return []

    def tell(self, *found: Any) -> str:
        """What was found of a person, in words; "" where it says no more than the answer. Takes `Answer.found`."""
        return ""

    def refers(self) -> list[tuple[str, str, str]]:
        """What it speaks of that must be there, or it was a slip of the pen: (its kind, its slug, the field)."""
        return []

    def as_of_now(self) -> bool:
        """Whether it reads today's values, whatever `at` is."""
        return False


KINDS: Family[type[Leaf]] = Family("conditions", "segments.conditions")


def read(definition: Mapping[Any, Any], place: Place) -> Leaf:
    """The leaf that a definition with a `kind` describes."""
    key = definition["kind"]
    kind = KINDS.get(key) if isinstance(key, str) else None
    if kind is None:
        place.at("kind").refuse(f"This must be one of {fields.listed(KINDS.keys())}.")
    return fields.fill(kind, definition, place, also=("kind",))
