"""The condition language: reads a definition, and answers who matches, how it reads, what it needs and why.

    parse({"all": [{"kind": "event", "name": "signed_up"}]}).matching(None, at=now)

The same compiled condition answers for everybody, for some, and for one.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from foundation.errors import Invalid, Problem
from segments import behaviour, fields, kinds
from segments.kinds import Leaf, Needs
from segments.places import DEPTH, NODES, Place, Scope
from segments.question import TRUE, Asked, Names, Question, both, earliest, either

__all__ = ["Asked", "Condition", "Finding", "Scope", "parse"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of an explanation: a group or a leaf, whether it holds for the person, and what was found."""

    path: str
    sentence: str
    holds: bool
    found: str
    depth: int


# ── The tree ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Group:
    """`all`, `any` or `not` of other conditions; a `not` has one."""

    word: str
    parts: tuple["Node", ...]

    def holds(self, q: Question) -> str:
        inner = [_holds(part, q) for part in self.parts]
        match self.word:
            case "all":
                return both(inner)
            case "any":
                return either(inner)
        return f"(NOT {inner[0]})"


Node = Group | Leaf


def _holds(node: Node, q: Question) -> str:
    return node.holds(q) if isinstance(node, Group) else f"({node.answer(q).holds})"


def _walk(node: Node, path: str = "", depth: int = 0) -> Iterator[tuple[str, int, Node]]:
    """Every node from the top down, with its path and depth."""
    yield path, depth, node
    if isinstance(node, Group):
        stem = f"{path}.{node.word}" if path else node.word
        for number, part in enumerate(node.parts):
            yield from _walk(part, stem if node.word == "not" else f"{stem}[{number}]", depth + 1)


# ── The condition ────────────────────────────────────────────────────────────────────────────────────────────────────
class Condition:
    """A definition that was read and found valid."""

    def __init__(self, root: Node, definition: Any = None) -> None:
        self.root = root
        self.definition = definition

    @cached_property
    def _nodes(self) -> list[tuple[str, int, Node]]:
        return list(_walk(self.root))

    @cached_property
    def _leaves(self) -> list[tuple[str, Leaf]]:
        return [(path, node) for path, _, node in self._nodes if isinstance(node, Leaf)]

    def matching(self, among: Collection[UUID] | None, *, at: datetime) -> set[UUID]:
        """Who matches at `at`: of everybody (None), or of these people."""
        if among is not None and not among:
            return set()
        q = Question(at, self.names(), among=among)
        return {row[0] for row in q.rows(["p.id"], self.holds(q))}

    def count(self, at: datetime) -> int:
        """How many of all people match."""
        q = Question(at, self.names())
        return int(q.rows(["count(*)"], self.holds(q))[0][0])

    def matching_each(self, asked: Sequence[Asked], *, at: datetime) -> set[UUID]:
        """The keys of those asked about that match, in one question however many they are."""
        if not asked:
            return set()
        q = Question(at, self.names(), asked=asked)
        return {row[0] for row in q.rows(["w.key"], self.holds(q))}

    def next_changes(self, among: Collection[UUID], *, at: datetime) -> dict[UUID, datetime]:
        """When, after `at`, the answer for each of these people may next change by time alone.

        It is never later than the change itself. Who is missing has an answer that stands until something is new.
        Conditions that ask about everybody (`top`) know nothing of it.
        """
        if not among:
            return {}
        q = Question(at, self.names(), among=among)
        soonest = earliest([*self.changes(q), behaviour.to_come(q, q.people)])
        return {person: moment for person, moment in q.rows(["p.id", soonest]) if moment is not None}

    def changes(self, q: Question) -> list[str]:
        """When the answer may next change by time alone, as moments in SQL (`Leaf.changes`)."""
        return [moment for _, leaf in self._leaves if leaf.needs().time for moment in leaf.changes(q)]

    def holds(self, q: Question) -> str:
        """The condition within a question: true or false for each person, never NULL."""
        return _holds(self.root, q)

    def names(self) -> Names:
        """The event names of the catalogue that it speaks of."""
        needs = self.needs()
        return Names.of(needs.events | {"*"}) if needs.events or needs.anything else Names.of(())

    def needs(self) -> Needs:
        """What the answer depends on."""
        return self._needs

    @cached_property
    def _needs(self) -> Needs:
        needs = Needs()
        for _, leaf in self._leaves:
            needs |= leaf.needs()
        return needs

    def segments(self) -> list[tuple[str, str]]:
        """The segments that it uses, each with the path of where."""
        return [(path, slug) for path, leaf in self._leaves for slug in leaf.needs().segments]

    def refers(self) -> list[tuple[str, str, str]]:
        """What it speaks of that must be there: (its kind, its slug, the path of where)."""
        return [
            (kind, slug, f"{path}.{field}" if path else field)
            for path, leaf in self._leaves
            for kind, slug, field in leaf.refers()
        ]

    def as_of_now(self) -> list[str]:
        """The paths of what reads today's values, whatever `at` is."""
        return [path for path, leaf in self._leaves if leaf.as_of_now()]

    def sentence(self) -> str:
        """It in plain English, from "People" on."""
        return sentence(self.root)

    def explain(self, profile_id: UUID, *, at: datetime, asked: Asked | None = None) -> list[Finding]:
        """Every part of the condition for one person, from the top down; empty if there is no such person.

        `asked`: the person's enrollment, for the conditions of a journey.
        """
        q = (
            Question(at, self.names(), among=[profile_id], explaining=True)
            if asked is None
            else Question(at, self.names(), asked=[asked], explaining=True)
        )
        answers = [leaf.answer(q) for _, leaf in self._leaves]
        rows = q.rows([column for answer in answers for column in (answer.holds, *answer.found)] or [TRUE])
        if not rows:
            return []
        values = iter(rows[0])
        found: dict[str, tuple[bool, str]] = {}
        for (path, leaf), answer in zip(self._leaves, answers, strict=True):
            held = bool(next(values))
            found[path] = (held, leaf.tell(*(next(values) for _ in answer.found)))
        return [self._finding(path, depth, node, found) for path, depth, node in self._nodes]

    def _finding(self, path: str, depth: int, node: Node, found: Mapping[str, tuple[bool, str]]) -> Finding:
        if isinstance(node, Leaf):
            return Finding(path, node.clause(), *found[path], depth)
        return Finding(path, _WORDS[node.word], _held(node, path, found), "", depth)

    def lines(self) -> list[tuple[int, str]]:
        """It as indented lines: (depth, words)."""
        return [
            (depth, node.clause() if isinstance(node, Leaf) else _WORDS[node.word]) for _, depth, node in self._nodes
        ]


