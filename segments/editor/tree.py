"""A segment's definition while it is edited: groups and rows, from a definition or a form, and what buttons do to it.

Nothing here need be valid. `definition()` says what one would save; reading it says what is wrong, and where.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from segments.editor.values import Values, at, flat, following, inner, nested, numbered, text
from segments.editor.widgets import Form, Problems
from segments.kinds import KINDS
from segments.places import DEPTH, NODES

ROOT = "c"
_NOT = {"all": "notall", "any": "none", "notall": "all", "none": "any"}


@dataclass
class Row:
    """One condition: its kind, what its form says, and how many times it is negated."""

    kind: str
    values: Values = field(default_factory=dict)
    nots: int = 0

    @property
    def form(self) -> Form | None:
        kind = KINDS.get(self.kind)
        return Form(kind) if kind else None

    def definition(self, path: str, problems: Problems) -> Any:
        form = self.form
        if form is None:
            return _kept(text(self.values, "kept"), self.kind)
        own: Problems = {}
        found = {"kind": self.kind, **form.read(self.values, "", own)}
        problems.update({_joined(path, where): said for where, said in own.items()})
        return found


@dataclass
class Group:
    """All or any of its parts. `bare`: it is only drawn around a single condition, which is the whole definition."""

    word: str = "all"
    parts: list["Node"] = field(default_factory=list)
    nots: int = 0
    bare: bool = False

    @property
    def choice(self) -> str:
        return _NOT[self.word] if self.nots % 2 else self.word


Node = Group | Row


def _kept(stored: str, kind: str) -> Any:
    """What is stored of a kind that is known no more."""
    try:
        found = json.loads(stored)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"kind": kind}


def _joined(path: str, more: str) -> str:
    return f"{path}.{more}" if path and more else path or more


# ── From a definition ────────────────────────────────────────────────────────────────────────────────────────────────
def from_definition(definition: Any) -> Group:
    """What a valid definition looks like; a single condition stands in a group that is only drawn."""
    node = _node(definition)
    return node if isinstance(node, Group) else Group("all", [node], bare=True)


def _node(definition: Any, nots: int = 0) -> Node:
    while isinstance(definition, Mapping) and "not" in definition and "kind" not in definition:
        definition, nots = definition["not"], nots + 1
    if not isinstance(definition, Mapping):
        return Row("", {"kept": json.dumps(definition)}, nots)
    for word in ("all", "any"):
        if word in definition and "kind" not in definition:
            return Group(word, [_node(part) for part in definition[word]], nots)
    kind = KINDS.get(str(definition.get("kind")))
    if kind is None:
        return Row(str(definition.get("kind", "")), {"kept": json.dumps(definition)}, nots)
    return Row(kind.key, Form(kind).show(definition), nots)


# ── From a form ──────────────────────────────────────────────────────────────────────────────────────────────────────
def from_form(data: Mapping[str, str]) -> Group:
    """What was sent, whatever it was; a group at the top."""
    left = [NODES + 1]
    node = _sent(nested(data, ROOT), left, 0)
    return node if isinstance(node, Group) else Group("all", [node] if node else [])


def _sent(values: Values, left: list[int], depth: int) -> Node | None:
    left[0] -= 1
    if left[0] < 0 or depth > DEPTH + 1:
        return None
    nots = text(values, "nots", "0")
    count = int(nots) if nots.isascii() and nots.isdigit() and len(nots) < 3 else 0
    if "kind" in values:
        return Row(text(values, "kind"), inner(values, "f"), min(count, DEPTH))
    parts = [_sent(one, left, depth + 1) for _, one in numbered(values) if isinstance(one, dict)]
    group = Group(parts=[part for part in parts if part is not None], nots=min(count, DEPTH))
    group.bare = text(values, "bare") == "1"
    chosen = text(values, "word", "all")
    group.word = {"none": "any", "notall": "all"}.get(chosen, chosen if chosen in ("all", "any") else "all")
    if group.choice != chosen and chosen in _NOT:
        group.nots += 1 if group.nots < 1 else -1
    return group


# ── To a definition ──────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Written:
    """The definition of a tree, what of it could not be read, and the paths of its nodes by their places."""

    definition: Any
    problems: Problems
    paths: dict[str, str]

    def place_of(self, path: str) -> str:
        """The place of the node that a path in the definition is about."""
        fits = [(len(own), place) for place, own in self.paths.items() if path == own or _begins(path, own)]
        return max(fits, default=(0, ""))[1]


def _begins(path: str, own: str) -> bool:
    return not own or (path.startswith(own) and path[len(own)] in ".[")


def written(root: Group) -> Written:
    found = Written(None, {}, {})
    is_bare = root.bare and len(root.parts) == 1 and root.choice == "all" and isinstance(root.parts[0], Row)
    if is_bare:
        found.definition = _written(root.parts[0], "0", "", found)
    else:
        found.definition = _written(root, "", "", found)
    return found


def _written(node: Node, place: str, path: str, found: Written) -> Any:
    for _ in range(node.nots):
        path = _joined(path, "not")
    found.paths[place] = path
    if isinstance(node, Row):
        definition = node.definition(path, found.problems)
    else:
        stem = _joined(path, node.word)
        parts = [_written(one, under(place, n), f"{stem}[{n}]", found) for n, one in enumerate(node.parts)]
        definition = {node.word: parts}
    for _ in range(node.nots):
        definition = {"not": definition}
    return definition


def under(place: str, number: int) -> str:
    return f"{place}.{number}" if place else str(number)


def fields_of(root: Group) -> Iterator[tuple[str, str]]:
    """The form that says the tree, as fields: what `from_form` reads back."""
    return flat(_values(root), ROOT)


def _values(node: Node) -> Values:
    if isinstance(node, Row):
        return {"kind": node.kind, "nots": str(node.nots), "f": node.values}
    found: Values = {"word": node.choice, "nots": str(node.nots), **({"bare": "1"} if node.bare else {})}
    return found | {str(number): _values(part) for number, part in enumerate(node.parts)}


# ── What buttons do ──────────────────────────────────────────────────────────────────────────────────────────────────
def act(root: Group, what: str) -> str:
    """Does what a button says (`up:0.1`) and returns the place to go on at; what makes no sense does nothing."""
    verb, _, rest = what.partition(":")
    place, _, argument = rest.partition(":")
    does = _VERBS.get(verb)
    if does is None:
        return ""
    try:
        return does(root, place, argument)
    except (LookupError, ValueError, AttributeError, TypeError):
        return place


def find(root: Group, place: str) -> Node:
    node: Node = root
    for number in _numbers(place):
        node = _group(node).parts[number]
    return node


def _group(node: Node) -> Group:
    if not isinstance(node, Group):
        raise LookupError("no group stands here")
    return node


def _numbers(place: str) -> list[int]:
    return [int(one) for one in place.split(".")] if place else []


def _home(root: Group, place: str) -> tuple[Group, int, str]:
    """The group that a node stands in, its number there, and the group's place."""
    *outer, number = _numbers(place)
    home = ".".join(map(str, outer))
    group = _group(find(root, home))
    if not 0 <= number < len(group.parts):
        raise LookupError("nothing stands here")
    return group, number, home


