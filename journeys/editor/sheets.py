"""A sheet of fields within a panel: shown from a document or from what was sent, and read back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from journeys.editor.known import Known
from journeys.editor.widgets import Drawn, Unreadable, Widget, widget
from journeys.fields import Condition, Field, Names, Where
from segments.editor.values import Values, inner, text


@dataclass
class Sheet:
    """Fields under a common root of names. `one_of`: those of which one is chosen, the others then empty."""

    fields: Sequence[Field]
    values: Values
    root: str
    one_of: Sequence[str] = ()
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def shown(cls, fields: Sequence[Field], given: Mapping[str, Any], root: str, one_of: Sequence[str] = ()) -> "Sheet":
        values: Values = {one.name: widget(one).show(given.get(one.name)) for one in fields}
        if one_of:
            values["which"] = next((name for name in one_of if given.get(name) is not None), one_of[0])
        return cls(fields, values, root, one_of)

    @classmethod
    def sent(cls, fields: Sequence[Field], values: Values, root: str, one_of: Sequence[str] = ()) -> "Sheet":
        return cls(fields, values, root, one_of)

    @property
    def which(self) -> str:
        chosen = text(self.values, "which")
        return chosen if chosen in self.one_of else next(iter(self.one_of), "")

    def read(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Field to value, None where empty; `errors` says what could not be read."""
        found: dict[str, Any] = {}
        for one in self.fields:
            shows = widget(one)
            if self.one_of and one.name in self.one_of and one.name != self.which:
                found[one.name] = None
            elif shows.form == "kept" or text(inner(self.values, one.name), "deep"):
                found[one.name] = before.get(one.name)
            else:
                found[one.name] = self._read(one.name, shows)
        return found

    def _read(self, name: str, shows: Widget) -> Any:
        try:
            return shows.read(inner(self.values, name))
        except Unreadable as unreadable:
            self.errors[name] = str(unreadable)
            return None

    def drawn(self, known: Known) -> list[Drawn]:
        made = []
        for one in self.fields:
            name = f"{self.root}.{one.name}"
            drawn = widget(one).drawn(name, inner(self.values, one.name), known, self.errors.get(one.name, ""))
            drawn.chosen = one.name not in self.one_of or one.name == self.which
            made.append(drawn)
        return made

    def context(self, known: Known) -> dict[str, Any]:
        drawn = self.drawn(known)
        by_name = {one.name: shown for one, shown in zip(self.fields, drawn, strict=True)}
        return {
            "which_name": f"{self.root}.which",
            "which": self.which,
            "alternatives": [(name, by_name[name]) for name in self.one_of],
            "fields": [shown for one, shown in zip(self.fields, drawn, strict=True) if one.name not in self.one_of],
        }


def is_simple(fields: Sequence[Field]) -> bool:
    """Whether the fields fit on a few lines: no condition and no event among them."""
    return not any(isinstance(one, Condition | Names | Where) for one in fields)
