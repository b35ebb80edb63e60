"""Lengths of time in scripts: `{"days": 1, "hours": 15}`, exact to the minute."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from foundation.errors import Invalid
from foundation.wording import plural

_UNITS = {
    "weeks": timedelta(weeks=1),
    "days": timedelta(days=1),
    "hours": timedelta(hours=1),
    "minutes": timedelta(minutes=1),
}
_MINUTE = _UNITS["minutes"]
_MOST = 100_000_000
_LONGEST = timedelta(days=36_500)


def read(value: Any, path: str) -> timedelta:
    if not isinstance(value, Mapping) or not value or not value.keys() <= _UNITS.keys():
        raise Invalid.at(path, f"must be a length of time, such as {{days: 2}}, in {', '.join(_UNITS)}")
    for unit, number in value.items():
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= _MOST:
            raise Invalid.at(f"{path}.{unit}", "must be a whole number, 0 or more")
    found = sum((_UNITS[unit] * number for unit, number in value.items()), timedelta())
    if found > _LONGEST:
        raise Invalid.at(path, f"must be at most {_LONGEST.days // 365} years")
    return found


def written(length: timedelta) -> dict[str, int]:
    """It as scripts have it, in full minutes; in weeks only where it is nothing but weeks."""
    left, parts = max(length, timedelta()), {}
    if left and left % _UNITS["weeks"] == timedelta():
        return {"weeks": left // _UNITS["weeks"]}
    for unit in ("days", "hours", "minutes"):
        number, left = divmod(left, _UNITS[unit])
        if number:
            parts[unit] = number
    return parts or {"minutes": 0}


def up_to_minutes(length: timedelta) -> timedelta:
    """It, or the next full minute."""
    return -(-length // _MINUTE) * _MINUTE


def said(length: timedelta) -> str:
    """`2 days and 3 hours`; `at once` for none."""
    parts = [plural(n, unit.removesuffix("s")) for unit, n in written(length).items() if n]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts) or "at once"
