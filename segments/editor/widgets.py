"""How each kind of field is filled in: from a definition to a form, back again, and what is drawn between.

The fields are those that the conditions declare; what reads one says which widget it has. So a new kind of condition
has its form from its first day.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from foundation import wording
from foundation.errors import Invalid
from segments import behaviour, comparing, fields
from segments.conditions.top import shared_window
from segments.editor import operators
from segments.editor.controls import Area, Choice, Control, Drawn, Entry, Hidden, Option, Press, Words
from segments.editor.known import Known
from segments.editor.operators import Unreadable
from segments.editor.values import Values, inner, numbered, text
from segments.places import Place, Scope

Problems = dict[str, str]  # path within the condition -> what is wrong
CLOSED = ("segment", "topic", "channel")  # chosen from a list; all else is typed, with suggestions


@dataclasses.dataclass(frozen=True)
class Around:
    """What a field is drawn in: which condition, what was chosen beside it, and what is known."""

    place: str
    known: Known
    subject: tuple[str, ...] = ()
    about: str = ""


class Widget:
    """One field. Its values stand under its own name; a field of several keys reads and writes them all."""

    def __init__(self, field: Any, name: str) -> None:
        self.look: fields.Look = field.metadata["look"]
        self.reads = field.metadata["read"]
        self.name = name

    def show(self, value: Any) -> Values:
        """The form that says `value`."""
        raise NotImplementedError

    def read(self, values: Values, path: str, problems: Problems) -> Any:
        """What the form says; None where nothing was said."""
        raise NotImplementedError

    def draw(self, values: Values, name: str, around: Around) -> Drawn:
        raise NotImplementedError

    @property
    def label(self) -> str:
        return self.look.label or wording.spoken(self.name)

    def typed(self, said: Callable[[], Any], path: str, problems: Problems) -> Any:
        try:
            return said()
        except Unreadable as unreadable:
            problems[path] = str(unreadable)
            return unreadable.value


class Text(Widget):
    def show(self, value: Any) -> Values:
        return {"is": value}

    def read(self, values: Values, path: str, problems: Problems) -> Any:
        return text(values, "is") or None

    def draw(self, values: Values, name: str, around: Around) -> Drawn:
        value = text(values, "is")
        if self.look.of in CLOSED:
            options = around.known.options(self.look.of)
            return Drawn([Choice(name=f"{name}.is", label=self.label, value=value, options=options)])
        subject = around.subject if self.look.of in ("property", "measured") else ()
        suggestions = around.known.suggestions(self.look.of, subject) if self.look.of else ""
        redraws = self.look.of in ("attribute", "account", "property")
        entry = Entry(
            name=f"{name}.is", label=self.label, value=value, size=15, suggestions=suggestions, redraws=redraws
        )
        return Drawn([entry])


class Names(Widget):
    """One name, or any of several."""

    def show(self, value: Any) -> Values:
        listed = value if isinstance(value, list) else [value]
        return {**{str(n): name for n, name in enumerate(listed)}, **({"listed": "1"} if listed is value else {})}

    def read(self, values: Values, path: str, problems: Problems) -> Any:
        names = [value for _, value in numbered(values) if isinstance(value, str)]
        if len(names) > 1 or (text(values, "listed") and names):
            return names
        return names[0] if names and names[0] else None

    def draw(self, values: Values, name: str, around: Around) -> Drawn:
        names = [value for _, value in numbered(values) if isinstance(value, str)] or [""]
        line: list[Control] = []
        for number, value in enumerate(names):
            if number:
                line.append(Words(value="or"))
            line.append(
                Entry(
                    name=f"{name}.{number}",
                    label=self.label if len(names) == 1 else f"{self.label}, {number + 1}",
                    value=value,
                    size=20,
                    suggestions=around.known.suggestions("event"),
                    redraws=True,
                )
            )
            if len(names) > 1:
                line.append(_remove(around, f"{name}.{number}", f"Take out “{value or number + 1}”"))
        more = Press(value=f"name:{around.place}:{_own(name)}", label="Or something else", icon="add", text="or …")
        listed = [Hidden(name=f"{name}.listed", value="1")] if text(values, "listed") else []
        return Drawn([*line, more, *listed])


class Chosen(Widget):
    def show(self, value: Any) -> Values:
        return {"is": value}

    def read(self, values: Values, path: str, problems: Problems) -> Any:
        return text(values, "is") or self.reads.options[0]

    def draw(self, values: Values, name: str, around: Around) -> Drawn:
        options = [Option(one, self.look.words.get(one, wording.spoken(one).lower())) for one in self.reads.options]
        value = text(values, "is") or options[0].value
        return Drawn([Choice(name=f"{name}.is", label=self.label, value=value, options=options)])


class Number(Widget):
    def show(self, value: Any) -> Values:
        return {"is": operators.written(value)}

    def read(self, values: Values, path: str, problems: Problems) -> Any:
        return self.typed(lambda: operators.number(text(values, "is")), path, problems)

    def draw(self, values: Values, name: str, around: Around) -> Drawn:
        entry = _number(f"{name}.is", self.label, text(values, "is"))
        return Drawn([entry])


class Length(Widget):
    """A length of time."""

    def show(self, value: Any) -> Values:
        return operators.duration_shown(value)

    def read(self, values: Values, path: str, problems: Problems) -> Any:
        return self.typed(lambda: operators.duration(values), path, problems)

    def draw(self, values: Values, name: str, around: Around) -> Drawn:
        return Drawn(_length(values, name, self.label))


class When(Widget):
    """A window of time."""

    def show(self, value: Any) -> Values:
        [(key, said)] = value.items()
        match key:
            case "last":
                return {"kind": "last", **operators.duration_shown(said)}
            case "between":
                return {"kind": "between", "from": said[0], "to": said[1]}
        return {"kind": f"since_{said}"}

    def read(self, values: Values, path: str, problems: Problems) -> Any:
        kind = text(values, "kind")
        match kind:
            case "last":
                length = self.typed(lambda: operators.duration(values), f"{path}.last", problems)
                if length is None:
                    problems[f"{path}.last"] = "Say how long."
                return {"last": length}
            case "between":
                edges = [operators.moment(text(values, key)) for key in ("from", "to")]
                for number, edge in enumerate(edges):
                    if not edge:
                        problems[f"{path}.between[{number}]"] = "Choose a day."
                return {"between": edges}
            case "since_entry" | "since_step":
                return {"since": kind.removeprefix("since_")}
        return None

    def draw(self, values: Values, name: str, around: Around) -> Drawn:
        kind = text(values, "kind", "ever") or "ever"
        options = [Option("ever", "ever"), Option("last", "in the last"), Option("between", "between two dates")]
        if kind.startswith("since_") or around.known.in_journey:
            options += [
                Option("since_entry", "since the journey began"),
                Option("since_step", "since the step began"),
            ]
        line: list[Control] = [Choice(name=f"{name}.kind", label=self.label, value=kind, options=options)]
        if kind == "last":
            line += _length(values, name, self.label)
        if kind == "between":
            line += [
                _moment(f"{name}.from", f"{self.label}: from", text(values, "from")),
                Words(value="until before"),
                _moment(f"{name}.to", f"{self.label}: until before", text(values, "to")),
            ]
        return Drawn(line)


class Compare(Widget):
    """An operator with its value; of `figures` those on numbers, of `counts` too, with words for how often."""

    figures = False
    counts = False

    def show(self, value: Any) -> Values:
        return operators.shown(value["op"], value.get("value"), counts=self.counts)

    def read(self, values: Values, path: str, problems: Problems) -> Any:
        usually = self._usual(set())
        try:
            return operators.read({"value": self._first(), **values}, usually)
        except Unreadable as unreadable:
            where = "value" if not path or not self.counts else f"{path}.value"
            problems[where if self.counts else f"{path}value"] = str(unreadable)
            return {"op": text(values, "op", usually).partition(":")[0], "value": unreadable.value}

    def _first(self) -> str:
        """The value that stands there at first."""
        return "1" if self.counts else ""

    def _usual(self, types: set[str]) -> str:
        return "gte:number" if self.figures or self.counts else operators.usual(types)

    def draw(self, values: Values, name: str, around: Around) -> Drawn:
        of = around.about
        types = around.known.types(of, around.subject) if of and not self.figures and not self.counts else set()
        current = text(values, "op") or self._usual(types)
        if current == "is:text" and not text(values, "value"):
            current = self._usual(types)  # nothing was said yet, and now it is known what fits
        op, how = operators.takes({"op": current}, current)
        options = self._options(types)
        if current not in {option.value for option in options}:
            options = [Option(current, operators.said(current)), *options]
        label = self.look.label or "How it compares"
        line: list[Control] = [Choice(name=f"{name}.op", label=label, value=current, options=options)]
        line += self._value(op, how, values, name, around)
        if self.counts and how != "never":
            line.append(Words(value="times"))
        return Drawn(line)

    def _options(self, types: set[str]) -> list[Option]:
        if self.counts:
            return operators.for_counts()
        return operators.for_figures() if self.figures else operators.for_values(types)

    def _value(self, op: str, how: str, values: Values, name: str, around: Around) -> list[Control]:
        value, label = text(values, "value", self._first()), "How many times" if self.counts else "Value"
        match how:
            case "nothing" | "empty" | "yes" | "no" | "never":
                return []
            case "duration":
                return _length(values, name, "Time")
            case "number":
                return [_number(f"{name}.value", label, value)]
            case "numbers" if op == "between":
                return [
                    _number(f"{name}.low", f"{label}: at least", text(values, "low")),
                    Words(value="and"),
                    _number(f"{name}.high", f"{label}: at most", text(values, "high")),
                ]
            case "date" | "moment":
                return [_moment(f"{name}.value", label, value, with_time=how == "moment")]
        if op in ("in", "not_in"):
            return [Area(name=f"{name}.value", label="Values, one a line", value=value)]
        if "\n" in value:
            return [Area(name=f"{name}.value", label=label, value=value)]
        listed = around.known.suggestions(around.about, around.subject) if around.about else ""
        return [Entry(name=f"{name}.value", label=label, value=value, size=14, suggestions=listed)]


class Figures(Compare):
    figures = True


class Counts(Compare):
    counts = True


class Parts(Widget):
    """A field that stands for several keys, each with a form of its own."""

    def show(self, value: Any) -> Values:
        return {key: widget.show(value[key]) for key, widget in self._parts() if value.get(key) is not None}

    def read(self, values: Values, path: str, problems: Problems) -> Any:
        found: dict[str, Any] = {}
        for key, widget in self._parts():
            if self._is_without(key, values):
                continue
            value = widget.read(inner(values, key), f"{path}{key}", problems)
            if value is not None:
                found[key] = value
        return found

    def draw(self, values: Values, name: str, around: Around) -> Drawn:
        drawn = Drawn()
        for key, widget in self._parts():
            if not self._is_without(key, values):
                drawn.add(widget.draw(inner(values, key), f"{name}.{key}", around))
                drawn.line += [Words(value=widget.look.after)] if widget.look.after else []
        return drawn

    def _parts(self) -> list[tuple[str, Widget]]:
        return [(key, widget(part, key)) for key, part in self.look.parts.items()]

    def _is_without(self, key: str, values: Values) -> bool:
        if self.look.without is None:
            return False
        part, other, value = self.look.without
        return key == part and text(inner(values, other), "is") == value


class Many(Widget):
    """A list of things that each have fields of their own, on a line each."""

    def show(self, value: Any) -> Values:
        return {str(number): self._form.show(one) for number, one in enumerate(value)}

    def read(self, values: Values, path: str, problems: Problems) -> Any:
        items = [one for _, one in numbered(values) if isinstance(one, dict)]
        items += [{}] * (self.look.least - len(items))
        return [self._form.read(one, f"{path}[{number}].", problems) for number, one in enumerate(items)]

    def draw(self, values: Values, name: str, around: Around) -> Drawn:
        items = [one for _, one in numbered(values) if isinstance(one, dict)]
        items += [{}] * (self.look.least - len(items))
        below: list[list[Control]] = []
        for number, one in enumerate(items):
            drawn = self._form.draw(one, f"{name}.{number}", around)
            opening = self._opening(number)
            remove = [_remove(around, f"{name}.{number}", f"Take out this {self.look.one}")]
            below += [[opening, *drawn.line, *(remove if len(items) > self.look.least else [])], *drawn.below]
        more = Press(
            value=f"more:{around.place}:{_own(name)}",
            label=f"Add a {self.look.one}",
            icon="add" if self.look.least else "filter_alt",
            text=f"Add a {self.look.one}",
        )
        return Drawn(below=[*below, [more]]) if items else Drawn([more])

    def _opening(self, number: int) -> Control:
        if self.look.least:
            return Words(value="first" if number == 0 else "then")
        return Words(value="where" if number == 0 else "and")

    @property
    def _form(self) -> "Form":
        return Form(self.look.many or object)


# ── The form of a whole ──────────────────────────────────────────────────────────────────────────────────────────────
_WIDGETS: dict[Any, type[Widget]] = {
    fields.name: Text,
    fields.slug: Text,
    fields.names: Names,
    fields.number: Number,
    fields.percent: Number,
    fields.duration: Length,
    fields.window: When,
    shared_window: When,
    comparing.comparison: Compare,
    comparing.numeric: Figures,
    comparing.numeric_or_set: Figures,
    comparing.counted: Counts,
    behaviour.wheres: Many,
}


def widget(field: Any, name: str) -> Widget:
    """The widget of a field that a condition declares."""
    look, read = field.metadata["look"], field.metadata["read"]
    if look.parts:
        return Parts(field, name)
    if look.many is not None:
        return Many(field, name)
    if hasattr(read, "options"):
        return Chosen(field, name)
    return _WIDGETS[read](field, name)


class Form:
    """The form of a dataclass whose fields are made by `fields.asks`."""

    def __init__(self, kind: type[Any]) -> None:
        self.fields = [field for field in dataclasses.fields(kind) if "read" in field.metadata]
        self.widgets = {field.name: widget(field, field.name) for field in self.fields}
        self._about = {"property": "of property", "attribute": "of attribute", "account": "of account"}

    def show(self, definition: Mapping[str, Any]) -> Values:
        found: Values = {}
        for field in self.fields:
            shows = self.widgets[field.name]
            if field.metadata["keys"]:
                found[field.name] = shows.show(definition)
            elif definition.get(field.name) is not None:
                found[field.name] = shows.show(definition[field.name])
                if field.default is not dataclasses.MISSING:
                    found[field.name]["said"] = "1"
        return found

    def read(self, values: Values, path: str, problems: Problems) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for field in self.fields:
            own, reads = inner(values, field.name), self.widgets[field.name]
            if field.metadata["keys"]:
                found |= reads.read(own, path, problems)
                continue
            value = reads.read(own, f"{path}{field.name}", problems)
            if value is not None and (text(own, "said") or not _is_default(field, value)):
                found[field.name] = value
        return found

    def draw(self, values: Values, name: str, around: Around) -> Drawn:
        drawn = Drawn()
        subject = self._subject(values) or around.subject
        for field in sorted(self.fields, key=lambda field: field.metadata["look"].place):
            own, draws = inner(values, field.name), self.widgets[field.name]
            at = f"{name}.{field.name}"
            here = dataclasses.replace(around, subject=subject)
            if isinstance(draws, Compare):
                about, what = self._compared(values, subject)
                here = dataclasses.replace(around, subject=what, about=about)
            look = draws.look
            drawn.line += [Words(value=look.before)] if look.before else []
            drawn.add(draws.draw(own, at, here))
            drawn.line += [Words(value=look.after)] if look.after else []
            if text(own, "said"):
                drawn.line.append(Hidden(name=f"{at}.said", value="1"))
        return drawn

    def _subject(self, values: Values) -> tuple[str, ...]:
        """The names of events that the form is about."""
        for field in self.fields:
            if field.metadata["read"] is fields.names:
                return tuple(value for _, value in numbered(inner(values, field.name)) if isinstance(value, str))
        return ()

    def _compared(self, values: Values, events: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """What a comparison is about: the attribute or the property beside it, and of which events."""
        for field in self.fields:
            about = self._about.get(field.metadata["look"].of)
            if about:
                name = text(inner(values, field.name), "is")
                return about, (name, *events) if name else ()
        return "", ()

    def hints(self, values: Values, known: Known) -> list[str]:
        """What is to be said of the names that were chosen."""
        found = []
        for field in self.fields:
            of, own = field.metadata["look"].of, inner(values, field.name)
            if of == "event":
                found += [known.hint(of, name) for _, name in numbered(own) if isinstance(name, str)]
            elif of in ("attribute", "account"):
                found.append(known.hint(of, text(own, "is")))
        return [hint for hint in found if hint]

    def label(self, path: str) -> str:
        """The label of the field that a path within the condition is about."""
        key = path.partition(".")[0].partition("[")[0]
        for field in self.fields:
            if key == field.name and not field.metadata["keys"]:
                return self.widgets[field.name].label
            if key in field.metadata["keys"]:
                part = field.metadata["look"].parts.get(key)
                return part.metadata["look"].label if part else {"op": "How it compares"}.get(key, "Value")
        return ""


def _is_default(field: Any, value: Any) -> bool:
    if field.default is dataclasses.MISSING:
        return False
    try:
        return bool(field.metadata["read"](value, Place("", Scope.JOURNEY)) == field.default)
    except Invalid:
        return False


# ── What several draw ────────────────────────────────────────────────────────────────────────────────────────────────
def _own(name: str) -> str:
    """A field's name within its condition: `c.0.f.steps.1.name` is `steps.1.name`."""
    return name.partition(".f.")[2]


def _remove(around: Around, name: str, label: str) -> Press:
    return Press(value=f"less:{around.place}:{_own(name)}", label=label, icon="close")


def _number(name: str, label: str, value: str) -> Entry:
    return Entry(name=name, label=label, value=value, size=5, mode="decimal")


def _length(values: Values, name: str, label: str) -> list[Control]:
    unit = text(values, "unit", "days")
    options = [Option(one, one) for one in operators.UNITS]
    label = "How long" if label in ("Time", "When", "Value") else label
    return [
        _number(f"{name}.n", f"{label}: how many", text(values, "n", operators.LENGTH)),
        Choice(name=f"{name}.unit", label=f"{label}: of what", value=unit, options=options, redraws=False),
    ]


def _moment(name: str, label: str, value: str, *, with_time: bool = False) -> Entry:
    is_day = not value or (len(value) == 10 and value[4:5] == "-")
    local = len(value) in (16, 19) and value[10:11] == "T"
    if with_time:
        return Entry(
            name=name, label=label, value=value, kind="datetime-local" if not value or local else "text", size=22
        )
    return Entry(name=name, label=label, value=value, kind="date" if is_day else "text", size=22)
