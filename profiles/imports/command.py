"""What `import_events` and `import_profiles` share: their options, the progress they show, and what they say."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from foundation import clock
from foundation.errors import Refused
from profiles.imports import leftovers, reading
from profiles.imports.plans import Plan
from profiles.imports.running import Done, Import, Tally
from staff import actors

_EVERY = 10.0  # seconds between lines where nobody watches a bar


class ImportCommand(BaseCommand):
    """Imports a file of one kind; a subclass says which, and helps with its columns."""

    kind: str

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="CSV with a header, or JSON lines; either packed by gzip or not")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="OLD=NEW",
            help="reads the column, or the event, OLD as NEW; may be given many times",
        )
        parser.add_argument("--encoding", default="utf-8", help="of a CSV file; by default utf-8")
        parser.add_argument("--dry-run", action="store_true", help="says what would become of the rows; stores nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        with actors.acting_as(f"command:import_{self.kind}"):
            try:
                self._import(options["file"], options)
            except Done as done:
                self.stdout.write(str(done))
            except Refused as refusal:
                raise CommandError(str(refusal)) from None

    def _import(self, path: Path, options: dict[str, Any]) -> None:
        source = reading.look(path, encoding=options["encoding"])
        with reading.opened(source) as rows, _stopping():
            plan = Plan.of(self.kind, source.digest, _renamed(options["map"]), None if source.is_json else rows.header)
            run = Import(source, plan, rows, now=clock.now)
            with closing(run.check() if options["dry_run"] else iter(run)) as steps:
                self._go(run, steps)
        self._tell(run.tally, path, is_dry=options["dry_run"])

    def _go(self, run: Import, steps: Iterator[Tally]) -> None:
        try:
            with _shown(self, run.source.size) as show:
                for tally in steps:
                    show(run.done, tally)
        except KeyboardInterrupt:
            said = f"Stopped after {run.tally.rows:,} rows. Give the same command again to go on from there."
            self.stderr.write(said)
            raise SystemExit(130) from None

    def _tell(self, tally: Tally, path: Path, *, is_dry: bool) -> None:
        opening = "Nothing was stored. An import would read" if is_dry else "Read"
        self.stdout.write(
            f"{opening} {tally.rows:,} rows: {tally.stored:,} stored, {tally.repeated:,} that had come before,"
            f" {tally.refused:,} refused."
        )
        for reason, n in tally.reasons.most_common(20):
            self.stdout.write(f"  {n:>9,}  {reason}")
        if tally.refused and not is_dry:
            self.stdout.write(f"The refused rows are in {leftovers.refused_file(path)}, each with its line and reason.")


def _renamed(pairs: list[str]) -> dict[str, str]:
    renamed = {}
    for pair in pairs:
        old, sign, new = pair.partition("=")
        if not (old.strip() and sign and new.strip()):
            raise CommandError(f"--map {pair} says nothing; write it as --map OLD=NEW.")
        renamed[old.strip()] = new.strip()
    return renamed


@contextmanager
def _stopping() -> Iterator[None]:
    """Lets a polite end (SIGTERM) stop the import as Ctrl-C does."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _shown(command: BaseCommand, size: int) -> Iterator[Any]:
    """Gives what shows the progress: a bar where somebody watches, else a line now and then."""
    if sys.stderr.isatty():
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        ) as progress:
            task = progress.add_task("Importing", total=size)
            yield lambda done, tally: progress.update(
                task, completed=done, description=f"{tally.rows:,} rows, {tally.refused:,} refused"
            )
        return
    last = time.monotonic()

    def line(done: int, tally: Tally) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            command.stderr.write(f"{min(done / size, 1):.0%}: {tally.rows:,} rows, {tally.refused:,} refused")

    yield line
