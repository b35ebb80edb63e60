"""Makes what a file of journeys says: tells what would change, and does it, all or nothing."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from foundation import clock
from foundation.errors import Refused
from playbooks import comparing, files, installing
from staff import actors


class Command(BaseCommand):
    help = "Makes the topics, segments, templates and journeys of a file be what it says."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="YAML, as export_journeys writes it")
        parser.add_argument("--dry-run", action="store_true", help="tell what would change, and change nothing")
        parser.add_argument("--no-publish", action="store_true", help="leave journeys as drafts")
        parser.add_argument(
            "--despite-tests", action="store_true", help="publish journeys that do not pass their tests"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(options["file"])
        try:
            playbook = files.read(path.stem, path.read_text(encoding="utf-8"))
            for difference in comparing.differences(playbook):
                self.stdout.write(str(difference))
                for line in difference.lines if difference.how == "changed" else ():
                    self.stdout.write(f"    {line}")
            if options["dry_run"]:
                self.stdout.write("Nothing was changed.")
                return
            with actors.acting_as("command:apply"):
                installing.install(
                    playbook,
                    now=clock.now(),
                    publish=not options["no_publish"],
                    despite_tests=options["despite_tests"],
                )
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path} cannot be read: {error}") from None
        except Refused as refusal:
            raise CommandError(f"Nothing was changed. {refusal}") from None
        self.stdout.write("Done.")
