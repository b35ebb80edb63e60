"""What is known of a person as it lies in their row, and which of two values under one name counts.

A row here is `to_jsonb` of a profile: plain JSON. `attribute_times` says of each name, in ISO 8601, when its value came
about: of columns and attributes alike, and under `$account` of the tie to a company.
"""

from datetime import datetime
from typing import Any

from profiles.models import Profile

ACCOUNT = "$account"
_EXTERNAL_ID = "$external_id"
Held = list[Any]
"""What is held under a name, as `[is it there, value, time or None]`: plain JSON, since it is kept for undoing."""


def absorb(row: dict[str, Any], other: dict[str, Any]) -> dict[str, list[Held]]:
    """Merges what is known of `other` into `row`; by name, what `row` held and what it took in its place.

    The later of two wins where both times are known. Else what is there wins over what is not, and `row` over `other`.
    An external id is only ever taken where there is none.
    """
    taken: dict[str, list[Held]] = {}
    for name in sorted(_names(row) | _names(other)):
        mine, theirs = held(row, name), held(other, name)
        if _wins(theirs, mine):
            taken[name] = [mine, theirs]
            put(row, name, theirs)
    row["first_seen_at"] = min(row["first_seen_at"], other["first_seen_at"], key=datetime.fromisoformat)
    row["last_seen_at"] = max(row["last_seen_at"], other["last_seen_at"], key=datetime.fromisoformat)
    return taken


def give_back(row: dict[str, Any], other: dict[str, Any], taken: dict[str, list[Held]], seen: list[str]) -> None:
    """Takes `other` out of `row` again: what `row` took and still holds gives way to what it held before."""
    for name, (mine, theirs) in taken.items():
        if held(row, name) == theirs:
            put(row, name, mine)
    for place, moment in zip(("first_seen_at", "last_seen_at"), seen, strict=True):
        if row[place] == other[place]:
            row[place] = moment


def forget_taken(later: dict[str, list[Held]], taken: dict[str, list[Held]]) -> bool:
    """Has a later merge remember what was there before `taken`, where it remembers just that; whether it did."""
    doubled = [name for name in later.keys() & taken.keys() if later[name][0] == taken[name][1]]
    for name in doubled:
        later[name][0] = taken[name][0]
    return bool(doubled)


def held(row: dict[str, Any], name: str) -> Held:
    time = row["attribute_times"].get(name)
    if (column := _column(name)) is not None:
        return [row[column] is not None, row[column], time]
    return [name in row["attributes"], row["attributes"].get(name), time]


def put(row: dict[str, Any], name: str, new: Held) -> None:
    is_there, value, time = new
    if (column := _column(name)) is not None:
        row[column] = value
    else:
        row["attributes"] = {key: old for key, old in row["attributes"].items() if key != name}
        row["attributes"].update({name: value} if is_there else {})
    row["attribute_times"] = {key: old for key, old in row["attribute_times"].items() if key != name}
    row["attribute_times"].update({name: time} if time is not None else {})


def _names(row: dict[str, Any]) -> set[str]:
    return {_EXTERNAL_ID, ACCOUNT, *Profile.COLUMNS, *row["attributes"], *row["attribute_times"]}


def _column(name: str) -> str | None:
    if name in Profile.COLUMNS:
        return name
    return {ACCOUNT: "account_id", _EXTERNAL_ID: "external_id"}.get(name)


def _wins(theirs: Held, mine: Held) -> bool:
    if theirs[2] is not None and mine[2] is not None:
        return datetime.fromisoformat(theirs[2]) > datetime.fromisoformat(mine[2])
    return theirs[1] is not None and mine[1] is None
