"""Plays the tests of journeys and says what differed: for people, and for a build that is to stop there."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from foundation import clock
from foundation.wording import plural
from journeys import publishing
from journeys.models import Journey
from journeys.testing import keeping, running
from journeys.testing.running import Result


class Command(BaseCommand):
    help = "Plays the tests of journeys, of their drafts where there are any; of all that have tests, or of these."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", metavar="JOURNEY", help="slug of a journey")

    def handle(self, *args: Any, **options: Any) -> None:
        results = [one for journey in _journeys(options["slugs"]) for one in self._of(journey)]
        failed = sum(not one.passed for one in results)
        if failed:
            raise CommandError(f"{plural(failed, 'test fails', 'tests fail')} of {len(results)}.")
        self.stdout.write(f"{plural(len(results), 'test passes', 'tests pass')}." if results else "There are no tests.")

    def _of(self, journey: Journey) -> Iterator[Result]:
        version = publishing.draft_of(journey) or journey.version
        tests = keeping.of(journey)
        self.stdout.write(f"{journey.slug}: {plural(len(tests), 'test')}")
        document = version and version.document
        now = clock.now()
        for test, result in running.run_all(journey.slug, document, tests, now=now):
            keeping.note(test, result, now=now)
            self.stdout.write(f"  {'passed' if result.passed else 'FAILED'}  {result.name}")
            for line in [] if result.passed else result.differences:
                self.stdout.write(f"            {line}")
            yield result


def _journeys(slugs: list[str]) -> list[Journey]:
    rows = Journey.objects.select_related("version").order_by("slug")
    if not slugs:
        return list(rows.filter(tests__isnull=False).distinct())
    found = {journey.slug: journey for journey in rows.filter(slug__in=slugs)}
    if missing := [slug for slug in slugs if slug not in found]:
        raise CommandError(f"There is no journey {missing[0]!r}.")
    return [found[slug] for slug in dict.fromkeys(slugs)]
