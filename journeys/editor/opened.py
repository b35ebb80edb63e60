"""What all panels have in common: sheets of fields, a condition or an event, and reading what was sent.

A panel shows what the document says, reads what was sent, and gives the edit that it means. What it cannot read it says
beside the field, and keeps what was typed.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from journeys.editor.asked import Condition, Data, Happening
from journeys.editor.edits import Edit
from journeys.editor.known import Known
from journeys.editor.shape import Document
from journeys.editor.sheets import Sheet
from journeys.fields import Field
from segments.editor.values import Values, inner, nested

Asks = Condition | Happening


@dataclass
class Panel(ABC):
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

    @abstractmethod
    def prepare(self) -> None:
        """Reads what is given, or what was sent instead, into the sheets of the form."""

    @abstractmethod
    def edit(self) -> Edit | None:
        """What is meant; None where something cannot be read, which is said then."""

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
