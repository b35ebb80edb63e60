"""The data catalogue: which names of events and values there are, what is known of them, and what staff decided."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from foundation import registry
from foundation.errors import Conflict, Invalid
from foundation.sql import statements
from profiles import pulses
from profiles.calls import MAX_NAME_CHARACTERS
from profiles.models import AttributeType, EventDay, EventType, Pulse
from profiles.observing import observe
from staff import audit

__all__ = ["approve", "block", "blocked", "describe", "follow", "intern", "observe", "rename", "required"]

_sql = statements("profiles", "catalogue")
_LOCK = 0x0CA1_0002  # shared by whoever stores events, held alone by a rename
_BATCH = 5_000  # daily counts that a rename moves in one transaction


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


def rules() -> tuple[set[str], dict[str, list[str]]]:
    """The names of events that are refused, former names of a blocked one among them; and what others must carry."""
    rows = _sql.rows("rules")
    refused = {name for name, is_blocked, _ in rows if is_blocked}
    return refused, {name: list(properties) for name, _, properties in rows if properties}


def blocked() -> set[str]:
    """The names of events that are refused, former names of a blocked one among them."""
    return rules()[0]


def required() -> dict[str, list[str]]:
    """Name of an event to the properties without which it is refused."""
    return rules()[1]


def approve(row: EventType | AttributeType, *, now: datetime) -> None:
    """Says that the name is one to build on."""
    _decide(row, EventType.Status.APPROVED, "approve", f"Approved {row.name} in the data catalogue.")


def block(row: EventType | AttributeType, *, now: datetime) -> None:
    """Refuses events of that name from now on; a blocked value is no longer offered where staff choose one."""
    _decide(row, EventType.Status.BLOCKED, "block", f"Blocked {row.name} in the data catalogue.")


def _decide(row: EventType | AttributeType, status: EventType.Status, verb: str, said: str) -> None:
    with transaction.atomic():
        if isinstance(row, EventType):
            _check_changeable(row)
        row.status = status
        row.save(update_fields=["status"])
        audit.record(verb, _kind(row), row.name, said)


def describe(row: EventType | AttributeType, *, now: datetime, **fields: Any) -> None:
    """Sets what staff say of a name: `description`, `owner`, and of an event `required`, properties it must have."""
    allowed = {"description", "owner", "required"} if isinstance(row, EventType) else {"description", "owner"}
    if fields.keys() - allowed:
        raise TypeError(f"of a name can be said {', '.join(sorted(allowed))}")
    with transaction.atomic():
        if "required" in fields and isinstance(row, EventType):
            _check_changeable(row)
        for name, value in fields.items():
            setattr(row, name, value)
        row.save(update_fields=[*fields])
        audit.record("describe", _kind(row), row.name, f"Described {row.name} in the data catalogue.", said=[*fields])


def _kind(row: EventType | AttributeType) -> str:
    return "event type" if isinstance(row, EventType) else "attribute type"


def _check_changeable(row: EventType) -> None:
    if row.name.startswith("$"):
        raise Conflict(f"{row.name} is one of Cairn's own events, which stay as they are.")
    if row.renamed_to is not None:
        raise Conflict(f"{row.name} is called {row.renamed_to.name} today; decide about that name.")


def rename(row: EventType, to: str, *, now: datetime) -> EventType:
    """Gives what is called `row` the name `to`, for what arrives and for what is stored; the row of the new name.

    A name that nobody has used moves nothing, since events store an id. Where there are events under both names, those
    stored under the old one move to the new: some at once, and the others, where they are many, within minutes
    (`follow`). Segments look again at everybody concerned; nothing is triggered.
    """
    _check_name(to)
    with transaction.atomic():
        _sql.rows("hold", {"key": _LOCK})
        row = EventType.objects.select_for_update(of=["self"]).select_related("renamed_to").get(pk=row.pk)
        _check_changeable(row)
        old = row.name
        if to == old:
            raise Conflict(f"It is called {to} already.")
        target = EventType.objects.select_related("renamed_to").filter(name=to).first()
        today = _join(row, target, now) if target and target.renamed_to_id != row.pk else _name(row, to, target, now)
        audit.record("rename", "event type", old, f"Renamed {old} to {to} in the data catalogue.", to=to)
    return today


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise Invalid.at("name", f"must be a name of up to {MAX_NAME_CHARACTERS} characters on one line")
    if name.startswith("$"):
        raise Invalid.at("name", "begins with $, as only Cairn's own events do; choose another name")


def _name(row: EventType, to: str, former: EventType | None, now: datetime) -> EventType:
    """Gives the row a name that is free, or that led to it."""
    if former is not None:
        if EventDay.objects.filter(type=former).exists():
            raise Conflict("An earlier rename of it is still under way; try again in a few minutes.")
        former.delete()
    _sql.run("swap_names", {"id": row.pk, "old": row.name, "new": to})
    row.refresh_from_db()
    people = [id for (id,) in _sql.rows("everybody", {"name": row.pk})]
    pulses.add([pulses.Word(id, Pulse.Cause.HISTORY, names=[row.pk]) for id in people], now=now)
    return row


def _join(row: EventType, target: EventType, now: datetime) -> EventType:
    """Has the row's events go on under a name that has some of its own."""
    if target.renamed_to is not None:
        raise Conflict(f"{target.name} is called {target.renamed_to.name} today; rename it to that.")
    EventType.objects.filter(renamed_to=row).update(renamed_to=target)
    row.renamed_to = target
    row.save(update_fields=["renamed_to"])
    _sql.run("move_pulses", {"old": row.pk, "new": target.pk})
    _sql.run("move_counts", {"old": row.pk, "new": target.pk})
    _move_some(row.pk, target.pk, now)
    if any(registry.references.ask("event", row.name)):
        # What speaks of the old name speaks of the new one's events as well from now on, whoever they are of.
        people = [id for (id,) in _sql.rows("everybody", {"name": target.pk})]
        pulses.add([pulses.Word(id, Pulse.Cause.HISTORY, names=[target.pk]) for id in people], now=now)
    target.refresh_from_db()
    return target


def follow(now: datetime) -> int:
    """Moves what is still stored under former names, some people at a time; how many it moved."""
    moved = 0
    for old, new in _sql.rows("unmoved"):
        while True:
            with transaction.atomic():
                some = _move_some(old, new, now)
            if not some:
                break
            moved += some
    return moved


def _move_some(old: int, new: int, now: datetime) -> int:
    people = [id for (id,) in _sql.rows("some_people", {"old": old, "limit": _BATCH})]
    if not people:
        _sql.run("drop_orphans", {"old": old})
        return 0
    params = {"people": people, "old": old, "new": new}
    _sql.run("move_events", params)
    _sql.run("move_days", params)
    pulses.add([pulses.Word(id, Pulse.Cause.HISTORY, names=[new]) for id in people], now=now)
    return len(people)
