"""After a backup was restored: erases again whom it brought back."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from foundation import clock
from profiles import journal, replaying
from staff import actors


class Command(BaseCommand):
    help = "After a restored backup: erases again everybody whom the journal of erasures has and the database has not."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="journals of other machines, too")

    def handle(self, *args: Any, **options: Any) -> None:
        for path in options["files"]:
            if not path.is_file():
                raise CommandError(f"There is no file {path}.")
        with actors.acting_as("command:replay_erasures"):
            try:
                found = journal.missing(options["files"])
            except journal.Unreadable as error:
                raise CommandError(str(error)) from error
            done = replaying.replay(found, now=clock.now())
        self.stdout.write(f"{done} erasures done again." if done else "Nothing to do: the database knows all of them.")
