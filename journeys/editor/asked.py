"""Conditions and events within a panel: the builder of segments, asked in the scope of a journey."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from foundation.errors import Invalid
from journeys.editor.known import Known
from journeys.fields import said
from segments import behaviour, fields, language
from segments.behaviour import Where
from segments.editor import asking, drawing, tree
from segments.editor.asking import Counted
from segments.editor.drawing import Box, Reading
from segments.editor.tree import Group, Row
from segments.editor.values import inner, nested, numbered
from segments.editor.widgets import Around, Form
from segments.fields import Look
from segments.places import Place, Scope

Data = Mapping[str, str]


class Condition:
    """A condition under way: from a definition, or from what was sent."""

    template = "journeys/editor/condition.html"

    def __init__(self, definition: Any, data: Data | None, known: Known) -> None:
        self.known, self.lost = known, False
        self.focus = ""
        self.root = self._from(definition) if data is None else tree.from_form(data)

    def _from(self, definition: Any) -> Group:
        if definition is None:
            return Group("all")
        try:
            return tree.from_definition(definition)
        except (LookupError, TypeError, ValueError, AttributeError):
            self.lost = True
            return Group("all")

    @cached_property
    def reading(self) -> Reading:
        return drawing.read(self.root, scope=Scope.JOURNEY)

    @property
    def is_empty(self) -> bool:
        return not self.root.parts

    @property
    def value(self) -> Any:
        """A single condition stands without the group that is drawn around it."""
        definition = None if self.is_empty else self.reading.written.definition
        if isinstance(definition, dict) and list(definition) == ["all"] and len(definition["all"]) == 1:
            return definition["all"][0]
        return definition

    @property
    def is_sound(self) -> bool:
        return self.is_empty or self.reading.condition is not None

    def act(self, do: str) -> None:
        place = tree.act(self.root, do)
        self.focus = _focus(do, place)
        self.__dict__.pop("reading", None)

    def counted(self, at: datetime) -> Counted | None:
        """How many it is true of today; None where that depends on when somebody entered."""
        if self.is_empty or self.reading.condition is None:
            return None
        try:
            return asking.counted(language.parse(self.reading.written.definition), at=at, marketing=False)
        except Invalid:
            return None

    def context(self) -> dict[str, Any]:
        top = drawing.boxes(self.root, self.reading, self.known)
        return {
            "desk": self,
            "top": top,
            "boxes": list(drawing.all_boxes(top)),
            "kinds": drawing.kinds(),
            "lists": list(self.known.lists()),
            "reading": self.reading,
            "tree_template": "segments/tree.html",
        }


@dataclass(frozen=True)
class Done:
    """What somebody does: the names of events, and what their properties must be."""

    name: tuple[str, ...] = fields.asks(fields.names, look=Look("What they do", of="event"))
    where: tuple[Where, ...] = fields.asks(behaviour.wheres, default=(), look=behaviour.FILTERS)


class DoneRow(Row):
    """The form of `Done`, as a row of the builder."""

    @property
    def form(self) -> Form:
        return Form(Done)


class Happening:
    """An event under way, with what must be true of it."""

    template = "journeys/editor/happening.html"

    def __init__(self, given: Mapping[str, Any], data: Data | None, known: Known) -> None:
        self.known, self.focus = known, ""
        self.errors: dict[str, str] = {}
        values = Form(Done).show(_sound(given)) if data is None else inner(inner(nested(data, tree.ROOT), "0"), "f")
        self.row = DoneRow("", values)
        self.root = Group("all", [self.row], bare=True)

    @cached_property
    def value(self) -> dict[str, Any]:
        """`name` and `where`, each None where nothing is said."""
        found = self.row.form.read(self.row.values, "", self.errors)
        try:
            if found.get("where"):
                behaviour.wheres(found["where"], Place("where", Scope.JOURNEY))
        except Invalid as invalid:
            self.errors |= {problem.path: problem.reason for problem in invalid.problems}
        return {"name": found.get("name"), "where": found.get("where") or None}

    @property
    def is_sound(self) -> bool:
        return self.value is not None and not self.errors

    @property
    def is_empty(self) -> bool:
        return self.value["name"] is None

    def act(self, do: str) -> None:
        self.focus = _focus(do, tree.act(self.root, do))

    def counted(self, at: datetime) -> None:
        return None

    def context(self) -> dict[str, Any]:
        said_wrong = [f"{self.row.form.label(path)}: {reason}" for path, reason in self.errors.items()]
        box = Box("0", self.row, said_wrong, self.row.form.hints(self.row.values, self.known))
        box.drawn = self.row.form.draw(self.row.values, f"{tree.ROOT}.0.f", Around("0", self.known))
        return {
            "desk": self,
            "box": box,
            "boxes": [box],
            "lists": list(self.known.lists()),
            "tree_template": "journeys/editor/done.html",
        }


def _sound(given: Mapping[str, Any]) -> dict[str, Any]:
    """Of what a document says of an event, what a form can show."""
    name, where = given.get("name"), given.get("where")
    rows = [one for one in where if isinstance(one, Mapping) and "op" in one] if isinstance(where, list) else []
    return {**({"name": name} if isinstance(name, str | list) else {}), **({"where": rows} if rows else {})}


def _focus(do: str, place: str) -> str:
    verb, at = do.partition(":")[0], place.replace(".", "-") or "top"
    return f"press-{verb}-{at}" if verb in ("up", "down", "negate", "double") else f"box-{at}"


def sentence(condition: Condition) -> str:
    """Whom it is true of, within a sentence."""
    read = condition.reading.condition
    return said(read) if read is not None else condition.reading.sentence


def rows(values: Mapping[str, Any]) -> list[Any]:
    return [row for _, row in numbered(dict(values)) if isinstance(row, dict)]
