"""Operators in words that fit what they compare: `is:text`, `is:number`, `before:date` are choices of their own.

Each says its operator and how its value is typed in.
"""

import json
import re
from typing import Any

from segments.editor.controls import Option
from segments.editor.values import Values, text

_NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})([eE][+-]?\d{1,3})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_WITHOUT_SECONDS = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}", re.ASCII)
LENGTH = "30"  # of what, when nothing was said yet: days
UNITS = ("minutes", "hours", "days", "weeks")

_WORDS = {
    "Words": {
        "is:text": "is",
        "is_not:text": "is not",
        "in:text": "is one of",
        "not_in:text": "is none of",
        "contains:text": "contains",
        "not_contains:text": "does not contain",
        "starts_with:text": "starts with",
        "ends_with:text": "ends with",
        "is:empty": "is an empty text",
        "is_not:empty": "is no empty text",
    },
    "Numbers": {
        "is:number": "is the number",
        "is_not:number": "is not the number",
        "gt:number": "is more than",
        "gte:number": "is at least",
        "lt:number": "is less than",
        "lte:number": "is at most",
        "between:numbers": "is between",
        "in:numbers": "is one of the numbers",
        "not_in:numbers": "is none of the numbers",
        "contains:number": "contains the number",
        "not_contains:number": "does not contain the number",
    },
    "Yes or no": {"is:yes": "is yes", "is:no": "is no", "is_not:yes": "is not yes", "is_not:no": "is not no"},
    "Days and times": {
        "before:date": "is before the day",
        "after:date": "is after the day’s first moment",
        "before:moment": "is before the moment",
        "after:moment": "is after the moment",
        "within_last:duration": "was within the last",
        "more_than_ago:duration": "was longer ago than",
        "within_next:duration": "will be within the next",
        "more_than_ahead:duration": "is further ahead than",
    },
    "Whether": {"is_set:nothing": "is known", "is_not_set:nothing": "is not known"},
}
_FIRST = {  # of what was seen in the catalogue: the headings that fit, before the others
    "string": "Words",
    "array": "Words",
    "number": "Numbers",
    "boolean": "Yes or no",
    "date": "Days and times",
    "datetime": "Days and times",
}
_COUNTS = {
    "gte:number": "at least",
    "lte:number": "at most",
    "is:number": "exactly",
    "gt:number": "more than",
    "lt:number": "fewer than",
    "between:numbers": "between",
    "is_not:number": "any number but",
    "is:never": "not at all",
}
_FIGURES = ("gt", "gte", "lt", "lte", "is", "is_not", "between")


def for_values(types: set[str]) -> list[Option]:
    """All operators, those first that fit what was seen."""
    first = {_FIRST[one] for one in types if one in _FIRST}
    groups = sorted(_WORDS, key=lambda group: group not in first)
    return [Option(value, said, group) for group in groups for value, said in _WORDS[group].items()]


def for_figures() -> list[Option]:
    numbers = _WORDS["Numbers"]
    return [
        *(Option(value, said) for value, said in numbers.items() if value.partition(":")[0] in _FIGURES),
        *(Option(value, said) for value, said in _WORDS["Whether"].items()),
    ]


def for_counts() -> list[Option]:
    return [Option(value, said) for value, said in _COUNTS.items()]


def usual(types: set[str]) -> str:
    """What a fresh comparison begins with."""
    if types and not types & {"string", "array"}:
        if "number" in types:
            return "gte:number"
        if "boolean" in types:
            return "is:yes"
        if types & {"date", "datetime"}:
            return "within_last:duration"
    return "is:text"


def said(value: str) -> str:
    """The words for a choice, whether it is offered or not."""
    for group in (*_WORDS.values(), _COUNTS):
        if value in group:
            return group[value]
    op, _, how = value.partition(":")
    base = _WORDS["Words"].get(f"{op}:text", op.replace("_", " "))
    return {"yes": f"{base} yes", "no": f"{base} no", "empty": f"{base} an empty text"}.get(how, base)


