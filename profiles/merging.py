"""Two profiles that turn out to be one person: everything moves to the survivor, and can be taken back for 30 days."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from foundation import registry
from foundation.errors import Conflict
from foundation.sql import statements
from profiles import pulses, values
from profiles.models import Account, IdentityConflict, Merge, Profile, Pulse
from staff import audit

UNDO_FOR = timedelta(days=30)
_sql = statements("profiles", "merging")


@dataclass(frozen=True, slots=True)
class Pair:
    """Who lives on, and who becomes part of them."""

    survivor_id: UUID
    absorbed_id: UUID


@dataclass(slots=True)
class _Change:
    """What a survivor's row becomes, and what of it may matter to whoever looks at the person again."""

    row: dict[str, Any]
    names: set[int] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)


def merge(pairs: Sequence[Pair], *, reason: str, now: datetime) -> None:
    """Makes one of each pair, in the caller's transaction; the pairs may form chains. A few statements for them all.

    Of two values under one name the one that came about later wins, where both times are known; else the survivor's
    stays, and fills in for it what the survivor does not have. The survivor keeps its external id. Events keep their
    times and trigger nothing by moving. Somebody who was merged away meanwhile is followed to who they are today.
    """
    held = _hold(pairs)
    merges = _flattened(held.pairs)
    if not merges:
        return
    columns = _columns(merges)
    before = {merge.absorbed_id: held.rows[merge.absorbed_id] for merge in merges}
    changes = {merge.survivor_id: _Change(dict(held.rows[merge.survivor_id])) for merge in merges}
    moved = {
        "events": dict(_sql.rows("move_events", columns)),
        "days": {absorbed: json.loads(days) for absorbed, days in _sql.rows("move_days", columns)},
        "identifiers": dict(_sql.rows("move_identifiers", columns)),
        "conflicts": _move_conflicts(merges, now),
    }
    undos: dict[UUID, dict[str, Any]] = {}
    for pair in merges:
        change = changes[pair.survivor_id]
        undos[pair.absorbed_id] = {
            "row": before[pair.absorbed_id],
            **{what: of.get(pair.absorbed_id, []) for what, of in moved.items()},
            "seen": [change.row["first_seen_at"], change.row["last_seen_at"]],
            "taken": values.absorb(change.row, before[pair.absorbed_id]),
        }
        change.attributes.update(undos[pair.absorbed_id]["taken"])
        change.names.update(day[0] for day in undos[pair.absorbed_id]["days"])
    _sql.run("free_external_ids", {"ids": columns["absorbed"]})
    _write([change.row for change in changes.values()])
    _sql.run("move_pulses", columns)
    _pulse(changes, now)
    Merge.objects.bulk_create(
        Merge(
            survivor_id=pair.survivor_id,
            absorbed_id=pair.absorbed_id,
            at=now,
            reason=reason,
            undo=undos[pair.absorbed_id],
        )
        for pair in merges
    )
    registry.absorb.ask(merges)
    # What the apps above did not move goes with the absorbed.
    Profile.objects.filter(id__in=columns["absorbed"]).delete()


@dataclass(frozen=True, slots=True)
class _Held:
    """Pairs of people who are all there, and their rows, held until the transaction ends."""

    pairs: list[Pair]
    rows: dict[UUID, dict[str, Any]]


def _hold(pairs: Sequence[Pair]) -> _Held:
    today: dict[UUID, UUID] = {}
    while True:
        pairs = [Pair(today.get(p.survivor_id, p.survivor_id), today.get(p.absorbed_id, p.absorbed_id)) for p in pairs]
        ids = _everybody(pairs)
        pulses.lock_all(ids)
        rows = {UUID(row["id"]): row for row in map(_parsed, _sql.rows("hold", {"ids": ids}))}
        # Another merge may have come first: whom it took away is followed, and held as well.
        today = whoever(set(ids) - rows.keys())
        if not today:
            return _Held([p for p in pairs if p.survivor_id in rows and p.absorbed_id in rows], rows)


