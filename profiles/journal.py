"""The journal of erasures: a file outside the database, so that a backup of the database brings nobody back for long.

    erased and committed -> `write` adds a line -> a backup from before is restored -> `missing` -> `replaying.replay`

A line holds opaque ids and keyed hashes and names nobody. The row is written with the erasure, the line after it; what
was cut short in between is made up for by the next erasure, or by the loop.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from django.conf import settings

from profiles.models import Erasure

KEPT = timedelta(days=400)  # no older backup may be restored


class Unreadable(Exception):
    """A line that is none of ours; `str()` says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An erasure, as a line of the journal tells it."""

    id: UUID
    at: datetime
    others: list[UUID] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def people(self) -> list[UUID]:
        return [self.id, *self.others]


def write(now: datetime) -> int:
    """Adds a line for each erasure that has none yet; how many. The line is on the disk before the row says so."""
    if not Erasure.objects.filter(noted_at=None).exists():
        return 0
    with _alone() as file:
        # Under the lock: another process may have been first.
        rows = list(Erasure.objects.filter(noted_at=None).order_by("at", "id"))
        file.write("".join(_line(row) for row in rows))
        file.flush()
        os.fsync(file.fileno())
        Erasure.objects.filter(pk__in=[row.pk for row in rows]).update(noted_at=now)
    return len(rows)


def read(paths: Iterable[Path] = ()) -> list[Entry]:
    """What the journal says, and these files; each erasure once. Raises `Unreadable`."""
    entries: dict[UUID, Entry] = {}
    for path in (settings.ERASURE_JOURNAL, *paths):
        if path.is_file():
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                entry = _entry(line, path, number)
                entries.setdefault(entry.id, entry)
    return list(entries.values())


def missing(paths: Iterable[Path] = ()) -> list[Entry]:
    """Erasures that this database knows nothing of: it was restored from a backup that is older than they are."""
    entries = read(paths)
    known = set(Erasure.objects.filter(pk__in=[entry.id for entry in entries]).values_list("pk", flat=True))
    return [entry for entry in entries if entry.id not in known]


def forget(now: datetime) -> int:
    """Drops what is older than any backup that may be restored: first the lines, then the rows."""
    before = now - KEPT
    old = Erasure.objects.filter(at__lte=before).exclude(noted_at=None)
    if not old.exists():
        return 0
    with _alone() as file:
        kept = [entry for entry in read() if entry.at > before]
        beside = settings.ERASURE_JOURNAL.with_suffix(".part")
        beside.touch(mode=0o600)
        beside.write_text("".join(_line(entry) for entry in kept), encoding="utf-8")
        beside.replace(file.name)
    return old.delete()[0]


@contextmanager
def _alone() -> Iterator[IO[str]]:
    """The journal, open for adding to, and held against all other processes."""
    path: Path = settings.ERASURE_JOURNAL
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A lock beside it: the journal itself is replaced when old lines are dropped.
    with path.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path.touch(mode=0o600)
        with path.open("a", encoding="utf-8") as file:
            yield file


def _line(one: Erasure | Entry) -> str:
    told = {
        "id": str(one.id),
        "at": one.at.isoformat(),
        "others": [str(id) for id in one.others],
        "digests": one.digests,
        "kept": one.kept,
    }
    return f"{json.dumps(told)}\n"


def _entry(line: str, path: Path, number: int) -> Entry:
    try:
        told = json.loads(line)
        return Entry(
            UUID(told["id"]),
            datetime.fromisoformat(told["at"]),
            [UUID(id) for id in told["others"]],
            [str(digest) for digest in told["digests"]],
            dict(told["kept"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(
            f"Line {number} of {path} is none of the journal of erasures. Take it off if it was cut short by a crash"
            " (the erasure is written again), or bring the file back from where it is kept."
        ) from error
