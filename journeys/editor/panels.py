"""What can be opened beside the flow: a step, one of its ways, and (see `wholes`) what is said of the whole."""

from dataclasses import dataclass
from typing import Any

from journeys import kinds
from journeys.editor import edits, shape, words
from journeys.editor.asked import Condition, Data, Happening
from journeys.editor.edits import Change, Edit
from journeys.editor.flow import id_of
from journeys.editor.known import Known
from journeys.editor.opened import Panel
from journeys.editor.shape import Document, Gone
from journeys.editor.sheets import Sheet, is_simple
from journeys.editor.wholes import PARTS, TriggerPanel
from journeys.fields import Condition as ConditionField
from journeys.fields import Names, Slug, Text
from messaging import templates
from segments.editor.values import nested, numbered, text

_LABEL = Text(name="label", label="Name", required=False, longest=200)
_RARE = ("salt",)  # fields that hardly anybody needs


# ── A step ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Inline:
    """An arm whose few fields stand in the panel of its step."""

    key: str
    root: str
    label: str
    sheet: Sheet
    sentence: str
    known: Known
    number: int = 0
    can_go: bool = True

    @property
    def shown(self) -> dict[str, Any]:
        return self.sheet.context(self.known)


@dataclass
class Listed:
    """An arm that has a panel of its own."""

    key: str
    label: str
    sentence: str
    is_rest: bool = False


class StepPanel(Panel):
    """A step: its fields, its ways, its label and a note."""

    template = "journeys/editor/panel_step.html"

    def prepare(self) -> None:
        self.key = self.name.partition("/")[2].rstrip("/")
        self.spot = shape.find(self.document, self.key)
        self.step = self.spot.step
        self.variant = kinds.steps.get(str(self.step.get("kind")))
        if self.variant is None:
            return
        # What a template is for, its channel, is not asked again.
        derived = (
            {"channel"} if any(isinstance(one, Slug) and one.of == "template" for one in self.variant.fields) else set()
        )
        fields = [one for one in self.variant.fields if one.name not in derived]
        self._sheet([one for one in fields if one.name not in _RARE], self.step, "f", self.variant.one_of)
        rare = [one for one in fields if one.name in _RARE]
        self._sheet([_LABEL, kinds.NOTE, *rare], self.step, "about")
        self._arms(self.variant)

    def _arms(self, variant: type[kinds.Step]) -> None:
        self.inline: list[Inline] = []
        self.listed: list[Listed] = []
        rows = shape.arms(self.step)
        for number, one in enumerate(rows):
            name = one.path.partition("[")[0]
            fields = variant.arm_fields.get(name, ())
            key, said = str(one.given["key"]), words.arm(self.step, one.given)
            if is_simple(fields):
                root = f"a.{number}"
                sheet = self._sheet([_LABEL, *fields], one.given, root)
                in_list = name == edits.list_field(self.step)
                self.inline.append(
                    Inline(key, root, str(one.given.get("label") or key), sheet, said, self.known, number, in_list)
                )
            else:
                is_rest = number == len(rows) - 1 and any(isinstance(field, ConditionField) for field in fields)
                self.listed.append(Listed(key, str(one.given.get("label") or ""), said, is_rest))

    @property
    def is_known(self) -> bool:
        return self.variant is not None

    @property
    def speaks(self) -> bool:
        """Whether a template is chosen here."""
        fields = self.variant.fields if self.variant else ()
        return any(isinstance(one, Slug) and one.of == "template" for one in fields)

    @property
    def can_add_ways(self) -> bool:
        return bool(edits.list_field(self.step))

    @property
    def ways_are_optional(self) -> bool:
        return self.variant is not None and edits.list_field(self.step) in self.variant.without_arms

    @property
    def heading(self) -> str:
        return words.label(self.step)

    @property
    def icon(self) -> str:  # type: ignore[override]
        return self.variant.icon if self.variant else "help"

    @property
    def lead(self) -> str:  # type: ignore[override]
        return self.variant.about if self.variant else "Take it out, or put another step in its place."

    @property
    def selected(self) -> str:
        return f"card-{id_of(self.key)}"

    def edit(self) -> Edit | None:
        if self.variant is None:
            return None
        main, about, *_ = self.sheets
        given = {**main.read(self.step), **about.read(self.step)}
        if template := given.get("template"):
            known = templates.known([template]).get(template)
            given["channel"] = known[0] if known else self.step.get("channel")
        arms = {}
        sent = {text(row, "key"): row for _, row in numbered(nested(self.data or {}, "a")) if isinstance(row, dict)}
        for one in self.inline:
            if one.key in sent:
                one.sheet.values = sent[one.key]
                arms[one.key] = one.sheet.read(shape.arm(self.step, one.key))
        return Change(self.key, given, arms) if self._is_read() else None

    def context(self) -> dict[str, Any]:
        found = super().context() | {"step": self.step}
        if self.variant is None:
            return found
        main, about, *_ = self.sheets
        return found | {
            "main": main.context(self.known),
            "about": about.context(self.known),
            "inline": self.inline,
            "listed": self.listed,
            "up": edits.next_to(self.document, self.key, -1),
            "down": edits.next_to(self.document, self.key, 1),
        }


