"""The data catalogue: which names of events and values there are, what is known of them, and what staff decided."""

from collections.abc import Iterable
from datetime import datetime

from foundation.sql import statements

_sql = statements("profiles", "catalogue")
_LOCK = 0x0CA1_0002  # shared by whoever stores events, held alone by a rename


def intern(names: Iterable[str], *, now: datetime) -> dict[str, int]:
    """Each name's id, made where it is missing; a name that was renamed gives the id of today's name.

    The ids hold until the caller's transaction ends: a rename waits for it.
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    # Two statements: the second must see what a rename committed while the first waited for it.
    _sql.rows("share", {"key": _LOCK})
    found: dict[str, int] = dict(_sql.rows("find", {"names": wanted}))
    missing = [name for name in wanted if name not in found]
    if missing:
        _sql.run("make", {"names": missing, "now": now})
        found.update(_sql.rows("find", {"names": missing}))
    return found


def blocked() -> set[str]:
    """The names of events that are refused, former names of a blocked one among them."""
    return {name for name, is_blocked, _ in _sql.rows("rules") if is_blocked}


def required() -> dict[str, list[str]]:
    """Name of an event to the properties without which it is refused."""
    return {name: list(properties) for name, _, properties in _sql.rows("rules") if properties}
