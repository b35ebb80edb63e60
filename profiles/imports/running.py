"""An import under way: chunk by chunk, each one transaction with how far it is, so that it can stop at any moment."""

import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from django.db import OperationalError, connection, transaction

from foundation.errors import Conflict
from profiles import ingest
from profiles.imports.leftovers import Refused
from profiles.imports.plans import Item, Plan
from profiles.imports.reading import Row, Rows, Source
from profiles.ingest import Trust
from profiles.models import ImportJob
from staff import audit

CHUNK = 5_000
_MAX_REASONS = 200
_TRIES = 5
_TIES = {"40001", "40P01"}  # serialization failure, deadlock: the same again may well go through
Now = Callable[[], datetime]


class Done(Conflict):
    """The file was imported before, to its end."""

    def __init__(self, job: ImportJob) -> None:
        self.job = job
        super().__init__(
            f"This file was imported before: {job.stored:,} stored, {job.repeated:,} that had come before,"
            f" {job.refused:,} refused. There is nothing to do."
        )


@dataclass(slots=True)
class Tally:
    """What became of the rows so far. A row is refused if any of what it says is."""

    rows: int = 0
    stored: int = 0
    repeated: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, job: ImportJob) -> "Tally":
        return cls(job.rows, job.stored, job.repeated, job.refused, Counter(job.reasons))

    def add(self, other: "Tally") -> None:
        self.rows += other.rows
        self.stored += other.stored
        self.repeated += other.repeated
        self.refused += other.refused
        for reason, n in other.reasons.items():
            is_known = reason in self.reasons or len(self.reasons) < _MAX_REASONS
            self.reasons[reason if is_known else "Other reasons"] += n


class Import:
    """One run over a file. To iterate over it is to import; each step is a chunk that is committed."""

    def __init__(self, source: Source, plan: Plan, rows: Rows, *, now: Now) -> None:
        self.source, self.plan, self.now = source, plan, now
        self._rows = rows
        self.tally = Tally()

    @property
    def done(self) -> int:
        """Bytes of the file that are read, of `source.size`."""
        return self._rows.done

    def check(self) -> Generator[Tally]:
        """Does all that an import does, and takes it back: what would become of the rows."""
        for chunk in _chunks(iter(self._rows)):
            with transaction.atomic():
                self.tally.add(self._take(chunk)[0])
                transaction.set_rollback(True)
            yield self.tally

    def __iter__(self) -> Generator[Tally]:
        """Goes on where it stopped. Raises `Done`, and `Conflict` where it cannot be done now."""
        with _alone(self.plan):
            job = self._begin()
            try:
                yield from self._run(job)
            except (KeyboardInterrupt, GeneratorExit):
                job.state = ImportJob.State.CANCELLED
                job.save(update_fields=["state"])
                raise
            job.state, job.finished_at = ImportJob.State.DONE, self.now()
            job.save(update_fields=["state", "finished_at"])
            said = f"Imported {job.kind} from a file: {job.stored:,} stored, {job.refused:,} refused."
            audit.record("import", "import", str(job.pk), said, rows=job.rows)

    def _begin(self) -> ImportJob:
        mapping = dict(self.plan.renamed)
        job, is_new = ImportJob.objects.get_or_create(
            kind=self.plan.kind,
            digest=self.source.digest,
            defaults={"path": str(self.source.path.resolve()), "mapping": mapping, "started_at": self.now()},
        )
        if job.state == ImportJob.State.DONE:
            raise Done(job)
        if job.rows and job.mapping != mapping:
            before = " ".join(f"--map {old}={new}" for old, new in job.mapping.items()) or "no --map"
            raise Conflict(f"This import was begun with {before}; say the same to go on with it.")
        job.mapping, job.state, job.path = mapping, ImportJob.State.RUNNING, str(self.source.path.resolve())
        job.save(update_fields=["mapping", "state", "path"])
        if is_new:
            audit.record("begin", "import", str(job.pk), f"Began to import {job.kind} from a file.")
        self.tally = Tally.of(job)
        return job

    def _run(self, job: ImportJob) -> Iterator[Tally]:
        rows = iter(self._rows)
        last = 0
        for row in islice(rows, job.rows):
            last = row.line
        refused = Refused(self.source.path, self._rows.header, behind=last)
        yield self.tally
        for chunk in _chunks(rows):
            _insisting(lambda chunk=chunk: self._commit(job, chunk, refused))  # type: ignore[misc]
            self.tally = Tally.of(job)
            yield self.tally

    def _commit(self, job: ImportJob, chunk: list[Row], refused: Refused) -> None:
        tally = Tally.of(job)
        with transaction.atomic():
            added, against = self._take(chunk)
            tally.add(added)
            job.rows, job.stored, job.repeated, job.refused = tally.rows, tally.stored, tally.repeated, tally.refused
            job.reasons = dict(tally.reasons)
            job.save(update_fields=["rows", "stored", "repeated", "refused", "reasons"])
            # Before the commit: a line too many is cut off when we go on after a crash, one too few would be lost.
            refused.add((row.line, reason, row.cells) for row, reason in against)

    def _take(self, chunk: list[Row]) -> tuple[Tally, list[tuple[Row, str]]]:
        against: dict[int, tuple[Row, str]] = {}
        said: list[tuple[Row, list[Item]]] = []
        for row in chunk:
            items = row.problem or self.plan.items(row)
            if isinstance(items, str):
                against[row.line] = (row, items)
            else:
                said.append((row, items))
        receipt = self._take_items([(row, items[0]) for row, items in said], against)
        # What a row says beyond its first item (a person's company) follows, and is not counted as another row.
        if further := [(row, item) for row, items in said for item in items[1:] if row.line not in against]:
            self._take_items(further, against)
        reasons = Counter(reason for _, reason in against.values())
        tally = Tally(len(chunk), receipt.stored, receipt.repeated, len(against), reasons)
        return tally, [against[line] for line in sorted(against)]

    def _take_items(self, items: list[tuple[Row, Item]], against: dict[int, tuple[Row, str]]) -> ingest.Receipt:
        source = f"file {self.source.path.name}"
        taken = [item for _, item in items]
        receipt = ingest.take(taken, source=source, trust=Trust.IMPORT, now=self.now(), historical=True)
        for place, reason in receipt.rejected:
            row = items[place][0]
            against.setdefault(row.line, (row, reason))
        return receipt


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


@contextmanager
def _alone(plan: Plan) -> Iterator[None]:
    """Keeps others from importing the same file at once; the lock goes with the process that dies."""
    key = int.from_bytes(hashlib.sha256(f"{plan.kind} {plan.digest}".encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        if not cursor.fetchone()[0]:
            raise Conflict("This file is being imported by another process just now.")
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def _insisting(work: Callable[[], None]) -> None:
    """Does the chunk again where PostgreSQL ended a tie with another transaction at our cost."""
    for tried in range(_TRIES):
        try:
            return work()
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) not in _TIES or tried == _TRIES - 1:
                raise
            time.sleep(random.uniform(0.01, 0.05) * 2**tried)  # noqa: S311 (no secret: it parts two who collided)
    return None
