"""What may be done to a journey's draft. Each edit is a value: a document goes in, and another comes out.

Steps and arms are named by their keys, so that an edit means the same in a document that somebody else changed since.
What it is about may be gone by then: `Gone` says so.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from journeys import kinds
from journeys.editor import shape
from journeys.editor.shape import Document, Gap, Gone

IN_ENTRY = ("trigger", "filter", "reentry")


class Edit(Protocol):
    """One change of a document."""

    def apply(self, document: Document) -> Document:
        """The document as it is after it; what was given stays as it is."""

    @property
    def about(self) -> str:
        """The key of the step to look at afterwards; "" for what is said of the whole."""


@dataclass(frozen=True, slots=True)
class Insert:
    """Puts steps into a gap, one behind the other."""

    at: Gap
    steps: Sequence[Mapping[str, Any]]

    def apply(self, document: Document) -> Document:
        made = copy.deepcopy(document)
        home, number = shape.gap(made, self.at)
        home[number:number] = copy.deepcopy([dict(step) for step in self.steps])
        return made

    @property
    def about(self) -> str:
        return str(self.steps[0]["key"]) if self.steps else ""


@dataclass(frozen=True, slots=True)
class Change:
    """Says something else of a step, and of its arms by their keys. None takes a field out."""

    key: str
    given: Mapping[str, Any]
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def apply(self, document: Document) -> Document:
        made = copy.deepcopy(document)
        step = shape.find(made, self.key).step
        _put(step, self.given)
        for key, given in self.arms.items():
            _put(shape.arm(step, key), given)
        return made

    @property
    def about(self) -> str:
        return self.key


def _put(into: dict[str, Any], given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if value is None:
            into.pop(name, None)
        else:
            into[name] = copy.deepcopy(value)


@dataclass(frozen=True, slots=True)
class Move:
    """Takes a step, with all that stands in its arms, to a gap that is not within it."""

    key: str
    to: Gap

    def apply(self, document: Document) -> Document:
        made = copy.deepcopy(document)
        spot = shape.find(made, self.key)
        within = shape.inside(spot.step)
        if self.to.after == self.key:
            return made
        if self.to.after in within or self.to.list.partition("/")[0] in within:
            raise Gone("A step cannot be put into one of its own ways.")
        shape.gap(made, self.to)
        step = spot.steps.pop(spot.number)
        home, number = shape.gap(made, self.to)
        home.insert(number, step)
        return made

    @property
    def about(self) -> str:
        return self.key


@dataclass(frozen=True, slots=True)
class Delete:
    """Takes a step out, with all that stands in its arms."""

    key: str

    def apply(self, document: Document) -> Document:
        made = copy.deepcopy(document)
        spot = shape.find(made, self.key)
        del spot.steps[spot.number]
        return made

    @property
    def about(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class AddArm:
    """One more way behind a step, before the arm that is named; last where none is."""

    key: str
    arm: Mapping[str, Any]
    before: str = ""

    def apply(self, document: Document) -> Document:
        made = copy.deepcopy(document)
        rows = _rows(shape.find(made, self.key).step)
        number = next((n for n, row in enumerate(rows) if row["key"] == self.before), len(rows))
        rows.insert(number, {"steps": [], **copy.deepcopy(dict(self.arm))})
        return made

    @property
    def about(self) -> str:
        return self.key


@dataclass(frozen=True, slots=True)
class RemoveArm:
    """Takes a way out, with the steps on it."""

    key: str
    arm: str

    def apply(self, document: Document) -> Document:
        made = copy.deepcopy(document)
        step = shape.find(made, self.key).step
        rows = _rows(step)
        rows[:] = [row for row in rows if row["key"] != self.arm]
        if not rows and (name := list_field(step)) in kinds.steps[step["kind"]].without_arms:
            del step[name]
        return made

    @property
    def about(self) -> str:
        return self.key


@dataclass(frozen=True, slots=True)
class MoveArm:
    """Takes a way so many places on; past the first or the last it stays."""

    key: str
    arm: str
    by: int

    def apply(self, document: Document) -> Document:
        made = copy.deepcopy(document)
        rows = _rows(shape.find(made, self.key).step)
        number = next((n for n, row in enumerate(rows) if row["key"] == self.arm), None)
        if number is None:
            raise Gone("This way is no longer there: somebody took it out.")
        rows.insert(max(0, min(len(rows) - 1, number + self.by)), rows.pop(number))
        return made

    @property
    def about(self) -> str:
        return self.key


def list_field(step: Mapping[str, Any]) -> str:
    """The field of a step that holds its arms as a list; "" where arms cannot be added."""
    variant = kinds.steps.get(str(step.get("kind")))
    return variant.arms_in[0] if variant and variant.arms_in else ""


def _rows(step: dict[str, Any]) -> list[dict[str, Any]]:
    name = list_field(step)
    if not name:
        raise Gone("A step of this kind has no ways.")
    if not isinstance(step.get(name), list):
        step[name] = []
    rows: list[dict[str, Any]] = step[name]
    return rows


@dataclass(frozen=True, slots=True)
class Set:
    """Says what starts the journey (`trigger`, `filter`, `reentry`) or ends it (`goal`, `exit`). None takes it out."""

    part: str
    value: Any

    def apply(self, document: Document) -> Document:
        made = copy.deepcopy(document)
        home = made["entry"] if self.part in IN_ENTRY else made
        if self.value is None and self.part != "trigger":
            home.pop(self.part, None)
        else:
            home[self.part] = copy.deepcopy(self.value)
        return made

    @property
    def about(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class SetAll:
    """Says several things of the whole at once, by the names of their parts."""

    values: Mapping[str, Any]

    def apply(self, document: Document) -> Document:
        for part, value in self.values.items():
            document = Set(part, value).apply(document)
        return document

    @property
    def about(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Replace:
    """The whole as another document has it: an older version, or a file."""

    document: Document

    def apply(self, document: Document) -> Document:
        return copy.deepcopy(self.document)

    @property
    def about(self) -> str:
        return ""


# ── Copies ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def copied(steps: Sequence[Mapping[str, Any]], taken: set[str]) -> list[dict[str, Any]]:
    """Copies of steps with keys of their own, inside and out."""
    taken = set(taken)
    made = copy.deepcopy([dict(step) for step in steps])
    for spot in shape.walk({"steps": made}):
        spot.step["key"] = shape.fresh(spot.step["key"], taken)
        taken.add(spot.step["key"])
    return made


def begun(kind: str, taken: set[str]) -> dict[str, Any]:
    """A new step of that kind, as it begins."""
    variant = kinds.steps[kind]
    return {"key": shape.fresh(kind.replace("_", "-"), taken), "kind": kind, **copy.deepcopy(dict(variant.fresh))}


def next_to(document: Document, key: str, by: int) -> Gap | None:
    """The gap one place up (-1) or down: past the neighbour, at an edge out of the arm; None where there is none."""
    spot = shape.find(document, key)
    if by < 0 and spot.number > 0:
        return Gap(spot.steps[spot.number - 2]["key"]) if spot.number > 1 else Gap(list=spot.list)
    if by > 0 and spot.number < len(spot.steps) - 1:
        return Gap(spot.steps[spot.number + 1]["key"])
    if not spot.list:
        return None
    owner = spot.list.partition("/")[0]
    if by > 0:
        return Gap(owner)
    above = shape.find(document, owner)
    return Gap(above.steps[above.number - 1]["key"]) if above.number else Gap(list=above.list)
