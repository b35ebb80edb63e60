"""Who must be looked at again: a pulse is added with its cause, and taken, under the person's lock, by deleting it.

The lock is a transaction's advisory lock, one for each person. Whoever decides about people holds it, so that two
workers never decide about one person at once.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, compress
from typing import Any, TypeVar
from uuid import UUID

from foundation.sql import statements
from foundation.wake import wake
from profiles.models import Pulse

T = TypeVar("T")

MANY = 50
"""More than so many at once are a crowd."""
_LATE = frozenset({Pulse.Cause.HISTORY, Pulse.Cause.MERGE})
_LONGEST_RUN = timedelta(hours=1)
_SEED = 0x0CA1_0003  # parts a person's lock from other uses of their id
_sql = statements("profiles", "pulses")
_REACT = "journeys.react"


@dataclass(frozen=True, slots=True)
class Taken:
    """All that was waiting for one person, as one.

    `names` are ids of `EventType`; a company's values are in `attributes` as `account.<name>`. Of both, those that came
    as history or by a merge alone are among the `late` as well: they start nothing. `events` are the ids of those
    events that may trigger something, the first of which happened at `first_at`; the last of all happened at `last_at`,
    and all was known by `known_at`.
    """

    profile_id: UUID
    causes: frozenset[str]
    names: frozenset[int]
    attributes: frozenset[str]
    events: tuple[int, ...]
    first_at: datetime | None
    last_at: datetime | None
    late_names: frozenset[int] = frozenset()
    late_attributes: frozenset[str] = frozenset()
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Triggering:
    """An event that may trigger something."""

    id: int
    message_id: str
    profile_id: UUID
    name: str
    occurred_at: datetime
    properties: dict[str, Any]


def waiting() -> tuple[bool, bool]:
    """Whether anybody waits, of those who came by themselves and of the crowd."""
    [(alone, crowd)] = _sql.rows("waiting")
    return alone, crowd


def claim(limit: int, *, crowd: bool | None = None, now: datetime) -> list[Taken]:
    """Takes all pulses of up to `limit` people, those who wait longest first, in the caller's transaction.

    Who came with many (an import, a launch, a segment that is built) waits in a queue of their own, so that they hold
    up nobody who came by themselves. `crowd` says whose queue it is; without a word theirs comes last.

    Each person is locked until it ends. Those whom somebody else has locked are passed by; their pulses stay. What is
    added meanwhile stays as well, for the next time.
    """
    people: list[UUID] = []
    for queue in (False, True) if crowd is None else (crowd,):
        people += _lock_oldest(limit - len(people), queue, people)
    if not people:
        return []
    return take(people)


def take(profile_ids: Sequence[UUID]) -> list[Taken]:
    """Takes all pulses of these people, whose locks the caller holds; those of whom there is none are left out."""
    rows: dict[UUID, list[Any]] = {person: [] for person in profile_ids}
    for profile, *row in _sql.rows("take", {"profiles": list(profile_ids)}):
        rows[profile].append(row)
    return [_as_one(profile, found) for profile, found in rows.items() if found]


def _lock_oldest(limit: int, crowd: bool, had: Sequence[UUID]) -> list[UUID]:
    """Those who wait longest in a queue and are free, without those whom we have already."""
    people: list[UUID] = []
    after, more = 0, True
    while more and len(people) < limit:
        missing = limit - len(people)
        params = {
            "crowd": crowd,
            "after": after,
            "window": missing * 4,
            "had": [*had, *people],
            "limit": missing,
            "seed": _SEED,
        }
        [(found, after, more)] = _sql.rows("lock_oldest", params)
        people += found
    return people


def _as_one(profile: UUID, rows: Sequence[Sequence[Any]]) -> Taken:
    known, causes, names, attributes, events, firsts, lasts = zip(*rows, strict=True)
    late = [cause in _LATE for cause in causes]
    prompt = [not one for one in late]
    return Taken(
        profile_id=profile,
        causes=frozenset(causes),
        names=_joined(names),
        attributes=_joined(attributes),
        events=tuple(id for some in events for id in some),
        first_at=min((at for at, some in zip(firsts, events, strict=True) if some and at), default=None),
        last_at=max(filter(None, lasts), default=None),
        late_names=_joined(compress(names, late)) - _joined(compress(names, prompt)),
        late_attributes=_joined(compress(attributes, late)) - _joined(compress(attributes, prompt)),
        known_at=max(known),
    )


def _joined(several: Iterable[Iterable[T]]) -> frozenset[T]:
    return frozenset(chain.from_iterable(several))


def as_of(taken: Iterable[Taken], now: datetime) -> datetime:
    """`now`, or when the last of these became known: a run that began earlier must see what it has taken.

    What came much later, by its own word, came by a clock that is wrong.
    """
    return max([now, *(one.known_at for one in taken if one.known_at and one.known_at <= now + _LONGEST_RUN)])


def triggering(taken: Sequence[Taken]) -> list[Triggering]:
    """The events of these that may trigger something, in the order in which they happened."""
    spans = [(one.profile_id, one.first_at, one.last_at) for one in taken if one.events]
    if not spans:
        return []
    profiles, first, last = (list(column) for column in zip(*spans, strict=True))
    params = {
        "profiles": profiles,
        "first": first,
        "last": last,
        "earliest": min(filter(None, first)),
        "latest": max(filter(None, last)),
        "events": [id for one in taken for id in one.events],
    }
    return [
        Triggering(id, message, profile, name, at, json.loads(found))
        for id, message, profile, name, at, found in _sql.rows("triggering", params)
    ]


def touch(profile_ids: Collection[UUID], *, cause: Pulse.Cause, now: datetime, attributes: Iterable[str] = ()) -> int:
    """Adds a pulse for each of these people, and wakes whoever takes them; how many it added."""
    if not profile_ids:
        return 0
    params = {
        "profiles": list(profile_ids),
        "cause": cause.value,
        "attributes": list(attributes),
        "crowd": len(profile_ids) > MANY,
        "now": now,
    }
    added = _sql.run("touch", params)
    wake(_REACT)
    return added


@dataclass(frozen=True, slots=True)
class Word:
    """A pulse to be added."""

    profile_id: UUID
    cause: Pulse.Cause
    names: Collection[int] = ()
    attributes: Collection[str] = ()
    events: Collection[int] = ()
    first_at: datetime | None = None
    last_at: datetime | None = None

    def as_row(self) -> dict[str, Any]:
        return {
            "profile": str(self.profile_id),
            "cause": self.cause.value,
            "names": sorted(self.names),
            "attributes": sorted(self.attributes),
            "events": sorted(self.events),
            "first_at": self.first_at and self.first_at.isoformat(),
            "last_at": self.last_at and self.last_at.isoformat(),
        }


def add(words: Sequence[Word], *, now: datetime, waking: bool = True) -> None:
    """Adds pulses in the caller's transaction, and wakes whoever takes them.

    Not `waking`: for what must never wait for a broker; Beat's next round finds them.
    """
    if words:
        rows = json.dumps([word.as_row() for word in words])
        _sql.run("add", {"rows": rows, "crowd": len(words) > MANY, "now": now})
        if waking:
            wake(_REACT)


def lock(profile_ids: Iterable[UUID]) -> set[UUID]:
    """Tries to lock these people until the transaction ends; those whom it got."""
    wanted = list(profile_ids)
    return {profile for (profile,) in _sql.rows("lock", {"profiles": wanted, "seed": _SEED})} if wanted else set()


def lock_all(profile_ids: Iterable[UUID]) -> None:
    """Locks all of these people until the transaction ends, waiting for whoever has one."""
    if wanted := list(profile_ids):
        _sql.rows("lock_all", {"profiles": wanted, "seed": _SEED})
