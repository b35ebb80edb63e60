"""A playbook passes its own tests, and they travel with its file."""

from datetime import datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from foundation.errors import Conflict, Invalid
from journeys import publishing
from journeys.models import Journey
from journeys.testing import keeping
from playbooks import asking, comparing, exporting, files, installing, trying


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


@pytest.mark.django_db
def test_the_command_plays_the_tests_of_a_file_and_leaves_nothing(tmp_path: Path) -> None:
    file, told = tmp_path / "mine.yaml", StringIO()
    file.write_text(other("", ""))
    call_command("test_journeys", str(file), stdout=told)
    assert told.getvalue().splitlines()[0::4] == ["onboarding: 3 tests", "3 tests pass."]
    file.write_text(other())
    with pytest.raises(CommandError, match="2 tests fail of 3"):
        call_command("test_journeys", str(file), stdout=told)
    assert "- A message (Send A hand with the first step by email), 2 days after the beginning" in told.getvalue()
    assert not Journey.objects.exists()
    for text, said in (("name: [", "could not be installed"), ("journeys: 5", "could not be installed")):
        file.write_text(text)
        with pytest.raises(CommandError, match=said):
            call_command("test_journeys", str(file), stdout=told)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("test_journeys", str(tmp_path / "nowhere.yaml"), stdout=told)


@pytest.mark.django_db
def test_tests_go_along_where_events_and_values_have_other_names(now: datetime) -> None:
    others = {
        ("event", "plan_upgraded"): "subscribed",
        ("attribute", "plan"): "tier",
        ("attribute", "trial_ends_at"): "ends",
    }
    book = asking.called(files.load("trial-conversion"), others)
    [first, second, _] = [test for _, test in book.tests]
    assert first["person"]["attributes"] == {"ends": {"in": {"days": 14}}, "tier": "trial"}
    assert {"does": "subscribed"} in second["acts"] and {"becomes": {"tier": "pro"}} in second["acts"]
    assert {one.passed for found in trying.play(book, now=now).values() for one in found} == {True}


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
