"""Two changes of one document brought together: where they touch different steps both hold, else they clash.

Compared is what is said of each step without the steps in its arms, and where it stands. Which of the two is called
mine and which theirs makes no difference to the outcome.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from journeys import kinds
from journeys.editor import shape
from journeys.editor.shape import WHOLE, Document


@dataclass(frozen=True, slots=True)
class Merged:
    """Both changes in one document; or the keys of steps, and names of parts such as `goal`, over which they clash."""

    document: Document | None
    clashes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Facts:
    """A document taken apart."""

    own: dict[str, dict[str, Any]] = field(default_factory=dict)  # key -> what is said of the step
    lists: dict[str, list[str]] = field(default_factory=dict)  # list -> keys in order
    home: dict[str, str] = field(default_factory=dict)  # key -> list
    parts: dict[str, Any] = field(default_factory=dict)  # trigger, goal …

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Facts":
        facts = cls()
        facts.parts = {name: value for name, value in document.items() if name not in ("steps", "entry")}
        facts.parts |= {f"entry.{name}": value for name, value in document["entry"].items()}
        for own, steps in shape.lists(copy.deepcopy(dict(document))):
            facts.lists[own] = [step["key"] for step in steps]
            for step in steps:
                variant = kinds.steps.get(str(step.get("kind")))
                facts.home[step["key"]] = own
                facts.own[step["key"]] = _bare(variant, step) if variant else step
        return facts


def _bare(variant: type[kinds.Step], step: dict[str, Any]) -> dict[str, Any]:
    note = {"note": step["note"]} if "note" in step else {}
    return {**variant.without_steps(step), **note}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The keys of steps and names of parts that differ: what a change touched."""
    old, new = Facts.of(before), Facts.of(after)
    moved = _moved(old, new)
    keys = [key for key in {**old.own, **new.own} if old.own.get(key) != new.own.get(key) or key in moved]
    parts = [name for name in {**old.parts, **new.parts} if old.parts.get(name) != new.parts.get(name)]
    return [*keys, *parts]


def merge(base: Document, mine: Document, theirs: Document) -> Merged:
    """What both changes of `base` come to together."""
    if theirs == base or mine == theirs:
        return Merged(mine)
    if mine == base:
        return Merged(theirs)
    return _Merge(Facts.of(base), Facts.of(mine), Facts.of(theirs)).merged()


class _Merge:
    def __init__(self, base: Facts, mine: Facts, theirs: Facts) -> None:
        self.base, self.sides = base, (mine, theirs)
        self.moved = [_moved(base, side) for side in self.sides]
        self.clashes: list[str] = []

    def merged(self) -> Merged:
        parts = self._values(self.base.parts, *(side.parts for side in self.sides))
        own = self._values(self.base.own, *(side.own for side in self.sides))
        home = {key: self._home(key) for key in own}
        document = None if self.clashes else self._together(parts, own, home)
        return Merged(document, list(dict.fromkeys(self.clashes)))

    def _values(self, base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in sorted({*base, *mine, *theirs}):
            old, ours, others = base.get(name), mine.get(name), theirs.get(name)
            if old is not None and (ours is None) != (others is None) and any(name in moved for moved in self.moved):
                self.clashes.append(name)  # one took it out, the other put it elsewhere
            if ours != old and others != old and ours != others:
                self.clashes.append(name)
            value = others if ours == old else ours
            if value is not None:
                found[name] = value
        return found

    def _home(self, key: str) -> str:
        """The list that a step stands in."""
        mine, theirs = self.sides
        if key in self.moved[0] and key in self.moved[1] and _placed(mine, key) != _placed(theirs, key):
            self.clashes.append(key)
        for side, moved in zip(self.sides, self.moved, strict=True):
            if key in side.home and (key in moved or key not in self.base.home):
                return side.home[key]
        return self.base.home.get(key, WHOLE)

    def _together(self, parts: dict[str, Any], own: dict[str, Any], home: dict[str, str]) -> Document | None:
        document: Document = {"entry": {}, "steps": []}
        for name, value in parts.items():
            into, last = (document["entry"], name[6:]) if name.startswith("entry.") else (document, name)
            into[last] = copy.deepcopy(value)
        steps = {key: copy.deepcopy(said) for key, said in own.items()}
        places = {WHOLE: document["steps"]}
        for key, step in steps.items():
            for one in shape.arms(step):
                places[shape.name(key, one.given["key"])] = one.given.setdefault("steps", [])  # type: ignore[attr-defined]
        for there in home.values():
            if there not in places:
                self.clashes.append(there.partition("/")[0])  # one put a step where the other took the way out
        if self.clashes:
            return None
        for there, into in places.items():
            into += [steps[key] for key in self._order(there, home)]
        lost = set(steps) - shape.keys(document)
        self.clashes += sorted(lost)  # each was put into the other
        return None if lost else document

    def _order(self, there: str, home: Mapping[str, str]) -> list[str]:
        """Those that stayed, in their order, and behind each of them those that were put there."""
        here = {key for key, own in home.items() if own == there}
        stayed = [
            key for key in self.base.lists.get(there, []) if key in here and not any(key in one for one in self.moved)
        ]
        behind: dict[str, set[str]] = {}
        for side, moved in zip(self.sides, self.moved, strict=True):
            before = ""
            for key in side.lists.get(there, []):
                if key in here:
                    if key in moved or key not in self.base.home:
                        behind.setdefault(before, set()).add(key)
                    before = key
        order: list[str] = []

        def emit(key: str) -> None:
            if key:
                order.append(key)
            for one in sorted(behind.get(key, ())):
                emit(one)

        for key in ["", *stayed]:
            emit(key)
        return order


def _placed(side: Facts, key: str) -> tuple[str, str]:
    """The list of a step, and what it stands behind."""
    keys = side.lists[side.home[key]] if key in side.home else []
    number = keys.index(key) if key in keys else 0
    return side.home.get(key, ""), keys[number - 1] if number else ""


def _moved(before: Facts, after: Facts) -> set[str]:
    """Steps of both that stand elsewhere: in another list, or past another one."""
    moved = {key for key, home in after.home.items() if before.home.get(key, home) != home}
    for there, keys in after.lists.items():
        common = [key for key in keys if before.home.get(key) == there]
        moved |= set(common) - _in_order([key for key in before.lists.get(there, []) if key in set(common)], common)
    return moved


def _in_order(before: Sequence[str], after: Sequence[str]) -> set[str]:
    """The most steps that kept their order."""
    if before == after:
        return set(after)
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return {key for block in blocks for key in after[block.b : block.b + block.size]}
