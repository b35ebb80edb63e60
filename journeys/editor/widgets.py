"""How each kind of field of a step or trigger is filled in: from a document to a form, and back.

What a field is says which widget it has, so that a new kind of step has its form from its first day. A field that no
widget knows is left as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from foundation.wording import spoken
from journeys import cron, hours
from journeys.editor.known import Known
from journeys.fields import Choice, Duration, Field, Slug, Text
from journeys.filling import Liquid
from journeys.steps.split import Weight
from journeys.steps.update import Values as Assigned
from journeys.steps.wait import Date, LocalTime
from journeys.steps.wait_for import LookBack
from journeys.steps.webhook import Address, Body
from journeys.triggers.date import TimeOfDay, YesNo
from journeys.triggers.schedule import Cron
from segments.editor.controls import Option
from segments.editor.values import Values, inner, numbered, text

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
UNITS = ("minutes", "hours", "days", "weeks")
LONG = 300  # characters from which on a text has room for lines


class Unreadable(Exception):
    """What was typed says nothing that could be kept; the sentence says what would."""


@dataclass
class Drawn:
    """A field as its template draws it. `form` says by which part of the template."""

    form: str
    name: str
    label: str
    values: Values
    hint: str = ""
    error: str = ""
    required: bool = False
    options: Sequence[tuple[str, list[Option]]] = ()
    suggestions: Sequence[Option] = ()
    rows: Sequence[Any] = ()
    longest: int = 0
    chosen: bool = True

    days: ClassVar[Sequence[tuple[str, str]]] = [(str(n), day) for n, day in enumerate(DAYS, 1)]
    units: ClassVar[Sequence[str]] = UNITS

    @property
    def id(self) -> str:
        return f"field-{self.name.replace('.', '-')}"

    @property
    def value(self) -> str:
        return text(self.values, "is")

    @property
    def weekdays(self) -> list[tuple[str, str, bool]]:
        return [(number, day, text(self.values, f"d{number}") == "1") for number, day in self.days]


@dataclass
class Widget:
    """One field. `show` makes the values of a form of what a document says, `read` the reverse: None where empty."""

    field: Field
    form: ClassVar[str] = "text"
    hint: ClassVar[str] = ""

    def show(self, value: Any) -> Values:
        return {"is": "" if value is None else str(value)}

    def read(self, values: Values) -> Any:
        return text(values, "is").strip() or None

    def drawn(self, name: str, values: Values, known: Known, error: str = "") -> Drawn:
        return Drawn(
            self.form,
            name,
            self.field.label,
            values,
            hint=self.hint,
            error=error,
            required=self.field.required,
            longest=getattr(self.field, "longest", 0),
            options=self.options(known, text(values, "is")),
            suggestions=self.suggestions(known),
        )

    def options(self, known: Known, value: str) -> Sequence[tuple[str, list[Option]]]:
        return ()

    def suggestions(self, known: Known) -> Sequence[Option]:
        return known.attributes() if self.field.name == "attribute" else ()


class Line(Widget):
    """A text; one with room for lines where it may be long."""

    def drawn(self, name: str, values: Values, known: Known, error: str = "") -> Drawn:
        drawn = super().drawn(name, values, known, error)
        drawn.form = "area" if drawn.longest > LONG and self.field.name != "reason" else "text"
        return drawn


class Spoken(Widget):
    """A text with Liquid in it."""

    form = "area"
    hint = "{{ profile.first_name }} becomes their first name. What nobody knows stands there by its name."


class Picked(Widget):
    """Something that is defined elsewhere, chosen by its name."""

    form = "choice"

    def options(self, known: Known, value: str) -> Sequence[tuple[str, list[Option]]]:
        return known.picks(self.field.of, value)  # type: ignore[attr-defined]  # of a Slug


class Chosen(Widget):
    form = "choice"

    def options(self, known: Known, value: str) -> Sequence[tuple[str, list[Option]]]:
        among = self.field.among  # type: ignore[attr-defined]  # of a Choice
        return [("", [Option(one, spoken(one)) for one in among])]


class Ticked(Widget):
    form = "tick"

    def show(self, value: Any) -> Values:
        return {"is": "1" if value else ""}

    def read(self, values: Values) -> Any:
        return True if text(values, "is") else None


class Number(Widget):
    form = "number"

    def show(self, value: Any) -> Values:
        return {"is": f"{value:g}" if isinstance(value, int | float) else ""}

    def read(self, values: Values) -> Any:
        return number(text(values, "is"))


def number(typed: str) -> int | float | None:
    typed = typed.strip().replace(",", ".")
    if not typed:
        return None
    try:
        found = float(typed)
    except ValueError:
        raise Unreadable("Type a number.") from None
    if not -1e15 < found < 1e15:
        raise Unreadable("This number is too large.")
    return int(found) if found.is_integer() else found


class Length(Widget):
    """A length of time, as a number and a unit; one that may lead back says before or after."""

    form = "length"

    @property
    def signed(self) -> bool:
        return bool(getattr(self.field, "signed", False))

    def show(self, value: Any) -> Values:
        if not isinstance(value, Mapping) or len(value) != 1:
            return {"n": "", "unit": "days", "side": "before"}
        [(unit, count)] = value.items()
        size = abs(count) if isinstance(count, int | float) else count
        side = "on" if size == 0 else "before" if isinstance(count, int | float) and count < 0 else "after"
        return {"n": str(size), "unit": str(unit), "side": side}

    def read(self, values: Values) -> Any:
        if self.signed and text(values, "side") == "on":
            return None
        count = number(text(values, "n"))
        if count is None:
            return None
        if not isinstance(count, int) or count < 1:
            raise Unreadable("Type a whole number, 1 or more.")
        unit = text(values, "unit", "days")
        return {
            unit if unit in UNITS else "days": -count if self.signed and text(values, "side") == "before" else count
        }

    def drawn(self, name: str, values: Values, known: Known, error: str = "") -> Drawn:
        drawn = super().drawn(name, values, known, error)
        drawn.form = "away" if self.signed else "length"
        return drawn


class Hour(Widget):
    form = "time"

    def read(self, values: Values) -> Any:
        return _time(text(values, "is"))


def _time(typed: str) -> str | None:
    typed = typed.strip()
    if typed and hours.read(typed) is None:
        raise Unreadable("Type a time of day such as 09:00.")
    return typed or None


class Local(Widget):
    """A time of day, on some days of the week."""

    form = "local"

    def show(self, value: Any) -> Values:
        given = value if isinstance(value, Mapping) else {}
        days = given.get("weekdays") or range(1, 8)
        return {"is": str(given.get("time") or "09:00"), **{f"d{day}": "1" for day in days}}

    def read(self, values: Values) -> Any:
        time = _time(text(values, "is"))
        days = _weekdays(values)
        if time is None:
            return None
        if not days:
            raise Unreadable("Choose at least one day of the week.")
        return {"time": time, **({"weekdays": days} if len(days) < 7 else {})}


def _weekdays(values: Values) -> list[int]:
    return [day for day in range(1, 8) if text(values, f"d{day}") == "1"]


class Dated(Widget):
    """A date that is known of them, and how far from it."""

    form = "dated"

    def show(self, value: Any) -> Values:
        given = value if isinstance(value, Mapping) else {}
        return {
            "is": str(given.get("attribute") or ""),
            "offset": self._offset.show(given.get("offset") or {"days": 0}),
        }

    def read(self, values: Values) -> Any:
        name, offset = text(values, "is").strip(), self._offset.read(inner(values, "offset"))
        return {"attribute": name, **({"offset": offset} if offset else {})} if name else None

    def suggestions(self, known: Known) -> Sequence[Option]:
        return known.attributes()

    @property
    def _offset(self) -> Length:
        return Length(Duration(name="offset", label="Away from it by", required=False, signed=True))


class Back(Widget):
    """From when on what was done counts."""

    form = "back"

    def show(self, value: Any) -> Values:
        if isinstance(value, Mapping):
            return {"is": "length", **Length(self.field).show(value)}
        return {"is": str(value or "entry"), "n": "1", "unit": "days"}

    def read(self, values: Values) -> Any:
        chosen = text(values, "is", "entry")
        if chosen == "length":
            return Length(Duration(name="", label="")).read(values)
        return chosen if chosen == "step" else None


class Often(Widget):
    """A rule of time: on days of the week or of the month, at an hour; what is finer than that stands as a rule."""

    form = "often"

    def show(self, value: Any) -> Values:
        words = str(value or "0 9 * * 1").split()
        found: Values = {"is": "week", "rule": str(value or "")}
        if len(words) != 5 or not (words[0].isdigit() and words[1].isdigit()) or words[3] != "*":
            return {**found, "is": "rule", "at": "09:00"}
        found["at"] = f"{int(words[1]):02}:{int(words[0]):02}"
        if words[2].isdigit() and words[4] == "*":
            return {**found, "is": "month", "day": words[2]}
        days = range(1, 8) if words[4] == "*" else words[4].split(",")
        if words[2] != "*" or not all(str(day).isdigit() for day in days):
            return {**found, "is": "rule"}
        return {**found, **{f"d{int(day) or 7}": "1" for day in days}}

    def read(self, values: Values) -> Any:
        chosen = text(values, "is", "week")
        if chosen == "rule":
            return self._checked(text(values, "rule").strip())
        time = _time(text(values, "at")) or "09:00"
        hour, minute = (int(part) for part in time.split(":")[:2])
        if chosen == "month":
            day = number(text(values, "day")) or 1
            return self._checked(f"{minute} {hour} {day} * *")
        days = _weekdays(values)
        if not days:
            raise Unreadable("Choose at least one day of the week.")
        return f"{minute} {hour} * * {'*' if len(days) == 7 else ','.join(map(str, days))}"

    def _checked(self, rule: str) -> str | None:
        try:
            cron.read(rule)
        except cron.Unreadable as unreadable:
            raise Unreadable(f"The rule {unreadable}.") from None
        return rule


class Assigns(Widget):
    """Names and values, a row each, with an empty row at the end."""

    form = "assigns"
    hint = "A new row appears once this is saved. A row without a name is left out."
    TYPES: ClassVar[Sequence[tuple[str, str]]] = [
        ("text", "the text"),
        ("number", "the number"),
        ("yes", "yes"),
        ("no", "no"),
        ("list", "the list"),
        ("nothing", "nothing (empty it)"),
    ]

    def show(self, value: Any) -> Values:
        rows = value.items() if isinstance(value, Mapping) else ()
        return {str(number): _row(name, one) for number, (name, one) in enumerate(rows)}

    def read(self, values: Values) -> Any:
        found = {}
        for _, row in numbered(values):
            if isinstance(row, dict) and (name := text(row, "name").strip()):
                found[name] = _typed(text(row, "type", "text"), text(row, "value"))
        return found or None

    def drawn(self, name: str, values: Values, known: Known, error: str = "") -> Drawn:
        drawn = super().drawn(name, values, known, error)
        rows = [row for _, row in numbered(values) if isinstance(row, dict)]
        drawn.rows = [
            (number, {"name": "", "type": "text", "value": "", **row}, self.TYPES)
            for number, row in enumerate([*rows, {}])
        ]
        drawn.suggestions = known.attributes()
        return drawn


def _row(name: str, value: Any) -> Values:
    match value:
        case None:
            return {"name": name, "type": "nothing", "value": ""}
        case bool():
            return {"name": name, "type": "yes" if value else "no", "value": ""}
        case int() | float():
            return {"name": name, "type": "number", "value": f"{value}"}
        case list():
            return {"name": name, "type": "list", "value": ", ".join(map(str, value))}
    return {"name": name, "type": "text", "value": str(value)}


def _typed(kind: str, typed: str) -> Any:
    match kind:
        case "number":
            found = number(typed)
            if found is None:
                raise Unreadable("Type a number.")
            return found
        case "yes" | "no":
            return kind == "yes"
        case "list":
            return [one.strip() for one in typed.split(",") if one.strip()]
        case "nothing":
            return None
    return typed


class Sent(Assigns):
    """What a call says: names and values, where they are no deeper than that; else it stays as it is."""

    hint = "{{ profile.first_name }} becomes their first name. A new row appears once this is saved."

    def show(self, value: Any) -> Values:
        if isinstance(value, Mapping) and any(isinstance(one, Mapping | list) for one in value.values()):
            return {"deep": "1"}
        return super().show(value)

    def drawn(self, name: str, values: Values, known: Known, error: str = "") -> Drawn:
        drawn = super().drawn(name, values, known, error)
        drawn.form = "deep" if text(values, "deep") else drawn.form
        return drawn


class Link(Widget):
    """A web address."""

    hint = "It begins with https:// and leads to a program of yours."


class Kept(Widget):
    """What has no form: it stays as it is."""

    form = "kept"


_WIDGETS: dict[type[Field], Callable[[Field], Widget]] = {
    LocalTime: Local,
    Date: Dated,
    LookBack: Back,
    Address: Link,
    Body: Sent,
    Weight: Number,
    Assigned: Assigns,
    Liquid: Spoken,
    TimeOfDay: Hour,
    YesNo: Ticked,
    Cron: Often,
    Duration: Length,
    Slug: Picked,
    Choice: Chosen,
    Text: Line,
}


def widget(field: Field) -> Widget:
    """The widget of a field: that of the most particular class that it is of."""
    for kind in type(field).__mro__:
        if kind in _WIDGETS:
            return _WIDGETS[kind](field)
    return Kept(field)
