"""Last write wins, name by name: values put into the row of a person or company by the time at which they came about.

A row is as in `profiles.values`: plain JSON, with the time of each value under `attribute_times`.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from profiles.values import ACCOUNT


@dataclass(slots=True)
class News:
    """What changed of somebody: by name, what a fresh call had the last word of, and what came late or as history."""

    fresh: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    is_any: bool = False
    is_fresh: bool = False

    def note(self, names: Iterable[str], *, triggers: bool) -> None:
        """Takes note of a change, though it be of no value. `triggers`: whether it may start something."""
        ours, theirs = (self.fresh, self.late) if triggers else (self.late, self.fresh)
        changed = set(names)
        ours |= changed
        theirs -= changed
        self.is_any = True
        self.is_fresh = self.is_fresh or triggers

    def parts(self) -> Iterator[tuple[bool, set[str]]]:
        """What is fresh and what is not, each with whether it is, if there is any of it."""
        for fresh, names in ((True, self.fresh), (False, self.late)):
            if names or (self.is_any and self.is_fresh is fresh):
                yield fresh, names


def put(row: dict[str, Any], name: str, value: Any, at: datetime, columns: Collection[str]) -> bool:
    """Puts a value that came about at `at`, unless a later one is known; whether the row now says otherwise.

    Of two values of one moment the one that comes last counts. What is no column is an attribute.
    """
    if not _is_latest(row, name, at):
        return False
    if isinstance(value, datetime):
        value = value.isoformat()
    place = row if name in columns else row["attributes"]
    before = place.get(name)
    place[name] = value
    # True is 1 to Python, and not to anybody who asks about the value.
    return bool(before != value or type(before) is not type(value))


def tie(row: dict[str, Any], account_id: str, at: datetime) -> bool:
    """Ties a person to a company, unless a later tie is known; whether it is another company than before."""
    if not _is_latest(row, ACCOUNT, at) or row["account_id"] == account_id:
        return False
    row["account_id"] = account_id
    return True


def _is_latest(row: dict[str, Any], name: str, at: datetime) -> bool:
    times = row["attribute_times"]
    known = times.get(name)
    if known is not None and datetime.fromisoformat(known) > at:
        return False
    times[name] = at.isoformat()
    return True
