"""What the builder's page shows of a definition under way: its tree as nested boxes, each with what is wrong in it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from foundation.errors import Invalid, Problem
from segments import language, naming
from segments.editor import tree
from segments.editor.controls import Control, Drawn, Option
from segments.editor.known import Known
from segments.editor.tree import Group, Node, Row, Written, under
from segments.editor.widgets import Around
from segments.kinds import KINDS
from segments.language import Condition
from segments.models import Segment
from segments.places import DEPTH, Scope

WORDS = (
    Option("all", "All of these are true"),
    Option("any", "Any of these is true"),
    Option("none", "None of these is true"),
    Option("notall", "Not all of these are true"),
)
_STILL = " is still to be filled in."
_UNFILLED = ("This is missing.", "This must not be empty.")


@dataclass
class Reading:
    """A definition under way, read: the condition, if it stands, or what is wrong and where."""

    written: Written
    condition: Condition | None = None
    problems: dict[str, list[str]] = field(default_factory=dict)  # by the place of the box that it is in
    sentence: str = ""

    @property
    def unfinished(self) -> int:
        return len(self.problems)


def read(root: Group, segment: Segment | None = None, scope: Scope = Scope.SEGMENT) -> Reading:
    """Reads the tree as it would be saved, in the scope of a segment or of a journey. The sentence says what stands."""
    reading = Reading(tree.written(root))
    found = {path: Problem(path, reason) for path, reason in reading.written.problems.items()}
    try:
        reading.condition = language.parse(reading.written.definition, scope=scope)
    except Invalid as invalid:
        for problem in invalid.problems:
            found.setdefault(problem.path, problem)
    for problem in _unknown(root, reading.written, scope):
        found.setdefault(problem.path, problem)
    for problem in found.values():
        place = reading.written.place_of(problem.path)
        said = _said(root, place, problem, reading.written)
        own = reading.problems.setdefault(place, [])
        if said not in own:
            own.append(said)
    if found:
        reading.condition = None
    reading.sentence = _sentence(root, reading, scope)
    return reading


def _unknown(root: Group, written: Written, scope: Scope) -> list[Problem]:
    """What is spoken of and is not there, or in use no more; of the rows that stand, whatever the others are."""
    found: list[Problem] = []
    for place, node in tree.places(root):
        if isinstance(node, Row) and place in written.paths:
            try:
                condition = language.parse(node.definition("", {}), scope=scope)
            except Invalid:
                continue
            found += [
                Problem(written.paths[place], f"Choose a {kind} that is there.")
                for _, kind in naming.unknown(condition)
            ]
    return found


def _said(root: Group, place: str, problem: Problem, written: Written) -> str:
    node = tree.find(root, place)
    if not isinstance(node, Row):
        return problem.reason
    form = node.form
    if form is None:
        return "This kind of condition is known no more. Take it out, or ask about something else."
    rest = problem.path[len(written.paths.get(place, "")) :].lstrip(".")
    label = form.label(rest)
    if problem.reason in _UNFILLED or "slug" in problem.reason:
        return f"{label or 'Something'}{_STILL}"
    return f"{label}: {problem.reason}" if label else problem.reason


def _sentence(root: Group, reading: Reading, scope: Scope) -> str:
    if reading.condition is not None:
        return reading.condition.sentence()
    stands = _without(root, "", set(reading.problems))
    try:
        condition = language.parse(tree.written(stands).definition, scope=scope)
    except Invalid:
        return "People …"
    return f"{condition.sentence()}, and …" if any(isinstance(one, Row) for one in tree.walk(stands)) else "People …"


def _without(group: Group, place: str, places: set[str]) -> Group:
    parts: list[Node] = []
    for number, part in enumerate(group.parts):
        at = under(place, number)
        if isinstance(part, Group):
            inner = _without(part, at, places)
            if any(isinstance(one, Row) for one in tree.walk(inner)):
                parts.append(inner)
        elif at not in places:
            parts.append(part)
    return Group(group.word, parts, group.nots)


# ── Boxes ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Box:
    """A group or a row as the page shows it."""

    place: str
    node: Node
    notes: list[str]
    hints: list[str] = field(default_factory=list)
    drawn: Drawn = field(default_factory=Drawn)
    parts: list["Box"] = field(default_factory=list)
    depth: int = 0
    is_first: bool = False
    is_last: bool = False

    words = WORDS

    @property
    def id(self) -> str:
        return self.place.replace(".", "-") or "top"

    @property
    def name(self) -> str:
        return f"{tree.ROOT}.{self.place}" if self.place else tree.ROOT

    @property
    def told(self) -> list[tuple[str, bool]]:
        """What is to be said of it, each with whether something is wrong, or only not filled in yet."""
        return [(note, not note.endswith(_STILL)) for note in self.notes]

    @property
    def is_group(self) -> bool:
        return isinstance(self.node, Group)

    @property
    def is_top(self) -> bool:
        return not self.place

    @property
    def kind(self) -> "About | None":
        kind = KINDS.get(self.node.kind) if isinstance(self.node, Row) else None
        return About(kind.key, kind.label, kind.icon) if kind else None

    @property
    def called(self) -> str:
        """What buttons call it, for those who hear them one by one."""
        number = " ".join(str(int(one) + 1) for one in self.place.split(".")) if self.place else ""
        return f"group {number}" if self.is_group else f"condition {number}"

    @property
    def can_nest(self) -> bool:
        return self.depth < DEPTH - 2

    @property
    def kept(self) -> str:
        return str(self.node.values.get("kept", "")) if isinstance(self.node, Row) and self.kind is None else ""

    @property
    def below(self) -> list[list[Control]]:
        return self.drawn.below


def boxes(root: Group, reading: Reading, known: Known) -> Box:
    return _box(root, "", 0, reading, known)


def _box(node: Node, place: str, depth: int, reading: Reading, known: Known) -> Box:
    box = Box(place, node, reading.problems.get(place, []), depth=depth)
    if isinstance(node, Group):
        box.parts = [_box(part, under(place, n), depth + 1, reading, known) for n, part in enumerate(node.parts)]
        for part in box.parts[:1]:
            part.is_first = True
        for part in box.parts[-1:]:
            part.is_last = True
    elif (form := node.form) is not None:
        box.hints = form.hints(node.values, known)
        box.drawn = form.draw(node.values, f"{box.name}.f", Around(place, known))
    return box


def all_boxes(box: Box) -> Iterator[Box]:
    yield box
    for part in box.parts:
        yield from all_boxes(part)


@dataclass(frozen=True)
class About:
    """A kind of condition, as those see it who choose one."""

    key: str
    label: str
    icon: str


def kinds() -> list[tuple[str, list[About]]]:
    """What a condition can be about, under the headings that the kinds themselves give."""
    found: dict[str, list[About]] = {}
    for kind in sorted(KINDS, key=lambda kind: (kind.rank, kind.key)):
        found.setdefault(kind.group, []).append(About(kind.key, kind.label, kind.icon))
    return sorted(found.items(), key=lambda one: one[0] != "What they do")