class ArmPanel(Panel):
    """A way behind a step: whom it is for, and what it is called."""

    template = "journeys/editor/panel_arm.html"
    icon = "subdirectory_arrow_right"

    def prepare(self) -> None:
        _, self.key, self.arm = self.name.rstrip("/").split("/")[:3]
        self.step = shape.find(self.document, self.key).step
        rows = shape.arms(self.step)
        found = next((one for one in rows if one.given.get("key") == self.arm), None)
        if found is None:
            raise Gone("This way is no longer there: somebody took it out.")
        self.given = found.given
        variant = kinds.steps[self.step["kind"]]
        fields = variant.arm_fields.get(found.path.partition("[")[0], ())
        self.simple = [one for one in fields if is_simple([one])]
        self.is_rest = found is rows[-1] and any(isinstance(one, ConditionField) for one in fields)
        self._sheet([_LABEL, *self.simple], self.given, "f")
        if any(isinstance(one, Names) for one in fields):
            self.asks = Happening(self.given, self.data, self.known)
        self.condition = next((one.name for one in fields if isinstance(one, ConditionField)), "")
        if self.condition and not self.is_rest:
            self.asks = Condition(self.given.get(self.condition), self.data, self.known)

    @property
    def heading(self) -> str:
        said = str(self.given.get("label") or words.arm(self.step, self.given))
        return f"{said[:1].upper()}{said[1:]}"

    @property
    def lead(self) -> str:  # type: ignore[override]
        return "Whoever goes none of the other ways goes this one." if self.is_rest else "Whom this way is for."

    @property
    def of(self) -> str:
        return words.title(self.step)

    @property
    def selected(self) -> str:
        return f"card-{id_of(self.key)}"

    def edit(self) -> Edit | None:
        given = self.sheets[0].read(self.given)
        if isinstance(self.asks, Happening):
            given |= self.asks.value
        elif isinstance(self.asks, Condition):
            given[self.condition] = self.asks.value
        return Change(self.key, {}, {self.arm: given}) if self._is_read() else None


def panel(document: Document, name: str, known: Known, data: Data | None = None) -> Panel:
    """The panel of an address such as `step/hello`, `way/active/yes`, `part/goal` or `part/trigger/0`; else `Gone`."""
    kind, _, rest = name.strip("/").partition("/")
    if kind == "step" and rest:
        return StepPanel(document, name, known, data)
    if kind == "way" and rest.count("/") == 1:
        return ArmPanel(document, name, known, data)
    if kind == "part":
        part, _, number = rest.partition("/")
        if part == "trigger" and number.isdecimal() and len(number) < 4:
            return TriggerPanel(document, name, known, data)
        if part in PARTS and not number:
            return PARTS[part](document, name, known, data)
    raise Gone("There is nothing of this name in the journey.")