def _add(root: Group, place: str, kind: str) -> str:
    group = _group(find(root, place))
    if kind not in KINDS or count(root) >= NODES:
        return place
    group.parts.append(Row(kind))
    return under(place, len(group.parts) - 1)


def _nest(root: Group, place: str, _: str) -> str:
    group = _group(find(root, place))
    if len(_numbers(place)) >= DEPTH - 1:
        return place
    group.parts.append(Group("any"))
    return under(place, len(group.parts) - 1)


def _remove(root: Group, place: str, _: str) -> str:
    group, number, home = _home(root, place)
    del group.parts[number]
    return under(home, min(number, len(group.parts) - 1)) if group.parts else home


def _double(root: Group, place: str, _: str) -> str:
    group, number, home = _home(root, place)
    if count(root) + count(group.parts[number]) <= NODES:
        group.parts.insert(number + 1, copy.deepcopy(group.parts[number]))
    return under(home, number + 1)


def _negate(root: Group, place: str, _: str) -> str:
    node = find(root, place)
    node.nots = 1 if node.nots == 0 else node.nots - 1
    return place


def _wrap(root: Group, place: str, _: str) -> str:
    group, number, _home_of_it = _home(root, place)
    if depth(root) < DEPTH:
        group.parts[number] = Group("any", [group.parts[number]])
        root.bare = False
    return place


