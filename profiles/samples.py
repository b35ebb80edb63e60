"""What the catalogue shows of values: which kinds of value a name holds, and examples that name nobody."""

import re
from datetime import date, datetime
from typing import Any

MOST = 10
_ADDRESS = re.compile(r"\S+@\S+\.\S+")
_PHONE = re.compile(r"\+?[\d\s().\-/]{6,}")
_LINK = re.compile(r"[a-z][a-z+.\-]*://", re.IGNORECASE)
_IP = re.compile(r"\d{1,3}(\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:]+:[0-9a-f]*", re.IGNORECASE)
_TOKEN = re.compile(r"(?=\S*\d)[A-Za-z0-9_\-=.]{16,}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(T\S+)?")
_ABOUT_PEOPLE = re.compile(
    r"(^|[_\-. ])(first|last|full|middle|sur|user|nick|display)_?name"
    r"|e?mail|phone|mobile|address|street|birth|password|secret|token|(^|_)ip($|_)|ssn|iban",
    re.IGNORECASE,
)
_LONGEST = 60


def kind_of(value: Any) -> str:
    """The kind of value, as JSON names it; of text also `date` and `datetime`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, dict) else _kind_of_text(value)


def _kind_of_text(text: str) -> str:
    if not _MOMENT.fullmatch(text):
        return "string"
    try:
        if len(text) == 10:
            date.fromisoformat(text)
            return "date"
        datetime.fromisoformat(text)
    except ValueError:
        return "string"
    return "datetime"


def shown(name: str, value: Any) -> Any:
    """The value as an example; in its stead what it is, where it could name somebody; None where it says nothing."""
    if isinstance(value, list):
        value = value[0] if value else None
    if value in (None, "") or isinstance(value, dict | list):
        return None
    if isinstance(value, bool):
        return value
    if _ABOUT_PEOPLE.search(name):
        return "(kept to ourselves)"
    if isinstance(value, int | float):
        return value if abs(value) < 1_000_000 else "(a long number)"
    return _shown_text(value.strip())


def _shown_text(text: str) -> str:
    if _ADDRESS.search(text):
        return "(an email address)"
    if _kind_of_text(text) != "string":
        return text
    for pattern, said in ((_IP, "(an IP address)"), (_PHONE, "(a phone number)"), (_TOKEN, "(an id)")):
        if pattern.fullmatch(text):
            return said
    if _LINK.match(text):
        return "(a link)"
    return text if len(text) <= _LONGEST else "(a long text)"


def learn(known: dict[str, Any], name: str, value: Any) -> bool:
    """Adds what a value shows to `{"types": […], "samples": […]}`; whether that was anything new."""
    kind, example = kind_of(value), shown(name, value)
    types, samples = known.setdefault("types", []), known.setdefault("samples", [])
    is_new_kind = kind not in types
    if is_new_kind:
        types.append(kind)
    # True is 1 to Python, and another value here.
    there = any(type(old) is type(example) and old == example for old in samples)
    is_new_example = example is not None and not there and len(samples) < MOST
    if is_new_example:
        samples.append(example)
    return is_new_kind or is_new_example