def whoever(ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Of these ids those that were merged into somebody: who that is today."""
    asked = list(ids)
    return dict(_sql.rows("became", {"ids": asked})) if asked else {}


def _everybody(pairs: Sequence[Pair]) -> list[UUID]:
    return sorted({id for pair in pairs for id in (pair.survivor_id, pair.absorbed_id)})


def _flattened(pairs: Sequence[Pair]) -> list[Pair]:
    """The same without chains: each absorbed with the one who lives on in the end."""
    into: dict[UUID, UUID] = {}

    def end(id: UUID) -> UUID:
        while id in into:
            id = into[id]
        return id

    for pair in pairs:
        survivor, absorbed = end(pair.survivor_id), end(pair.absorbed_id)
        if survivor != absorbed:
            into[absorbed] = survivor
    return [Pair(end(absorbed), absorbed) for absorbed in into]


def _columns(merges: Sequence[Pair]) -> dict[str, list[UUID]]:
    return {"survivors": [m.survivor_id for m in merges], "absorbed": [m.absorbed_id for m in merges]}


def _parsed(row: tuple[Any, ...]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(row[0])
    return parsed


def _write(rows: list[dict[str, Any]]) -> None:
    _sql.run("write", {"rows": json.dumps(rows)})


def _move_conflicts(merges: Sequence[Pair], now: datetime) -> dict[UUID, list[list[Any]]]:
    """Conflicts go on with the survivors; one between the two is settled. Per absorbed, what it takes to go back."""
    into = {merge.absorbed_id: merge.survivor_id for merge in merges}
    people = {*into, *into.values()}
    found = IdentityConflict.objects.filter(Q(first__in=people) | Q(second__in=people)).select_for_update()
    kept: dict[UUID, list[list[Any]]] = {}
    open_pairs: set[frozenset[UUID]] = set()
    doubled, changed = [], []
    # Those that stay as they are come first, so that they are the ones to stay.
    for conflict in sorted(found, key=lambda c: (c.first_id in into or c.second_id in into, c.id)):
        was = (conflict.first_id, conflict.second_id)
        for absorbed in {*was} & into.keys():
            kept.setdefault(absorbed, []).append([conflict.id, str(was[0]), str(was[1])])
        conflict.first_id, conflict.second_id = into.get(was[0], was[0]), into.get(was[1], was[1])
        pair = frozenset((conflict.first_id, conflict.second_id))
        if conflict.resolved_at is None and len(pair) == 1:
            conflict.resolved_at, conflict.resolution = now, "They became one."
        elif conflict.resolved_at is None and pair in open_pairs:
            doubled.append(conflict.id)
            continue
        elif conflict.resolved_at is None:
            open_pairs.add(pair)
        changed.append(conflict)
    IdentityConflict.objects.filter(id__in=doubled).delete()
    IdentityConflict.objects.bulk_update(changed, ["first", "second", "resolved_at", "resolution"])
    return kept


def _pulse(changes: dict[UUID, _Change], now: datetime) -> None:
    moved = {change.row["account_id"] for change in changes.values() if values.ACCOUNT in change.attributes}
    names_of = {str(id): names for id, names in _sql.rows("account_names", {"ids": list(moved - {None})})}
    words = []
    for profile, change in changes.items():
        attributes = {name.removeprefix("$") for name in change.attributes - {values.ACCOUNT}}
        if values.ACCOUNT in change.attributes:
            attributes |= {f"account.{name}" for name in ["name", *names_of.get(change.row["account_id"], [])]}
        words.append(pulses.Word(profile, Pulse.Cause.MERGE, names=change.names, attributes=attributes))
    pulses.add(words, now=now)


def undo(row: Merge, *, now: datetime) -> Profile:
    """Parts the two again: the absorbed person comes back as they were, with their names and events.

    What arrived since stays with the survivor, and values that changed since stay as they are. Refused where the
    survivor has become part of somebody else since: that later merge is taken back first.
    """
    with transaction.atomic():
        pulses.lock_all([row.survivor_id, row.absorbed_id])
        row = Merge.objects.select_for_update().filter(pk=row.pk).first() or row
        held = {UUID(r["id"]): r for r in map(_parsed, _sql.rows("hold", {"ids": [row.survivor_id, row.absorbed_id]}))}
        kept = _undoable(row, held, now)
        survivor = held[row.survivor_id]
        ids = {"survivor": row.survivor_id, "absorbed": row.absorbed_id}
        values.give_back(survivor, kept["row"], kept["taken"], kept["seen"])
        _relink(row, kept)
        _write([survivor])
        _sql.run("restore", {"row": json.dumps(_restorable(kept["row"]))})
        _sql.run("restore_identifiers", {**ids, "ids": kept["identifiers"]})
        _sql.run("restore_events", {**ids, "ids": kept["events"]})
        _sql.run("restore_days", {**ids, "days": json.dumps(kept["days"])})
        for id, first, second in kept["conflicts"]:
            IdentityConflict.objects.filter(pk=id).update(first=first, second=second)
        names = {day[0] for day in kept["days"]}
        changes = {id: _Change(held.get(id, kept["row"]), set(names), set(kept["taken"])) for id in ids.values()}
        _pulse(changes, now)
        registry.part.ask(row.survivor_id, row.absorbed_id)
        audit.record("undo", "merge", str(row.pk), "Parted two profiles that had been merged.", **_text(ids))
        row.delete()
    return Profile.objects.get(pk=ids["absorbed"])


def _text(ids: dict[str, UUID]) -> dict[str, str]:
    return {name: str(id) for name, id in ids.items()}


def _undoable(row: Merge, held: dict[UUID, Any], now: datetime) -> dict[str, Any]:
    """What was kept to take the merge back, if that can be done now."""
    if row.undo is None or row.at < now - UNDO_FOR:
        raise Conflict("A merge can be taken back for 30 days; those of this one are over.")
    if row.survivor_id not in held:
        raise Conflict(
            "The one who lived on has since been merged into somebody else, or was erased."
            " Take back that later merge first."
        )
    if row.absorbed_id in held:
        raise Conflict("This merge has been taken back already.")
    undo: dict[str, Any] = row.undo
    return undo


def _relink(row: Merge, kept: dict[str, Any]) -> None:
    """Later merges into the same survivor must not give back a value that came with this one."""
    for later in Merge.objects.filter(survivor_id=row.survivor_id, undo__isnull=False, pk__gt=row.pk):
        if later.undo and values.forget_taken(later.undo["taken"], kept["taken"]):
            later.save(update_fields=["undo"])


def _restorable(row: dict[str, Any]) -> dict[str, Any]:
    """The row, without what somebody else has taken since: an external id in use, a company that is gone."""
    if row["external_id"] and Profile.objects.filter(external_id=row["external_id"]).exists():
        row = {**row, "external_id": None}
    if row["account_id"] and not Account.objects.filter(pk=row["account_id"]).exists():
        row = {**row, "account_id": None}
    return row


_merge = merge  # `resolve` has a parameter of that name


def resolve(conflict: IdentityConflict, *, merge: bool, now: datetime) -> None:
    """Settles a conflict as staff decided: the two become one, the older living on, or they stay apart."""
    with transaction.atomic():
        conflict = IdentityConflict.objects.select_for_update().select_related("first", "second").get(pk=conflict.pk)
        if conflict.resolved_at is not None:
            raise Conflict("This conflict has been settled already.")
        older, younger = sorted((conflict.first, conflict.second), key=lambda one: (one.first_seen_at, one.id))
        said = "Merged two people who are one." if merge else "Kept two people apart."
        audit.record(
            "merge" if merge else "keep apart",
            "identity conflict",
            str(conflict.pk),
            said,
            first=str(older.id),
            second=str(younger.id),
        )
        if merge:
            _merge([Pair(older.id, younger.id)], reason=f"Staff decided: {conflict.reason}", now=now)
        IdentityConflict.objects.filter(pk=conflict.pk).update(
            resolved_at=now, resolution="They became one." if merge else "They stay apart."
        )
