"""What a chain cannot say of itself: that its end was cut off. So the ends of all are written down each night.

The root of a Merkle tree (RFC 6962) over the last link of each chain goes into a table, into a file, and into the log:
whoever holds the database can change the first, and not what has been copied away of the others.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from consent import chain
from consent.models import Anchor
from foundation import wording
from foundation.sql import statements

log = logging.getLogger(__name__)
_SETTLED = timedelta(hours=1)  # by then whatever was being written down is committed, and does not come in between
_EVERY = timedelta(hours=20)
_CHUNK = 5_000
_sql = statements("consent", "ledger")


@dataclass(frozen=True, slots=True)
class Ends:
    """The ends of all chains, of what was written down until `covers`."""

    covers: datetime
    chains: int
    root: str


def tick(now: datetime) -> int:
    """Writes the ends down, unless that was done within the day; whether it was (1 or 0)."""
    last = Anchor.objects.order_by("-at", "-id").first()
    if last is not None and last.at > now - _EVERY:
        return 0
    ends = of(now - _SETTLED)
    Anchor.objects.create(at=now, covers=ends.covers, chains=ends.chains, root=ends.root)
    _append(settings.LEDGER_ANCHORS, {**asdict(ends), "covers": ends.covers.isoformat(), "at": now.isoformat()})
    log.info("the ends of %s chains as of %s have the root %s", ends.chains, ends.covers.isoformat(), ends.root)
    return 1


def of(covers: datetime) -> Ends:
    """The ends as the ledger has them now, read a chunk at a time."""
    leaves = _Leaves()
    for subject, seq, hash in _heads(covers):
        leaves.add(chain.canonical([str(subject), seq, hash]))
    return Ends(covers, leaves.count, leaves.root())


def wrong() -> Iterator[str]:
    """What the last anchors say otherwise than the ledger, the table's and the file's; nothing, if all is well."""
    for where, ends in _last():
        found = of(ends.covers)
        if found != ends:
            yield (
                f"the ends of the chains as of {wording.exact(ends.covers)} are not those that {where} has "
                f"({ends.chains:,} chains, now {found.chains:,}): rows were cut off, added or changed since"
            )


def _last() -> Iterator[tuple[str, Ends]]:
    row = Anchor.objects.order_by("-at", "-id").first()
    if row is not None:
        yield "the table of anchors", Ends(row.covers, row.chains, row.root)
    path: Path = settings.LEDGER_ANCHORS
    lines = path.read_text().splitlines() if path.exists() else []
    if lines:
        said: dict[str, Any] = json.loads(lines[-1])
        yield f"the file {path.name}", Ends(datetime.fromisoformat(said["covers"]), said["chains"], said["root"])


def _heads(covers: datetime) -> Iterable[tuple[UUID, int, str]]:
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(_sql["heads_as_of"], {"covers": covers})
        while rows := cursor.fetchmany(_CHUNK):
            yield from rows


def _append(path: Path, line: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())


class _Leaves:
    """A Merkle tree of which only the right edge is kept: a hash for each height that has one waiting."""

    def __init__(self) -> None:
        self.count = 0
        self._edge: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        node = hashlib.sha256(b"\0" + leaf).digest()
        full = self.count
        while full & 1:  # two of one height make one of the next
            node = hashlib.sha256(b"\1" + self._edge.pop() + node).digest()
            full >>= 1
        self._edge.append(node)
        self.count += 1

    def root(self) -> str:
        if not self._edge:
            return hashlib.sha256(b"").hexdigest()
        node = self._edge[-1]
        for left in reversed(self._edge[:-1]):
            node = hashlib.sha256(b"\1" + left + node).digest()
        return node.hex()