# ── From a definition ────────────────────────────────────────────────────────────────────────────────────────────────
def shown(op: Any, value: Any, *, counts: bool = False) -> Values:
    """The form of an operator with its value."""
    how = _how(op, value, counts)
    found: Values = {"op": f"{op}:{how}"}
    match how:
        case "text" | "numbers" | "mixed" if op in ("in", "not_in"):
            found["value"] = "\n".join(_line(one, typed=how != "mixed") for one in value)
        case "text" | "date" | "moment":
            found["value"] = value
        case "number":
            found["value"] = written(value)
        case "numbers":
            found |= {"low": written(value[0]), "high": written(value[1])}
        case "duration":
            found |= duration_shown(value)
    return found


def _how(op: Any, value: Any, counts: bool) -> str:
    match op:
        case "is_set" | "is_not_set":
            return "nothing"
        case "between":
            return "numbers"
        case "in" | "not_in":
            return _how_listed(value)
        case "before" | "after":
            return "date" if _DAY.fullmatch(value) else "moment"
    if isinstance(value, dict):
        return "duration"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return "text" if value else "empty"
    return "never" if counts and op == "is" and value == 0 else "number"


def _how_listed(values: list[Any]) -> str:
    if all(isinstance(one, str) for one in values):
        return "text"
    if all(isinstance(one, int | float) and not isinstance(one, bool) for one in values):
        return "numbers"
    return "mixed"


def written(number: Any) -> str:
    return repr(number) if isinstance(number, float) else str(number)


def _line(value: Any, *, typed: bool) -> str:
    """A value on a line of its own; in quotes what would not read as the text that it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str):
        return written(value)
    plain = value and value.isprintable() and not value.startswith('"') and value == value.strip()
    if plain and (typed or (value not in ("yes", "no") and not _NUMBER.fullmatch(value))):
        return value
    return json.dumps(value)


def duration_shown(value: Any) -> Values:
    [(unit, count)] = value.items()
    return {"n": written(count), "unit": unit}


# ── Back to a definition ─────────────────────────────────────────────────────────────────────────────────────────────
class Unreadable(Exception):
    """What was typed is none of what is asked for; `value` is put in its place, and the sentence says so."""

    def __init__(self, reason: str, value: Any) -> None:
        super().__init__(reason)
        self.value = value


def number(typed: str) -> int | float | None:
    """The number that was typed; None for nothing."""
    typed = typed.strip().replace("\u2212", "-")
    if not typed:
        return None
    if not _NUMBER.fullmatch(typed):
        raise Unreadable("This must be a number, such as 3 or 2.5.", typed)
    try:
        return int(typed)
    except ValueError:
        return float(typed)


def duration(values: Values) -> dict[str, Any] | None:
    count = number(text(values, "n", LENGTH))
    if count is None:
        return None
    unit = text(values, "unit", "days")
    return {unit if unit in UNITS else "days": count}


def moment(typed: str) -> str:
    return f"{typed}:00" if _WITHOUT_SECONDS.fullmatch(typed) else typed


def read(values: Values, usually: str) -> dict[str, Any]:
    """The keys `op` and `value`; the value is left out where nothing was typed."""
    op, _, how = text(values, "op", usually).partition(":")
    value = _value(op, how, values)
    return {"op": op} if value is None else {"op": op, "value": value}


def _value(op: str, how: str, values: Values) -> Any:
    typed = text(values, "value")
    match how:
        case "nothing":
            return None
        case "empty":
            return ""
        case "yes" | "no":
            return how == "yes"
        case "never":
            return 0
        case "duration":
            return duration(values)
        case "number":
            return number(typed)
        case "numbers" if op == "between":
            low, high = number(text(values, "low")), number(text(values, "high"))
            return None if low is None or high is None else [low, high]
        case "date" | "moment":
            return moment(typed) if typed else None
    if op in ("in", "not_in"):
        return _listed(typed, how)
    return typed.replace("\r\n", "\n") or None


def _listed(typed: str, how: str) -> list[Any]:
    return [_one(line, how) for line in typed.splitlines() if line.strip()]


def _one(line: str, how: str) -> Any:
    if how == "numbers":
        return number(line)
    line = line.strip()
    if line.startswith('"') and line.endswith('"'):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            return line
        return found if isinstance(found, str) else line
    if how == "mixed":
        if line in ("yes", "no"):
            return line == "yes"
        if _NUMBER.fullmatch(line):
            return number(line)
    return line


def takes(values: Values, usually: str) -> tuple[str, str]:
    op, _, how = text(values, "op", usually).partition(":")
    return op, how