def _unwrap(root: Group, place: str, _: str) -> str:
    group, number, home = _home(root, place)
    group.parts[number : number + 1] = _group(group.parts[number]).parts
    return under(home, min(number, len(group.parts) - 1)) if group.parts else home


def _step(root: Group, place: str, by: int) -> str:
    """Past the neighbour; at the edge of a group out of it, and past one that stands there."""
    group, number, home = _home(root, place)
    to = number + by
    if 0 <= to < len(group.parts):
        group.parts.insert(to, group.parts.pop(number))
        return under(home, to)
    if not home:
        return place
    outer, at_, outer_home = _home(root, home)
    moved = group.parts.pop(number)
    to = at_ if by < 0 else at_ + 1
    outer.parts.insert(to, moved)
    return under(outer_home, to)


def _move(root: Group, place: str, argument: str) -> str:
    """To a place in any group: `0.1:2:0` puts it first in the group at 2."""
    target, _, number = argument.partition(":")
    group, own, _ = _home(root, place)
    into = _group(find(root, target))
    moved = group.parts[own]
    if any(one is into for one in walk(moved)) or len(_numbers(target)) + depth(moved) > DEPTH:
        return place
    del group.parts[own]
    to = max(0, min(int(number), len(into.parts)))
    into.parts.insert(to, moved)
    return next((spot for spot, one in places(root) if one is moved), place)


def _more(root: Group, place: str, keys: str) -> str:
    values = at(_row(root, place).values, keys)
    values[following(values)] = {}
    return place


def _name(root: Group, place: str, keys: str) -> str:
    values = at(_row(root, place).values, keys)
    if not numbered(values):
        values["0"] = ""
    values[following(values)] = ""
    return place


def _less(root: Group, place: str, keys: str) -> str:
    home, _, key = keys.rpartition(".")
    values = at(_row(root, place).values, home)
    values.pop(key, None)
    return place


def _row(root: Group, place: str) -> Row:
    node = find(root, place)
    if not isinstance(node, Row):
        raise LookupError("no condition stands here")
    return node


_VERBS = {
    "add": _add,
    "nest": _nest,
    "remove": _remove,
    "double": _double,
    "negate": _negate,
    "wrap": _wrap,
    "unwrap": _unwrap,
    "up": lambda root, place, _: _step(root, place, -1),
    "down": lambda root, place, _: _step(root, place, 1),
    "move": _move,
    "more": _more,
    "name": _name,
    "less": _less,
}


# ── Counting ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def walk(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, Group):
        for part in node.parts:
            yield from walk(part)


def places(node: Node, place: str = "") -> Iterator[tuple[str, Node]]:
    yield place, node
    if isinstance(node, Group):
        for number, part in enumerate(node.parts):
            yield from places(part, under(place, number))


def count(node: Node) -> int:
    return sum(1 + one.nots for one in walk(node))


def depth(node: Node) -> int:
    inside = max((depth(part) for part in node.parts), default=0) if isinstance(node, Group) else 0
    return node.nots + inside + isinstance(node, Group)