_WORDS = {"all": "all of these", "any": "at least one of these", "not": "not this"}


def _held(node: Node, path: str, found: Mapping[str, tuple[bool, str]]) -> bool:
    if isinstance(node, Leaf):
        return found[path][0]
    stem = f"{path}.{node.word}" if path else node.word
    if node.word == "not":
        return not _held(node.parts[0], stem, found)
    held = [_held(part, f"{stem}[{number}]", found) for number, part in enumerate(node.parts)]
    return all(held) if node.word == "all" else any(held)


# ── Sentences ────────────────────────────────────────────────────────────────────────────────────────────────────────
def sentence(node: Node) -> str:
    if isinstance(node, Group) and not node.parts:
        return "Everybody" if node.word == "all" else "Nobody"
    return f"People {_clause(node, outermost=True)}"


def _clause(node: Node, *, outermost: bool = False) -> str:
    if isinstance(node, Leaf):
        return node.clause()
    if node.word == "not":
        return _negated(node.parts[0])
    if not node.parts:
        return "who are anybody" if node.word == "all" else "who are nobody"
    if len(node.parts) == 1:
        return _clause(node.parts[0], outermost=outermost)
    joined = (", and " if node.word == "all" else ", or ").join(_clause(part) for part in node.parts)
    return joined if outermost else f"({joined})"


def _negated(node: Node) -> str:
    if isinstance(node, Leaf):
        return node.negation()
    if node.word == "not":
        return _clause(node.parts[0])
    if not node.parts:
        return "who are nobody" if node.word == "all" else "who are anybody"
    return f"who are not among those {_clause(node)}"


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def parse(definition: Any, *, scope: Scope = Scope.SEGMENT) -> Condition:
    """Reads a definition; `Invalid`, with the path of every problem, where it cannot be taken."""
    return Condition(_Reader().node(definition, Place("", scope)), definition)


class _Reader:
    """Reads one definition, and counts what it holds on the way."""

    def __init__(self) -> None:
        self._nodes = 0

    def node(self, value: Any, place: Place) -> Node:
        self._nodes += 1
        if self._nodes > NODES:
            place.refuse(f"This condition has more than {NODES} parts. Make segments of some, and use those.")
        if not isinstance(value, Mapping):
            place.refuse('This must be a condition: {"all": […]}, {"any": […]}, {"not": …} or an object with a "kind".')
        if "kind" in value:
            return kinds.read(value, place)
        words = [word for word in ("all", "any", "not") if word in value]
        if not words:
            place.refuse('This is neither a group (all, any, not) nor has it a "kind".')
        if len(value) > 1:
            extra = next(key for key in value if key != words[0])
            place.at(fields.named(extra)).refuse(f"A group has nothing beside its {words[0]}.")
        if place.depth >= DEPTH:
            place.refuse(
                f"Groups are nested more than {DEPTH} deep here. Make a segment of the inner part, and use that."
            )
        return self._group(words[0], value[words[0]], place.inside().at(words[0]))

    def _group(self, word: str, inner: Any, place: Place) -> Group:
        if word == "not":
            return Group(word, (self.node(inner, place),))
        if not isinstance(inner, list):
            place.refuse("This must be a list of conditions.")
        parts: list[Node] = []
        problems: list[Problem] = []
        for number, one in enumerate(inner):
            try:
                parts.append(self.node(one, place.item(number)))
            except Invalid as invalid:
                problems.extend(invalid.problems)
                if self._nodes > NODES:
                    break
        if problems:
            raise Invalid(problems)
        return Group(word, tuple(parts))
