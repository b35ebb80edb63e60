"""What the fields of conditions are made of: each reads one part of a definition, or refuses it with its path.

A kind declares its fields once, as a dataclass whose fields are made by `asks`; that declaration validates the JSON.
"""

import dataclasses
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from foundation import strict_json
from foundation.errors import Invalid, Problem
from segments import moments
from segments.moments import Between, Duration, Last, Since, Window
from segments.places import Place, Scope

T = TypeVar("T")
Read = Callable[[Any, Place], T]

LONGEST_TEXT = 8_192
_LARGEST = Decimal(sys.float_info.max)
_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,100}", re.ASCII)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """How a field is shown to those who fill it in.

    `of`: what its suggestions are taken from (`event`, `attribute`, `account`, `property`, `segment`, `topic` …).
    `words`: what each of its options is called; `before` and `after`: words around it; `place`: before or after the
    others, which stand in their order. `parts`: the fields that its keys stand for, where there are several,
    and `without` what leaves one out: (part, key, value). `many`: the dataclass of each of its items, named `one`.
    """

    label: str = ""
    of: str = ""
    words: Mapping[str, str] = dataclasses.field(default_factory=dict)
    before: str = ""
    after: str = ""
    place: int = 0
    parts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    without: tuple[str, str, str] | None = None
    many: type[Any] | None = None
    one: str = ""
    least: int = 0


def asks(
    read: Read[Any], *, default: Any = dataclasses.MISSING, keys: Sequence[str] = (), look: Look | None = None
) -> Any:
    """A field that `read` validates. With `keys` it is read from several keys of the definition at once.

    An absent key takes the default, and so does null; without a default it is refused.
    """
    return dataclasses.field(default=default, metadata={"read": read, "keys": tuple(keys), "look": look or Look()})


def fill(kind: type[T], definition: Mapping[Any, Any], place: Place, also: Sequence[str] = ()) -> T:
    """An instance of the dataclass from a definition; every problem is reported, not the first alone."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    known = set(also)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if "read" not in field.metadata:
            continue
        keys = field.metadata["keys"]
        known.update(keys or (field.name,))
        is_needed = field.default is dataclasses.MISSING
        try:
            if keys:
                if any(key in definition for key in keys) or is_needed:
                    values[field.name] = field.metadata["read"](definition, place)
            elif definition.get(field.name) is not None or (field.name in definition and is_needed):
                values[field.name] = field.metadata["read"](definition[field.name], place.at(field.name))
            elif is_needed:
                place.at(field.name).refuse("This is missing.")
        except Invalid as invalid:
            problems.extend(invalid.problems)
    problems.extend(_unknown(definition, known, place))
    if problems:
        raise Invalid(problems)
    return kind(**values)


def _unknown(definition: Mapping[Any, Any], known: set[str], place: Place) -> list[Problem]:
    return [
        Problem(place.at(named(key)).path, f"Nothing of this name is known here; known are {listed(sorted(known))}.")
        for key in definition
        if key not in known
    ]


def named(key: Any) -> str:
    """A key as part of a path, kept short and printable."""
    return _UNSTORABLE.sub("?", str(key))[:60]


def listed(words: Sequence[str]) -> str:
    return ", ".join(words)


# ── The readers ──────────────────────────────────────────────────────────────────────────────────────────────────────
def text(value: Any, place: Place) -> str:
    if not isinstance(value, str):
        place.refuse("This must be a text.")
    if len(value) > LONGEST_TEXT:
        place.refuse(f"This is longer than {LONGEST_TEXT:,} characters.")
    if _UNSTORABLE.search(value):
        place.refuse("This holds a character that cannot be stored (NUL, or half of a surrogate pair).")
    return value


def name(value: Any, place: Place) -> str:
    """The name of an attribute, a property or an event."""
    read = text(value, place)
    if not read:
        place.refuse("This must not be empty.")
    return read


def slug(value: Any, place: Place) -> str:
    read = name(value, place)
    if not _SLUG.fullmatch(read):
        place.refuse("This must be a slug: up to 100 letters, digits, hyphens and underscores.")
    return read


def names(value: Any, place: Place) -> tuple[str, ...]:
    """One name or a list of them; `*` is anything that came from outside."""
    if not isinstance(value, list):
        return (name(value, place),)
    if not value:
        place.refuse("Name at least one.")
    if len(value) > 100:
        place.refuse("Name at most 100.")
    return tuple(dict.fromkeys(name(one, place.item(number)) for number, one in enumerate(value)))


def choice(*options: str) -> Read[str]:
    def read(value: Any, place: Place) -> str:
        if not isinstance(value, str) or value not in options:
            place.refuse(f"This must be one of {listed(options)}.")
        return value

    setattr(read, "options", options)  # noqa: B010 (what a form offers; a function has no such attribute to a checker)
    return read


def number(value: Any, place: Place) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        place.refuse("This must be a number.")
    if isinstance(value, strict_json.Rounded):
        place.refuse(f"This number has more than {strict_json.MOST_DIGITS} digits, which are more than are kept.")
    # A float's shortest form is what stood in the JSON: 0.1 is a tenth.
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite() or abs(exact) > _LARGEST:
        place.refuse("This number is larger than any that is kept.")
    return exact


def percent(value: Any, place: Place) -> Decimal:
    read = number(value, place)
    if not 0 <= read <= 100:
        place.refuse("This must be from 0 to 100.")
    return read


def duration(value: Any, place: Place) -> Duration:
    found = moments.units_of(value)
    if found is None:
        place.refuse('This must be a length of time, such as {"days": 14}: minutes, hours, days or weeks.')
    unit, count = found
    if isinstance(count, float) and count.is_integer():
        count = int(count)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        place.at(unit).refuse("This must be a whole number, 1 or more.")
    if count > moments.LONGEST // moments.UNITS[unit]:
        place.at(unit).refuse("This must be at most a hundred years.")
    return Duration(count, unit)


def moment(value: Any, place: Place) -> Any:
    if not isinstance(value, str) or (read := moments.read(value)) is None:
        place.refuse('This must be a moment, such as "2026-03-01" or "2026-03-01T09:30:00Z".')
    return read


def window(value: Any, place: Place) -> Window:
    if not isinstance(value, Mapping) or len(value) != 1:
        place.refuse('This must be {"last": {"days": 30}} or {"between": ["2026-01-01", "2026-02-01"]}.')
    [(key, inner)] = value.items()
    if key == "last":
        return Last(duration(inner, place.at("last")))
    if key == "between":
        within = place.at("between")
        if not isinstance(inner, list) or len(inner) != 2:
            within.refuse("This must be a list of two moments.")
        start, end = (moment(one, within.item(place_)) for place_, one in enumerate(inner))
        return Between(start, end)
    if key == "since":
        if place.scope is not Scope.JOURNEY:
            place.at("since").refuse("Only a journey's conditions know when it began; use last or between.")
        return Since(choice("entry", "step")(inner, place.at("since")))
    return place.refuse("A window is one of last, between" + (", since." if place.scope is Scope.JOURNEY else "."))
