"""The tests of a file, played as if it were installed here. Nothing of it stays."""

from datetime import datetime

from django.db import transaction

from journeys import publishing
from journeys.models import Journey
from journeys.testing import keeping, running
from journeys.testing.running import Result
from playbooks import installing
from playbooks.files import Playbook


def play(playbook: Playbook, *, now: datetime) -> dict[str, list[Result]]:
    """By the slug of each journey that has tests in the file. `Invalid` for a file that could not be installed."""
    wanted: dict[str, set[str]] = {}
    for slug, test in playbook.tests:
        wanted.setdefault(slug, set()).add(test["name"])
    with transaction.atomic():
        installing.install(playbook, now=now, publish=False)
        found = {slug: _of(slug, names, now) for slug, names in wanted.items()}
        transaction.set_rollback(True)
    return found


def _of(slug: str, names: set[str], now: datetime) -> list[Result]:
    journey = Journey.objects.select_related("version").get(slug=slug)
    version = publishing.draft_of(journey) or journey.version
    tests = [test for test in keeping.of(journey) if test.name in names]
    return [result for _, result in running.run_all(slug, version and version.document, tests, now=now)]
