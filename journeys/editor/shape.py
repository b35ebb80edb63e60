"""The structure of a document under the editor's hand: steps by key, the lists that they stand in, and gaps between.

A document here need not be finished, but its structure is sound: every step has a key of its own and every arm, too.
A list is named by whose it is: "" the journey's own, "active/yes" that of an arm.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foundation.errors import Conflict, Problem
from journeys import kinds

Document = dict[str, Any]
Steps = list[dict[str, Any]]
WHOLE = ""


class Gone(Conflict):
    """What an edit is about is no longer there."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Where a step may be put: behind another one, or first in a list."""

    after: str = ""
    list: str = WHOLE

    @classmethod
    def read(cls, text: str) -> "Gap":
        """From what a form says: `after:hello`, `in:active/yes` or `in:`."""
        word, _, rest = text.partition(":")
        return cls(after=rest) if word == "after" else cls(list=rest)

    def __str__(self) -> str:
        return f"after:{self.after}" if self.after else f"in:{self.list}"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a step stands."""

    list: str
    steps: Steps
    number: int

    @property
    def step(self) -> dict[str, Any]:
        return self.steps[self.number]


def empty() -> Document:
    """A journey of which nothing is said yet."""
    return {"entry": {"trigger": []}, "steps": []}


def name(step: str, arm: str) -> str:
    return f"{step}/{arm}"


def arms(step: Mapping[str, Any]) -> list[kinds.Arm]:
    """The arms of a step; their paths say in which of its fields they stand."""
    variant = kinds.steps.get(str(step.get("kind")))
    return variant.arms(step, "") if variant else []


def arm(step: Mapping[str, Any], key: str) -> dict[str, Any]:
    for one in arms(step):
        if one.given.get("key") == key:
            return one.given  # type: ignore[return-value]  # of a document that is a copy of ours
    raise Gone("This way is no longer there: somebody took it out.")


def lists(document: Mapping[str, Any]) -> Iterator[tuple[str, Steps]]:
    """Every list of steps with its name, from outside in. A missing one is made."""
    yield from _lists(document.setdefault("steps", []), WHOLE)  # type: ignore[attr-defined]


def _lists(steps: Steps, own: str) -> Iterator[tuple[str, Steps]]:
    yield own, steps
    for step in steps:
        for one in arms(step):
            if not isinstance(one.given.get("steps"), list):
                one.given["steps"] = []  # type: ignore[index]
            yield from _lists(one.given["steps"], name(step["key"], one.given["key"]))


def walk(document: Mapping[str, Any]) -> Iterator[Spot]:
    """Every step where it stands, in the order in which it reads."""
    yield from _walk(document.get("steps") or [], WHOLE)


def _walk(steps: Steps, own: str) -> Iterator[Spot]:
    for number, step in enumerate(steps):
        yield Spot(own, steps, number)
        for one in arms(step):
            yield from _walk(one.given.get("steps") or [], name(step["key"], one.given["key"]))


def inside(step: dict[str, Any]) -> list[str]:
    """The keys of a step and of all that stand in its arms."""
    return [spot.step["key"] for spot in _walk([step], WHOLE)]


def find(document: Mapping[str, Any], key: str) -> Spot:
    for spot in walk(document):
        if spot.step["key"] == key:
            return spot
    raise Gone("This step is no longer there: somebody took it out.")


def gap(document: Document, at: Gap) -> tuple[Steps, int]:
    """The list that a gap is in, and the number that a step put there has."""
    if at.after:
        spot = find(document, at.after)
        return spot.steps, spot.number + 1
    for own, steps in lists(document):
        if own == at.list:
            return steps, 0
    raise Gone("The way that this was to be put into is no longer there.")


def keys(document: Mapping[str, Any]) -> set[str]:
    return {spot.step["key"] for spot in walk(document)}


def fresh(wanted: str, taken: set[str]) -> str:
    """A key like the one that is wanted, and not taken."""
    if wanted not in taken:
        return wanted
    stem, _, number = wanted.rpartition("-")
    stem = stem if number.isdigit() and stem else wanted
    count = 2
    while f"{stem}-{count}" in taken:
        count += 1
    return f"{stem}-{count}"


def paths(document: Mapping[str, Any]) -> dict[str, str]:
    """The path of each step in the document (`steps[0].arms[1].steps[2]`) to its key."""
    return dict(_paths(document.get("steps") or [], "steps"))


def _paths(steps: Sequence[Mapping[str, Any]], path: str) -> Iterator[tuple[str, str]]:
    for number, step in enumerate(steps):
        here = f"{path}[{number}]"
        yield here, step["key"]
        variant = kinds.steps.get(str(step.get("kind")))
        for one in variant.arms(step, here) if variant else []:
            yield from _paths(one.steps, f"{one.path}.steps")


def flaws(document: Any) -> list[Problem]:
    """What keeps a document from being drawn at all; whether it is finished is not asked."""
    if not isinstance(document, dict) or not isinstance(document.get("entry"), dict):
        return [Problem("", "a journey must be an object with entry and steps")]
    taken: set[str] = set()
    return list(_flaws(document.get("steps"), "steps", taken))


def _flaws(steps: Any, path: str, taken: set[str]) -> Iterator[Problem]:
    if not isinstance(steps, list):
        yield Problem(path, "must be a list of steps")
        return
    for number, step in enumerate(steps):
        here = f"{path}[{number}]"
        key = step.get("key") if isinstance(step, dict) else None
        if not isinstance(key, str) or not key or key in taken or "/" in key:
            yield Problem(here, "must be a step with a key of its own")
            continue
        taken.add(key)
        own: set[str] = set()
        for one in arms(step):
            if not isinstance(one.given.get("key"), str) or one.given["key"] in own:
                yield Problem(here, "must have arms with keys of their own")
            own.add(str(one.given.get("key")))
            yield from _flaws(one.steps, f"{here}.{one.path}.steps", taken)
