"""Plays the tests of journeys and says what differed: for people, and for a build that is to stop there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from foundation import clock
from foundation.errors import Refused
from foundation.wording import plural
from journeys import publishing
from journeys.models import Journey
from journeys.testing import keeping
from journeys.testing.running import Result
from playbooks import files, trying
from staff import actors


class Command(BaseCommand):
    help = "Plays the tests of journeys (of drafts, where there are any): of all that have some, of these, or of files."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "journeys", nargs="*", metavar="JOURNEY", help="slug of a journey, or a file as export_journeys writes it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        results = []
        with actors.acting_as("command:test_journeys"):
            for slug, found in _played(options["journeys"]):
                self.stdout.write(f"{slug}: {plural(len(found), 'test')}")
                for result in found:
                    self._tell(result)
                results += found
        if failed := sum(not one.passed for one in results):
            raise CommandError(f"{plural(failed, 'test fails', 'tests fail')} of {len(results)}.")
        self.stdout.write(f"{plural(len(results), 'test passes', 'tests pass')}." if results else "There are no tests.")

    def _tell(self, result: Result) -> None:
        self.stdout.write(f"  {'passed' if result.passed else 'FAILED'}  {result.name}")
        for line in [] if result.passed else result.differences:
            self.stdout.write(f"            {line}")


def _played(names: list[str]) -> Iterator[tuple[str, list[Result]]]:
    journeys = Journey.objects.select_related("version").order_by("slug")
    if not names:
        yield from (_of(journey) for journey in journeys.filter(tests__isnull=False).distinct())
    for name in dict.fromkeys(names):
        if name.endswith((".yaml", ".yml")):
            yield from _of_file(Path(name))
        elif journey := journeys.filter(slug=name).first():
            yield _of(journey)
        else:
            raise CommandError(f"There is no journey {name!r}.")


def _of(journey: Journey) -> tuple[str, list[Result]]:
    version = publishing.draft_of(journey) or journey.version
    return journey.slug, keeping.run(journey, version and version.document, now=clock.now())


def _of_file(path: Path) -> Iterator[tuple[str, list[Result]]]:
    try:
        playbook = files.read(path.stem, path.read_text(encoding="utf-8"))
        yield from trying.play(playbook, now=clock.now()).items()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from None
    except Refused as refusal:
        raise CommandError(f"{path} could not be installed: {refusal}") from None
