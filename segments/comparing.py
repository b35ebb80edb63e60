"""Comparisons: the operators, what each takes, how it reads and how it is asked of a stored value.

A value that is absent, JSON null or of the wrong type is missing: only `is_not_set`, `is_not`, `not_in` and
`not_contains` hold for it, and each of these is the exact complement of its twin.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import ceil, floor
from typing import Any, Protocol

from segments import fields, moments
from segments.places import Place
from segments.question import Question, either, shifted

Value = Any  # str, Decimal, bool, datetime, Duration, or a tuple of such

_TWINS = {"is_not": "is", "not_in": "in", "not_contains": "contains", "is_not_set": "is_set"}
_NUMBERS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_RELATIVE = ("within_last", "more_than_ago", "within_next", "more_than_ahead")
_MOST = 1_000_000_000  # nobody does anything more often
OPERATORS = (
    *("is", "is_not", "in", "not_in", "contains", "not_contains", "starts_with", "ends_with"),
    *(*_NUMBERS, "between"),
    *("before", "after", *_RELATIVE),
    *("is_set", "is_not_set"),
)
NUMERIC = ("is", "is_not", *_NUMBERS, "between")
_SAID = {
    "is": "is",
    "is_not": "is not",
    "in": "is one of",
    "not_in": "is none of",
    "contains": "contains",
    "not_contains": "does not contain",
    "starts_with": "starts with",
    "ends_with": "ends with",
    "gt": "is more than",
    "gte": "is at least",
    "lt": "is less than",
    "lte": "is at most",
    "before": "is before",
    "after": "is after",
    "within_last": "is within the last",
    "more_than_ago": "is more than",
    "within_next": "is within the next",
    "more_than_ahead": "is more than",
    "is_set": "is known",
    "is_not_set": "is not known",
}


class Operand(Protocol):
    """A stored value as SQL, once for each type it may have: NULL where it is of another type or absent."""

    @property
    def text(self) -> str: ...
    @property
    def read(self) -> str:
        """Its text whatever its type; what is asked of it counts where `is_text` holds, which is then asked of few."""

    @property
    def is_text(self) -> str: ...
    @property
    def number(self) -> str: ...
    @property
    def boolean(self) -> str: ...
    @property
    def list(self) -> str: ...
    @property
    def present(self) -> str:
        """Never NULL."""

    def moment(self, q: Question) -> str: ...


@dataclass(frozen=True, slots=True)
class Json:
    """A value within JSON; `value` is a `jsonb` expression, and `said` its text, where there is a shorter way to it."""

    value: str
    said: str = ""

    @classmethod
    def at(cls, within: str, key: str) -> "Json":
        """The value of a key, both given as SQL."""
        return cls(f"({within} -> {key})", f"({within} ->> {key})")

    @property
    def text(self) -> str:
        return f"CASE WHEN {self.is_text} THEN {self.read} END"

    @property
    def read(self) -> str:
        return self.said or f"({self.value} #>> '{{}}')"

    @property
    def is_text(self) -> str:
        return f"jsonb_typeof({self.value}) = 'string'"

    @property
    def number(self) -> str:
        return f"CASE WHEN jsonb_typeof({self.value}) = 'number' THEN ({self.value})::numeric END"

    @property
    def boolean(self) -> str:
        return f"CASE WHEN jsonb_typeof({self.value}) = 'boolean' THEN ({self.value})::boolean END"

    @property
    def list(self) -> str:
        return f"CASE WHEN jsonb_typeof({self.value}) = 'array' THEN {self.value} END"

    @property
    def present(self) -> str:
        return f"(({self.value}) <> 'null'::jsonb) IS TRUE"

    def moment(self, q: Question) -> str:
        return f"segments_moment({self.text}, {q.zone})"


@dataclass(frozen=True, slots=True)
class Text:
    """A column of text."""

    text: str
    is_text = "true"
    number = "NULL::numeric"
    boolean = "NULL::boolean"
    list = "NULL::jsonb"

    @property
    def read(self) -> str:
        return self.text

    @property
    def present(self) -> str:
        return f"({self.text} IS NOT NULL)"

    def moment(self, q: Question) -> str:
        return f"segments_moment({self.text}, {q.zone})"


@dataclass(frozen=True, slots=True)
class Moment:
    """A column of moments."""

    column: str
    text = read = "NULL::text"
    is_text = "false"
    number = "NULL::numeric"
    boolean = "NULL::boolean"
    list = "NULL::jsonb"

    @property
    def present(self) -> str:
        return f"({self.column} IS NOT NULL)"

    def moment(self, q: Question) -> str:
        return self.column


@dataclass(frozen=True, slots=True)
class Comparison:
    """An operator with its value, whatever it is asked of."""

    op: str
    value: Value = None

    @property
    def moves(self) -> bool:
        """Whether time alone can change the answer."""
        return self.op in _RELATIVE

    # ── As SQL ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def holds(self, operand: Operand, q: Question) -> str:
        """The comparison of a stored value: true or false, never NULL."""
        if self.op in _TWINS:
            return f"(NOT {Comparison(_TWINS[self.op], self.value).holds(operand, q)})"
        if self.op == "is_set":
            return operand.present
        return f"({self._asked(operand, q)}) IS TRUE"

    def _asked(self, operand: Operand, q: Question) -> str:
        match self.op:
            case "is":
                return _equal(operand, self.value, q)
            case "in":
                return _among(operand, self.value, q)
            case "contains":
                inside = _within(operand, self.value, q)
                if not isinstance(self.value, str):
                    return inside
                return either([f"strpos({_lower(operand.text)}, {_lower(q.bind(self.value, 'text'))}) > 0", inside])
            case "starts_with":
                return f"starts_with({_lower(operand.text)}, {_lower(q.bind(self.value, 'text'))})"
            case "ends_with":
                end = _lower(q.bind(self.value, "text"))
                return f"right({_lower(operand.text)}, char_length({end})) = {end}"
            case "before":
                return f"{operand.moment(q)} < {q.moment(self.value)}"
            case "after":
                return f"{operand.moment(q)} > {q.moment(self.value)}"
            case _ if self.op in _RELATIVE:
                return self._relative(operand.moment(q), q)
        return self._numeric(operand.number, q)

    def _relative(self, moment: str, q: Question) -> str:
        length, at = self.value.length, q.moment(q.at)
        match self.op:
            case "within_last":
                return f"{moment} > {q.moment(shifted(q.at, -length))} AND {moment} <= {at}"
            case "more_than_ago":
                return f"{moment} <= {q.moment(shifted(q.at, -length))}"
            case "within_next":
                return f"{moment} > {at} AND {moment} <= {q.moment(shifted(q.at, length))}"
        return f"{moment} > {q.moment(shifted(q.at, length))}"

    def number_holds(
        self, number: str, q: Question, *, absent: Decimal | None = None, per: str = "", whole: bool = False
    ) -> str:
        """The comparison of a numeric expression, never NULL. NULL counts as `absent`; without that it is missing.

        `per`: an expression above 0 that the number is divided by; nothing is rounded. `whole`: it is a `bigint`.
        """
        if self.op == "is_set":
            return f"({number} IS NOT NULL)"
        if self.op == "is_not_set":
            return f"({number} IS NULL)"
        if absent is not None:
            # Without coalesce where it makes no difference: then PostgreSQL drops people without a row early.
            number = f"coalesce({number}, {absent})" if self.accepts(absent) or self.op == "is_not" else number
        if self.op == "is_not":
            return f"({Comparison('is', self.value)._numeric(number, q, per, whole)}) IS NOT TRUE"
        return f"({self._numeric(number, q, per, whole)}) IS TRUE"

    def _numeric(self, number: str, q: Question, per: str = "", whole: bool = False) -> str:
        times = f" * {per}" if per else ""
        if self.op == "between":
            low, high = (_bound(bound, q, whole) for bound in self.value)
            return f"{number} BETWEEN {low}{times} AND {high}{times}"
        return f"{number} {_NUMBERS.get(self.op, '=')} {_bound(self.value, q, whole)}{times}"

    def accepts(self, number: Decimal) -> bool:
        """The same of a number at hand."""
        match self.op:
            case "is":
                return bool(number == self.value)
            case "is_not":
                return bool(number != self.value)
            case "gt":
                return bool(number > self.value)
            case "gte":
                return bool(number >= self.value)
            case "lt":
                return bool(number < self.value)
            case "lte":
                return bool(number <= self.value)
            case "between":
                return bool(self.value[0] <= number <= self.value[1])
        raise ValueError(f"{self.op} is no comparison of numbers")

    # ── When time alone may change it ────────────────────────────────────────────────────────────────────────────────
    def turns(self, moment: str, q: Question) -> list[str]:
        """When the answer about a stored moment changes as time passes, as SQL, if it looks at the time."""
        if self.op not in _RELATIVE:
            return []
        length = f"make_interval(secs => {q.bind(self.value.length.total_seconds(), 'float8')})"
        return {
            "within_last": [moment, f"({moment} + {length})"],
            "more_than_ago": [f"({moment} + {length})"],
            "within_next": [f"({moment} - {length})", moment],
            "more_than_ahead": [f"({moment} - {length})"],
        }[self.op]

    @property
    def places(self) -> list[int]:
        """The numbers n such that the answer about a whole number changes as that falls from n to n - 1."""
        if self.op in ("is_set", "is_not_set"):
            return []
        low, high = self.value if self.op == "between" else (self.value, self.value)
        match self.op:
            case "gte" | "lt":
                places = [ceil(low)]
            case "gt" | "lte":
                places = [floor(low) + 1]
            case _:  # from the lower bound to the upper; between two whole numbers lies nothing
                places = [ceil(low), floor(high) + 1]
        return sorted({place for place in places if 1 <= place < _MOST})

    # ── In words ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def __str__(self) -> str:
        if self.op in ("is_set", "is_not_set"):
            return _SAID[self.op]
        if self.op == "between":
            return f"is between {said(self.value[0])} and {said(self.value[1])}"
        if self.op in ("within_last", "within_next"):
            return f"{_SAID[self.op]} {self.value.bare}"
        tail = {"more_than_ago": " ago", "more_than_ahead": " ahead"}.get(self.op, "")
        return f"{_SAID[self.op]} {said(self.value)}{tail}"


def _bound(value: Decimal, q: Question, whole: bool) -> str:
    """What a number is compared with: as whole as it is, since that is compared in a fraction of the time."""
    if whole and abs(value) < _MOST and value == value.to_integral_value():
        return q.bind(int(value), "bigint")
    return q.bind(value, "numeric")


def _lower(text: str) -> str:
    # Unicode's simple mapping, whatever the server's locale.
    return f'lower(({text}) COLLATE "pg_c_utf8")'


def _equal(operand: Operand, value: Value, q: Question) -> str:
    if isinstance(value, bool):
        return f"{operand.boolean} = {q.bind(value, 'boolean')}"
    if isinstance(value, str):
        return f"({_lower(operand.read)} = {_lower(q.bind(value, 'text'))} AND {operand.is_text})"
    return f"{operand.number} = {q.bind(value, 'numeric')}"


def _among(operand: Operand, values: tuple[Value, ...], q: Question) -> str:
    texts = [value for value in values if isinstance(value, str)]
    parts = [f"({_equal(operand, value, q)}) IS TRUE" for value in values if not isinstance(value, str)]
    if texts:
        lowered = f"SELECT {_lower('v')} FROM unnest({q.bind(texts, 'text[]')}) v"
        parts.append(f"({_lower(operand.read)} = ANY(ARRAY({lowered})) AND {operand.is_text}) IS TRUE")
    return either(parts)


def _within(operand: Operand, value: Value, q: Question) -> str:
    """Whether the list holds something that `is` the value."""
    if operand.list.startswith("NULL"):
        return "false"
    return (
        f"EXISTS (SELECT FROM jsonb_array_elements({operand.list}) AS i(item) WHERE {_equal(Json('i.item'), value, q)})"
    )


def said(value: Value) -> str:
    """A value as a sentence quotes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case "":
            return "an empty text"
        case str():
            return f"“{value}”"
        case Decimal():
            return plain(value)
        case datetime():
            return moments.said(value)
        case tuple():
            return " or ".join(said(one) for one in value) if value else "nothing"
    return str(value)


