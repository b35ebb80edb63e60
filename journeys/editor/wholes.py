"""Panels on the whole of a journey: what starts it, who is let in and how often, its goal, exit and settings."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from journeys import kinds
from journeys.editor import words
from journeys.editor.asked import Condition, Happening
from journeys.editor.edits import Edit, Set, SetAll
from journeys.editor.flow import trigger_kinds
from journeys.editor.opened import Panel
from journeys.editor.shape import Gone
from journeys.editor.sheets import is_simple
from journeys.fields import Duration, Names, Text
from journeys.steps.split import Weight


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


PARTS: dict[str, type[Panel]] = {
    "trigger": TriggersPanel,
    "filter": FilterPanel,
    "reentry": ReentryPanel,
    "goal": GoalPanel,
    "exit": ExitPanel,
    "settings": SettingsPanel,
}
