"""Makes what a playbook holds: from the topics up, through the verbs that staff's own work goes through."""

from datetime import datetime

from django.db import transaction

from consent import topics
from foundation.errors import Invalid, Problem
from journeys import publishing
from journeys.testing import keeping
from messaging import templates
from messaging.snippets import saving as snippets
from playbooks.files import Playbook
from segments import definitions
from staff import teams


def install(playbook: Playbook, *, now: datetime, publish: bool = True, despite_tests: bool = False) -> None:
    """Saves all of it, live, and publishes its journeys; all or nothing. The second time nothing changes.

    `Conflict` where a journey does not pass its tests, unless it is published `despite_tests`.
    """
    reason = f"From the playbook {playbook.name}"
    with transaction.atomic():
        for row in playbook.teams:
            with _at(playbook, "teams", row["slug"]):
                teams.save(**row)
        for row in playbook.topics:
            with _at(playbook, "topics", row["slug"]):
                topics.save(**row, now=now)
        # Drafts first: segments may speak of journeys, and journeys ask for what they name when they are published.
        for row in playbook.journeys:
            with _at(playbook, "journeys", row["slug"]):
                tests = row.get("tests", [])
                definition = {name: value for name, value in row.items() if name != "tests"}
                journey = publishing.save(**definition, reason=reason, now=now)
                keeping.take(journey, tests, now=now)
        with definitions.together(now=now):
            for row in playbook.segments:
                with _at(playbook, "segments", row["slug"]):
                    definitions.save(**{"status": "live", **row}, reason=reason, now=now)
        for row in playbook.snippets:
            with _at(playbook, "snippets", row["slug"]):
                snippets.save(**row, reason=reason, now=now)
        for row in playbook.templates:
            with _at(playbook, "templates", row["slug"]):
                templates.save(**row, reason=reason, now=now)
        for row in playbook.journeys if publish else ():
            with _at(playbook, "journeys", row["slug"]):
                publishing.publish(row["slug"], reason=reason, despite_tests=despite_tests, now=now)


class _at:
    """Says of what is refused inside which definition of which file it belongs to."""

    def __init__(self, playbook: Playbook, part: str, slug: str) -> None:
        self.place = f"{playbook.slug}.{part}.{slug}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Invalid):
            problems = [
                Problem(f"{self.place}.{problem.path}".rstrip("."), problem.reason) for problem in error.problems
            ]
            raise Invalid(problems) from error
