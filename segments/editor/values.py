"""What a form sends, as nested values: `c.0.f.name.1` is the second name of the first condition.

Whatever is sent can be read; what makes no sense is left out.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

Values = dict[str, Any]  # each a text, or more of them
_KEY = re.compile(r"[a-z_0-9]{1,40}", re.ASCII)
_DEEPEST = 40


def nested(data: Mapping[str, str], root: str) -> Values:
    """The fields whose names begin with the root, by their parts."""
    found: Values = {}
    for name in data:
        first, *parts = name.split(".")
        if first != root or not 0 < len(parts) <= _DEEPEST or not all(_KEY.fullmatch(part) for part in parts):
            continue
        at = found
        for part in parts[:-1]:
            inner = at.setdefault(part, {})
            if not isinstance(inner, dict):
                break
            at = inner
        else:
            at.setdefault(parts[-1], data[name])
    return found


def text(values: Values, key: str, otherwise: str = "") -> str:
    found = values.get(key)
    return found if isinstance(found, str) else otherwise


def inner(values: Values, key: str) -> Values:
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def at(values: Values, keys: str) -> Values:
    """The values under `steps.1.name`, made where they are missing."""
    for key in keys.split("."):
        if not isinstance(values.get(key), dict):
            values[key] = {}
        values = values[key]
    return values


def numbered(values: Values) -> list[tuple[str, Any]]:
    """What stands under numbers, in their order."""
    return sorted(((key, value) for key, value in values.items() if _is_number(key)), key=lambda one: int(one[0]))


def following(values: Values) -> str:
    return str(1 + max((int(key) for key, _ in numbered(values)), default=-1))


def _is_number(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) < 6


def flat(values: Values, root: str) -> Iterator[tuple[str, str]]:
    """The names and values of the fields that say it."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{root}.{key}")
        else:
            yield f"{root}.{key}", str(value)
