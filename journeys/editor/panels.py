"""What can be opened beside the flow: a step, one of its ways, what starts the journey, its goal and so on.

A panel shows what the document says, reads what was sent, and gives the edit that it means. What it cannot read it says
beside the field, and keeps what was typed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from journeys import kinds
from journeys.editor import edits, shape, words
from journeys.editor.asked import Condition, Data, Happening
from journeys.editor.edits import Change, Edit, Set, SetAll
from journeys.editor.flow import id_of, trigger_kinds
from journeys.editor.known import Known
from journeys.editor.shape import Document, Gone
from journeys.editor.sheets import Sheet, is_simple
from journeys.fields import Condition as ConditionField
from journeys.fields import Duration, Field, Names, Slug, Text
from journeys.steps.split import Weight
from messaging import templates
from segments.editor.values import Values, inner, nested, numbered, text

Asks = Condition | Happening
_LABEL = Text(name="label", label="Name", required=False, longest=200)
_RARE = ("salt",)  # fields that hardly anybody needs


@dataclass
class Panel:
    """One opened thing. `given` is what the document says of it, `data` what was sent instead."""

    document: Document
    name: str  # the end of its address
    known: Known
    data: Data | None = None
    alert: str = ""
    sheets: list[Sheet] = field(default_factory=list)
    asks: Asks | None = None

    template: ClassVar[str] = "journeys/editor/panel_fields.html"
    title: ClassVar[str] = ""
    lead: ClassVar[str] = ""
    icon: ClassVar[str] = "circle"

    def __post_init__(self) -> None:
        self.prepare()

    def prepare(self) -> None:
        raise NotImplementedError

    def edit(self) -> Edit | None:
        """What is meant; None where something cannot be read, which is said then."""
        raise NotImplementedError

    @property
    def heading(self) -> str:
        return self.title

    @property
    def selected(self) -> str:
        """The id of the card that this is about."""
        return ""

    def context(self) -> dict[str, Any]:
        found = {"panel": self, "sheets": [sheet.context(self.known) for sheet in self.sheets]}
        return found | (self.asks.context() if self.asks else {})

    # ── Help for those who read ──────────────────────────────────────────────────────────────────────────────────────
    def _sheet(self, fields: Sequence[Field], given: Mapping[str, Any], root: str, one_of: Sequence[str] = ()) -> Sheet:
        if self.data is None:
            sheet = Sheet.shown(fields, given, root, one_of)
        else:
            sheet = Sheet.sent(fields, self._sent(root), root, one_of)
        self.sheets.append(sheet)
        return sheet

    def _sent(self, root: str) -> Values:
        first, *rest = root.split(".")
        values = nested(self.data or {}, first)
        for part in rest:
            values = inner(values, part)
        return values

    def _is_read(self) -> bool:
        if any(sheet.errors for sheet in self.sheets):
            self.alert = "It is not saved yet: mend what is marked below."
        elif self.asks is not None and not self.asks.is_sound:
            self.alert = "It is not saved yet: the condition is not finished. Mend what is marked below."
        return not self.alert


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


# ── The whole ────────────────────────────────────────────────────────────────────────────────────────────────────────
class TriggersPanel(Panel):
    """What starts the journey: one thing, or any of several."""

    template = "journeys/editor/panel_triggers.html"
    title, icon = "What starts it", "bolt"
    lead = "Whoever this happens to enters the journey. Of several, any will do."

    def prepare(self) -> None:
        self.listed = [
            (number, words.trigger(one), bool(getattr(kinds.triggers.get(str(one.get("kind"))), "fields", ())))
            for number, one in enumerate(words.triggers_of(self.document["entry"]))
        ]
        self.kinds = trigger_kinds()

    def edit(self) -> Edit | None:
        return None

    @property
    def selected(self) -> str:
        return "part-trigger"


class TriggerPanel(Panel):
    """One of the things that start the journey."""

    template = "journeys/editor/panel_trigger.html"

    def prepare(self) -> None:
        self.number = int(self.name.rstrip("/").rpartition("/")[2])
        rows = words.triggers_of(self.document["entry"])
        if not 0 <= self.number < len(rows):
            raise Gone("This start is no longer there: somebody took it out.")
        self.given = rows[self.number]
        variant = kinds.triggers.get(str(self.given.get("kind")))
        if variant is None:
            raise Gone("This kind of start is known no more. Take it out, and choose another.")
        self.variant = variant
        if any(isinstance(one, Names) for one in variant.fields):
            self.asks = Happening(self.given, self.data, self.known)
        self._sheet([one for one in variant.fields if is_simple([one])], self.given, "f")

    @property
    def heading(self) -> str:
        return self.variant.label

    @property
    def icon(self) -> str:  # type: ignore[override]
        return self.variant.icon

    @property
    def lead(self) -> str:  # type: ignore[override]
        return self.variant.about

    @property
    def selected(self) -> str:
        return "part-trigger"

    def edit(self) -> Edit | None:
        given = {"kind": self.variant.key, **self.sheets[0].read(self.given)}
        if isinstance(self.asks, Happening):
            given |= self.asks.value
        rows = [dict(one) for one in words.triggers_of(self.document["entry"])]
        rows[self.number] = {name: value for name, value in given.items() if value is not None}
        return Set("trigger", rows[0] if len(rows) == 1 else rows) if self._is_read() else None


class FilterPanel(Panel):
    title, icon, lead = (
        "Who is let in",
        "filter_alt",
        "Asked when it starts for somebody. Whoever does not fit stays out, and is told of.",
    )

    def prepare(self) -> None:
        given = self.document["entry"].get("filter")
        self.asks = self.who = Condition(None if given == {"all": []} else given, self.data, self.known)

    @property
    def selected(self) -> str:
        return "part-filter"

    def edit(self) -> Edit | None:
        return Set("filter", self.who.value) if self._is_read() else None


class ExitPanel(Panel):
    title, icon = "When people leave early", "logout"
    lead = "Whoever this becomes true of leaves at once, wherever they stand, and gets nothing more."

    def prepare(self) -> None:
        self.asks = self.who = Condition(self.document.get("exit"), self.data, self.known)

    @property
    def selected(self) -> str:
        return "part-exit"

    def edit(self) -> Edit | None:
        return Set("exit", self.who.value) if self._is_read() else None


_WITHIN = Duration(name="within", label="Counts within", required=False)


class GoalPanel(Panel):
    """What the journey is for."""

    template = "journeys/editor/panel_goal.html"
    title, icon = "The goal", "emoji_events"
    lead = "What people are to do because of this journey. It counts what they do after they entered."

    def prepare(self) -> None:
        given = self.document.get("goal") or {}
        self.asks = self.what = Condition(given.get("condition"), self.data, self.known)
        self._sheet([_WITHIN], given, "f")
        self.leaves = given.get("exit") is not False if self.data is None else self.data.get("leaves") == "1"

    @property
    def selected(self) -> str:
        return "part-goal"

    def edit(self) -> Edit | None:
        within = self.sheets[0].read({})["within"]
        if not self._is_read():
            return None
        if self.what.is_empty:
            return Set("goal", None)
        goal = {"condition": self.what.value, "exit": self.leaves, **({"within": within} if within else {})}
        return Set("goal", goal)


_GAP = Duration(name="gap", label="At the earliest, after they began last", required=False)
_KEY = Text(name="key", label="Property of the event that tells one from another", required=False, longest=255)


class ReentryPanel(Panel):
    """How often somebody may take part."""

    template = "journeys/editor/panel_reentry.html"
    title, icon, lead = "How often", "replay", "How often the same person may go on this journey."
    rules: ClassVar[Sequence[tuple[str, str, str]]] = [
        ("once", "Once", "and never again"),
        ("again", "Again", "once the last time has ended"),
        ("every_time", "Every time", "that it happens, also several at a time"),
    ]

    def prepare(self) -> None:
        given = self.document["entry"].get("reentry") or {}
        self._sheet([_GAP, _KEY], given, "f")
        self.rule = str((self.data or {}).get("rule") or given.get("rule") or "once")

    @property
    def selected(self) -> str:
        return "part-reentry"

    def edit(self) -> Edit | None:
        read = self.sheets[0].read({})
        more = {"again": "gap", "every_time": "key"}.get(self.rule, "")
        if more != "gap":
            self.sheets[0].errors.pop("gap", None)
        if not self._is_read():
            return None
        rule = {"rule": self.rule, **({more: read[more]} if more and read[more] else {})}
        return Set("reentry", None if rule == {"rule": "once"} else rule)


class Whole(Weight):
    """A whole number; the document says which are too large."""


_PRIORITY = Whole(name="priority", label="Priority, from -100 to 100", required=False)
_HARMS = (
    Whole(name="failed", label="Failed, of its last 200 messages", required=False),
    Whole(name="bounced", label="Bounced", required=False),
    Whole(name="complained", label="Marked as spam", required=False),
)


class SettingsPanel(Panel):
    """How the journey stands to others, and when it pauses itself."""

    template = "journeys/editor/panel_settings.html"
    title, icon, lead = "Settings", "tune", "What hardly any journey needs to say otherwise."

    def prepare(self) -> None:
        limits = self.document.get("pauses_above")
        self._sheet([_PRIORITY], self.document, "f")
        self._sheet(_HARMS, limits if isinstance(limits, Mapping) else {}, "h")

    @property
    def selected(self) -> str:
        return "part-settings"

    def edit(self) -> Edit | None:
        priority = self.sheets[0].read({})["priority"]
        limits = {name: value for name, value in self.sheets[1].read({}).items() if value is not None}
        if not self._is_read():
            return None
        return SetAll({"priority": priority or None, "pauses_above": limits or None})


_PARTS: dict[str, type[Panel]] = {
    "trigger": TriggersPanel,
    "filter": FilterPanel,
    "reentry": ReentryPanel,
    "goal": GoalPanel,
    "exit": ExitPanel,
    "settings": SettingsPanel,
}


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
        if part in _PARTS and not number:
            return _PARTS[part](document, name, known, data)
    raise Gone("There is nothing of this name in the journey.")
