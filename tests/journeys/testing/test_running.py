"""What a test says is played by the engine's steps; what differs is told line by line, always the same."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from foundation.errors import Conflict, Invalid
from journeys import documents, publishing
from journeys.models import Journey
from journeys.testing import keeping, lengths, running, scripts
from journeys.testing.models import JourneyTest
from profiles.models import Profile
from segments import definitions
from staff.models import AuditEntry, Team
from tests.api.conftest import client_with
from tests.journeys.conftest import Stage, branch, send, wait

FEATURE = {"kind": "event", "name": "feature_used"}
BEGINS = {
    "person": {"first_name": "Ada"},
    "acts": [{"does": "signed_up"}, {"wait": {"hours": 5}}, {"does": "feature_used"}, {"wait": {"days": 3}}],
}
EXPECT = {
    "way": ["hello", "pause", "way/yes", "tips"],
    "messages": [{"step": "hello", "after": {"minutes": 0}}, {"step": "tips", "subject": "Hi"}],
    "state": "completed",
    "goal": False,
}


def drawn(stage: Stage, **parts: Any) -> Journey:
    way = branch("way", FEATURE, [send("tips", "nudge")], [send("help")])
    return stage.journey(send("hello"), wait("pause"), way, publish=False, **parts)


def result_of(stage: Stage, journey: Journey, expect: Any, **script: Any) -> running.Result:
    version = publishing.draft_of(journey)
    assert version is not None
    return running.run(journey.slug, version.document, "x", {**BEGINS, **script}, expect, now=stage.now)


def test_a_test_passes_where_all_that_it_speaks_of_came_about(stage: Stage) -> None:
    journey = drawn(stage)
    assert result_of(stage, journey, EXPECT).passed
    assert result_of(stage, journey, {"state": "completed"}).passed
    found = result_of(stage, journey, EXPECT).found
    assert found["messages"][1] == {"step": "tips", "after": {"days": 2}, "subject": "Hi"}
    assert result_of(stage, journey, found).passed
    assert not Profile.objects.exists()


def test_what_differs_is_told_in_words(stage: Stage) -> None:
    journey = drawn(stage)
    told = result_of(stage, journey, EXPECT, acts=[{"does": "signed_up"}, {"wait": {"days": 1}}])
    assert not told.passed
    assert told.differences == [
        "  Send hello by email",
        "- Wait for 2 days",
        "- Go the first way that fits: Yes",
        "- Send nudge by email",
        "  A message (Send hello by email), at once",
        "- The message “Hi” (Send nudge by email)",
        "- They came to the end",
        "+ They are on the way",
        "  The goal is not reached",
    ]
    missing = result_of(
        stage, drawn(stage, slug="other", goal={"condition": {"kind": "segment", "slug": "no"}}), EXPECT
    )
    assert "It cannot be played" in missing.why and "segment" in missing.why


def test_a_message_that_went_is_not_undone_by_a_later_goal_and_one_of_the_same_moment_is(stage: Stage) -> None:
    goal = {"condition": {"kind": "event", "name": "paid"}}
    journey = stage.journey(send("hello"), wait("pause"), send("tips"), publish=False, goal=goal)
    acts = [{"does": "signed_up"}, {"wait": {"days": 1}}, {"does": "paid"}, {"wait": {"days": 3}}]
    expect = {"messages": [{"step": "hello"}], "state": "exited", "goal": True}
    assert result_of(stage, journey, expect, acts=acts).differences[-3:] == [
        "  A message (Send hello by email)", "  They left", "  The goal is reached",
    ]  # fmt: skip


def test_chance_is_drawn_as_the_test_says_and_otherwise_always_alike(stage: Stage) -> None:
    arms = [{"key": f"arm{n}", "weight": 1, "steps": []} for n in range(8)]
    journey = stage.journey({"key": "split", "kind": "split", "arms": arms}, publish=False)
    ways = {
        tuple(result_of(stage, journey, EXPECT, acts=[], draws=draws).found["way"])
        for draws in ({}, {"split": "x" * 200}, {"split": "arm3"}, {"split": "arm5"})
    }
    assert {("split/arm3",), ("split/arm5",)} < ways and len(ways) <= 3
    assert len({*result_of(stage, journey, EXPECT, acts=[], draws={}).found["way"]}) == 1


def test_a_team_answers_values_change_and_time_alone_moves_people(stage: Stage) -> None:
    Team.objects.create(slug="success", name="Success")
    quiet = {"kind": "event", "name": "signed_up", "count": {"op": "is", "value": 0}, "window": {"last": {"days": 9}}}
    once = {"kind": "event", "name": "signed_up"}
    definitions.save("quiet", name="Quiet", definition={"all": [once, quiet]}, status="live", now=stage.now)
    rich = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}
    definitions.save("rich", name="Rich", definition=rich, status="live", now=stage.now)
    task = {
        "key": "call", "kind": "task", "title": "Call", "team": "success",
        "outcomes": [{"key": key, "label": key, "steps": [send(f"tips-{key}")]} for key in ("yes", "no")],
    }  # fmt: skip
    is_rich = {"kind": "segment", "slug": "rich"}
    journey = stage.journey(
        branch("way", is_rich, [task], []), publish=False, trigger={"kind": "segment_entered", "slug": "quiet"}
    )
    acts = [
        {"does": "signed_up"}, {"becomes": {"plan": "pro"}}, {"wait": {"days": 10}},
        {"answers": "call", "outcome": "yes"}, {"wait": {"days": 1}},
    ]  # fmt: skip
    found = result_of(stage, journey, EXPECT, acts=acts).found
    assert found["way"] == ["way/yes", "call/yes", "tips-yes"]
    assert found["messages"] == [{"step": "tips-yes", "after": {"days": 10}, "subject": "Hi"}]
    put_on = [{"enters": True}, {"wait": {"days": 1}}]
    of_the_rich = result_of(stage, journey, EXPECT, acts=put_on, person={"attributes": {"plan": "pro"}})
    assert of_the_rich.found["step"] == "call"  # somebody made up is in the segments of people like them


def test_lengths_are_read_written_and_said() -> None:
    length = timedelta(days=1, hours=3)
    assert lengths.read(lengths.written(length), "x") == length
    given = ({"days": 1, "minutes": 2}, {"weeks": 2}, {"hours": 0})
    assert [lengths.said(lengths.read(one, "x")) for one in given] == ["1 day and 2 minutes", "2 weeks", "at once"]
    with pytest.raises(Invalid, match="whole number"):
        lengths.read({"days": -1}, "x")
    assert scripts.read({"acts": []}).acts == ({"enters": True},)
    long = {"wait": {"days": 36_500}}
    for wrong in ({"at": "9999-12-31T23:00:00Z"}, {"acts": [{"until": "0001-01-01"}]}, {"acts": [long] * 100}):
        with pytest.raises(Invalid, match=r"must be a moment|more than 60 days"):
            scripts.read(wrong)
    with pytest.raises(Invalid, match="at most 100 years"):
        scripts.read({"acts": [{"wait": {"weeks": 10**6}}]})


# ── Publishing ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_draft_that_fails_its_tests_is_published_only_with_a_reason(stage: Stage, monkeypatch: Any) -> None:
    journey = drawn(stage)
    keeping.save(journey, "Begins", script=BEGINS, expect=EXPECT, now=stage.now)
    keeping.save(journey, "Leaves", script=BEGINS, expect={"state": "exited"}, now=stage.now)
    with pytest.raises(Conflict, match="1 test fails"):
        publishing.publish("onboarding", reason="Go", now=stage.now)
    kept = JourneyTest.objects.get(name="Leaves")
    assert (kept.result, kept.ran_at, kept.why) == ("failed", stage.now, "- They left\n+ They came to the end")
    with pytest.raises(Invalid, match="Say why"):
        publishing.publish("onboarding", despite_tests=True, now=stage.now)
    publishing.publish("onboarding", despite_tests=True, reason="The test is old.", now=stage.now)
    entry = AuditEntry.objects.filter(verb="publish").latest("id")
    assert entry.details["failing_tests"] == ["Leaves"]
    keeping.accept(kept, {"state": "completed"}, now=stage.now)
    publishing.stop("onboarding", now=stage.now)
    publishing.publish("onboarding", now=stage.now)  # what is live again is tested as well
    monkeypatch.setattr(running, "SECONDS", -1.0)
    assert {"not played" in one.why for one in keeping.run(journey, documents, now=stage.now)} == {True}


def test_the_command_says_what_differs_and_fails(stage: Stage) -> None:
    journey = drawn(stage)
    keeping.save(journey, "Begins", script=BEGINS, expect=EXPECT, now=stage.now)
    told = StringIO()
    call_command("test_journeys", stdout=told)
    assert told.getvalue().splitlines() == ["onboarding: 1 test", "  passed  Begins", "1 test passes."]
    keeping.save(journey, "Leaves", script=BEGINS, expect={"state": "exited"}, now=stage.now)
    with pytest.raises(CommandError, match="1 test fails of 2"):
        call_command("test_journeys", "onboarding", stdout=told)
    assert "            - They left\n            + They came to the end\n" in told.getvalue()
    with pytest.raises(CommandError, match="There is no journey 'nowhere'"):
        call_command("test_journeys", "nowhere", stdout=told)


def test_tests_are_kept_once_by_name_renamed_and_deleted_with_a_trace(stage: Stage) -> None:
    journey = drawn(stage)
    for _ in range(2):
        test = keeping.save(journey, "Begins", script=BEGINS, expect=EXPECT, now=stage.now)
    other = keeping.save(journey, "Other", script={}, expect={"state": "active"}, now=stage.now)
    with pytest.raises(Conflict, match="already"):
        keeping.rename(other, " Begins ")
    keeping.rename(other, "Mine")
    keeping.delete(test)
    assert [one.name for one in keeping.of(journey)] == ["Mine"]
    told = AuditEntry.objects.filter(summary__contains="the test").order_by("id").values_list("summary", flat=True)
    assert [one.split(" of the journey")[0] for one in told] == [
        "Kept the test “Begins”",
        "Kept the test “Other”",
        "Called the test “Other” “Mine”",
        "Deleted the test “Begins”",
    ]


# ── Over the API ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_programs_keep_run_and_drop_tests_and_publish_despite_them(stage: Stage) -> None:
    drawn(stage)
    api, home = client_with(), "/api/v1/journeys/onboarding/"
    row = {"name": "Leaves", **BEGINS, "expect": {"state": "exited"}}
    assert [api.post(f"{home}tests/", row).status_code for _ in range(2)] == [201, 200]
    wrong = api.post(f"{home}tests/", {**row, "acts": [{"wait": {"moons": 3}}]})
    assert wrong.status_code == 400 and wrong.json()["errors"][0]["path"] == "acts[0].wait"
    assert api.post(f"{home}tests/", {**row, "name": ""}).json()["errors"][0]["path"] == "name"
    idle = {**row, "name": "Idle", "acts": [*BEGINS["acts"], {"becomes": {}}]}
    assert api.post(f"{home}tests/", idle).status_code == 201 and len(api.get(f"{home}tests/").json()) == 2
    api.delete(f"{home}tests/", {"name": "Idle"})
    assert api.post(f"{home}tests/run/").json() == {
        "passed": False,
        "tests": [{"name": "Leaves", "passed": False, "why": ["- They left", "+ They came to the end"]}],
    }
    [listed] = api.get(f"{home}tests/").json()
    assert (listed["acts"][0], listed["result"]) == ({"does": "signed_up"}, "failed")
    refused = api.post(f"{home}publish/")
    assert refused.status_code == 409 and "“Leaves”" in refused.json()["detail"]
    assert api.post(f"{home}publish/", {"despite_tests": True}).status_code == 400
    assert api.post(f"{home}publish/", {"despite_tests": True, "reason": "It is old."}).status_code == 200
    assert api.delete(f"{home}tests/", {"name": "Leaves"}).status_code == 204
    assert api.get(f"{home}tests/").json() == []


def test_it_begins_on_the_same_monday_wherever_events_are_kept_so_long(stage: Stage, settings: Any) -> None:
    trial = {"person": {"attributes": {"ends": {"in": {"days": 14}}}}, "acts": [{"wait": {"days": 1}}]}
    script = scripts.read(trial)
    assert script.begins(stage.now) == scripts.A_MONDAY
    assert script.somebody(scripts.A_MONDAY) == {"attributes": {"ends": "2026-03-16T09:00:00+00:00"}}
    settings.EVENT_RETENTION_DAYS = 90
    assert script.begins(stage.now) == stage.now.replace(day=23, hour=9)  # of a Tuesday's week
    far = result_of(stage, drawn(stage), EXPECT, at="2041-01-31T23:30:00Z")
    assert "no events are kept here" in far.why
