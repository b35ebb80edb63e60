"""A playbook passes its own tests, and they travel with its file."""

from datetime import datetime

import pytest

from foundation.errors import Conflict, Invalid
from journeys import publishing
from journeys.models import Journey
from journeys.testing import keeping
from journeys.testing.models import JourneyTest
from playbooks import comparing, exporting, files, installing

LIBRARY = [slug for slug in files.slugs() if files.load(slug).tests]


@pytest.mark.django_db
@pytest.mark.parametrize("slug", LIBRARY)
def test_a_playbook_of_the_library_passes_its_own_tests_where_it_is_installed(slug: str, now: datetime) -> None:
    playbook = files.load(slug)
    assert len(playbook.tests) >= 2
    installing.install(playbook, now=now)
    assert dict(JourneyTest.objects.values_list("name", "result")) == {
        test["name"]: "passed" for _, test in playbook.tests
    }
    book = exporting.of_journeys([row["slug"] for row in playbook.journeys])
    assert book.tests == playbook.tests


def other(text: str = "two-days, kind: wait, for: {days: 2}", to: str = "two-days, kind: wait, for: {days: 3}") -> str:
    """The file of onboarding, with something else in it."""
    file = files._LIBRARY / "onboarding.yaml"
    written = file.read_text(encoding="utf-8")
    assert text in written
    return written.replace(text, to, 1)


@pytest.mark.django_db
def test_a_file_that_does_not_pass_its_tests_is_not_published_unless_it_is_meant(now: datetime) -> None:
    book = files.read("mine", other())
    with pytest.raises(Conflict, match="2 tests fail"):
        installing.install(book, now=now)
    assert not Journey.objects.exists()
    installing.install(book, now=now, despite_tests=True)
    assert Journey.objects.get().status == "live"


@pytest.mark.django_db
def test_tests_of_other_names_stay_and_a_file_applied_again_changes_nothing(now: datetime) -> None:
    installing.install(files.load("onboarding"), now=now)
    journey = Journey.objects.get()
    book = files.read("mine", files.written(exporting.of_journeys(["onboarding"])))
    keeping.save(journey, "Ours", script={"person": {}}, expect={"state": "active"}, now=now)
    assert {one.how for one in comparing.differences(book)} == {"same"}
    changed = files.read("mine", files.written(book).replace("hours: 5", "hours: 6"))
    [told] = [one for one in comparing.differences(changed) if one.how == "changed"]
    assert [line.strip("+- ") for line in told.lines if line[0] in "+-"] == ["hours: 5", "hours: 6"]
    installing.install(changed, now=now)
    assert [test.name for test in keeping.of(journey)][-1] == "Ours"
    assert {one.how for one in comparing.differences(changed)} == {"same"}
    assert publishing.draft_of(journey) is None


@pytest.mark.parametrize(
    ("text", "to", "path"),
    [
        ("{hours: 5}", "{moons: 5}", "tests[1].acts[1].wait"),
        ("{does: feature_used}", "{sings: feature_used}", "tests[1].acts[2]"),
        ("goal: true", "goal: perhaps", "tests[1].expect.goal"),
        ("- {step: next, after: {days: 7}}", "- {after: {days: 7}}", "tests[1].expect.messages[1].step"),
        ("- {wait: {days: 14}}", "- {wait: {days: 140}}", "tests[0].acts"),
        ("person: {first_name: Ada, email: ada@example.com}", "who: Ada", "tests[0].who"),
    ],
)
def test_what_is_no_test_is_named_by_its_place(text: str, to: str, path: str) -> None:
    with pytest.raises(Invalid) as caught:
        files.read("mine", other(text, to))
    assert caught.value.problems[0].path == f"journeys.onboarding.{path}"