def plain(number: Decimal) -> str:
    """A number as people write it, however it was written: 3, not 3.0 or 3E+0."""
    if number == number.to_integral_value() and abs(number) < Decimal("1e15"):
        return f"{int(number):,}"
    return f"{number.normalize():f}" if abs(number.adjusted()) < 15 else f"{number.normalize()}"


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def comparison(definition: Any, place: Place) -> Comparison:
    """Any operator with the value it takes, from the keys `op` and `value`."""
    return _comparison(definition, place, OPERATORS)


def numeric(definition: Any, place: Place) -> Comparison:
    """An operator on numbers."""
    return _comparison(definition, place, NUMERIC)


def numeric_or_set(definition: Any, place: Place) -> Comparison:
    return _comparison(definition, place, (*NUMERIC, "is_set", "is_not_set"))


def counted(value: Any, place: Place) -> Comparison:
    """The object {"op", "value"} of an operator on numbers."""
    if not isinstance(value, Mapping):
        place.refuse('This must be a comparison, such as {"op": "gte", "value": 3}.')
    for key in value:
        if key not in ("op", "value"):
            place.at(fields.named(key)).refuse("Nothing of this name is known here; known are op, value.")
    return numeric(value, place)


def _comparison(definition: Mapping[Any, Any], place: Place, operators: tuple[str, ...]) -> Comparison:
    if "op" not in definition:
        place.at("op").refuse("This is missing.")
    op = fields.choice(*operators)(definition["op"], place.at("op"))
    at, value = place.at("value"), definition.get("value")
    if op in ("is_set", "is_not_set"):
        if value is not None:
            at.refuse(f"{op} takes no value.")
        return Comparison(op)
    if "value" not in definition:
        at.refuse("This is missing.")
    return Comparison(op, _value(op, value, at, numbers_only=operators != OPERATORS))


def _value(op: str, value: Any, at: Place, *, numbers_only: bool) -> Value:
    match op:
        case "is" | "is_not" | "contains" | "not_contains":
            return fields.number(value, at) if numbers_only else _scalar(value, at)
        case "in" | "not_in":
            if not isinstance(value, list):
                at.refuse("This must be a list of values.")
            if len(value) > 1_000:
                at.refuse("This lists more than 1,000 values.")
            return tuple(_scalar(one, at.item(number)) for number, one in enumerate(value))
        case "starts_with" | "ends_with":
            return fields.text(value, at)
        case "before" | "after":
            return fields.moment(value, at)
        case "between":
            if not isinstance(value, list) or len(value) != 2:
                at.refuse("This must be a list of two numbers.")
            return tuple(fields.number(one, at.item(number)) for number, one in enumerate(value))
        case _ if op in _RELATIVE:
            return fields.duration(value, at)
    return fields.number(value, at)


def _scalar(value: Any, at: Place) -> Value:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return fields.text(value, at)
    if isinstance(value, int | float | Decimal):
        return fields.number(value, at)
    return at.refuse("This must be a text, a number, true or false. For what has no value, use is_not_set.")
