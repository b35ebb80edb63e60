"""Whether the ledger is as it was written, and the states are what follows from it."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from consent import chain, subjects
from consent.fold import Decision, Standing, fold, folded
from consent.models import ConsentState
from foundation.sql import statements

_sql = statements("consent", "verification")
_CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be. `seq` is None where it is the projection; `profile_id` where it is known."""

    subject: UUID | None
    seq: int | None
    reason: str
    profile_id: UUID | None = None

    def __str__(self) -> str:
        whose = f"subject {self.subject}" if self.subject else f"person {self.profile_id}"
        return f"{whose}, row {self.seq}: {self.reason}" if self.seq else f"{whose}, projection: {self.reason}"


class _Row(NamedTuple):
    subject: UUID | None
    seq: int | None
    profile_id: UUID | None
    current: bool
    hash: str
    id: UUID
    topic: str
    channel: str
    state: str
    source: str
    actor: str
    wording: str
    locale: str
    message: UUID | None
    evidence: str
    occurred_at: datetime
    recorded_at: datetime
    previous: str
    expires_at: datetime | None
    implied: str
    salt: str | None
    data: str | None


# The fields of a row as `chain.HASHED` wants them.
_hashed = attrgetter(*("subject" if name == "subject_ref" else name for name in (*chain.HASHED, *chain.IF_ANY)))


class Tally:
    """How much was looked at."""

    def __init__(self) -> None:
        self.rows = self.subjects = self.states = 0


def verify(tally: Tally | None = None) -> Iterator[Finding]:
    """Reads the whole ledger once, a chunk at a time, and yields what is wrong; nothing, if all is well."""
    tally = tally or Tally()
    for subject, rows in groupby(_stream(), key=attrgetter("subject")):
        tally.subjects += 1
        read = _orphans if subject is None else _chain
        yield from read(rows, tally)


def rebuild(profile_ids: Iterable[UUID], *, now: datetime) -> int:
    """Writes the states of these people anew from the ledger, under their locks; returns for how many."""
    people = sorted(set(profile_ids))
    for start in range(0, len(people), _CHUNK):
        _rebuild(people[start : start + _CHUNK], now)
    return len(people)


def _stream() -> Iterator[_Row]:
    # A cursor of the server's own: the ledger does not fit into memory.
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(_sql["everything"])
        while chunk := cursor.fetchmany(_CHUNK):
            yield from map(_Row._make, chunk)


def _orphans(rows: Iterable[_Row], tally: Tally) -> Iterator[Finding]:
    for row in rows:
        tally.states += 1
        yield Finding(None, None, f"says {_what(row)}, and no chain speaks of this person", row.profile_id)


def _chain(rows: Iterable[_Row], tally: Tally) -> Iterator[Finding]:
    seq, previous = 0, ""
    standing: dict[tuple[str, str], Standing] = {}
    said: dict[tuple[str, str], _Row] = {}
    person: tuple[UUID | None, UUID | None] = (None, None)
    for row in rows:
        person = (row.subject, row.profile_id if row.current else None)
        key = (row.topic, row.channel)
        if row.seq is None:
            tally.states += 1
            said[key] = row
            continue
        tally.rows += 1
        yield from (Finding(row.subject, row.seq, reason) for reason in _wrong_with(row, seq, previous))
        seq, previous = row.seq, row.hash
        standing[key] = fold(standing.get(key), Decision.of(row))
    if person[1] is not None:
        yield from (Finding(person[0], None, reason, person[1]) for reason in _unlike(standing, said))


def _wrong_with(row: _Row, seq: int, previous: str) -> Iterator[str]:
    if row.seq != seq + 1:
        yield f"{'rows are' if row.seq - seq > 2 else 'a row is'} missing before it"  # type: ignore[operator]
    elif row.previous != previous:
        yield "it does not follow from the row before, which was changed or replaced"
    if chain.digest(_hashed(row)) != row.hash:
        yield "its contents are not those that were written"
    if (
        row.salt is not None
        and row.data is not None
        and chain.commitment(row.salt, json.loads(row.data)) != row.evidence
    ):
        yield "its evidence is not that which was given"


def _unlike(standing: dict[tuple[str, str], Standing], said: dict[tuple[str, str], _Row]) -> Iterator[str]:
    for key in sorted({*standing, *said}):
        follows, row = standing.get(key), said.get(key)
        topic = f"{key[0]} by {key[1]}"
        if row is None or follows is None:
            yield f"{topic}: {'is missing' if row is None else 'nothing in the ledger leads to it'}"
        elif (row.state, row.id, row.occurred_at) != (follows.state, follows.record, follows.since):
            yield f"{topic}: says {row.state}, while {follows.state} follows from the ledger"
        elif row.expires_at != follows.expires_at:
            yield f"{topic}: runs out at another time than the ledger says"


def _what(row: _Row) -> str:
    return f"{row.state} to {row.topic} by {row.channel}"


def _rebuild(people: Sequence[UUID], now: datetime) -> None:
    with transaction.atomic():
        owners = {ref: profile for profile, ref in subjects.lock_to_write(people, now).items()}
        decisions: dict[tuple[UUID, str, str], list[Decision]] = defaultdict(list)
        for ref, topic, channel, record, state, at, end, settles in _sql.rows("decisions", {"refs": list(owners)}):
            decisions[owners[ref], topic, channel].append(Decision(record, state, at, end, settles))
        _sql.run("forget", {"profiles": people})
        ConsentState.objects.bulk_create(
            [
                ConsentState(
                    profile_id=profile,
                    topic=topic,
                    channel=channel,
                    state=found.state,
                    record=found.record,
                    since=found.since,
                    expires_at=found.expires_at,
                )
                for (profile, topic, channel), made in decisions.items()
                if (found := folded(made))
            ],
            batch_size=1_000,
        )
