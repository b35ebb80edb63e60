"""Drafts, versions, and what a new version means for those on the way."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from foundation.errors import Conflict, Invalid
from journeys import engine, following, publishing, starting
from journeys.models import Enrollment, Journey, JourneyVersion
from profiles.models import Profile
from segments import definitions
from staff.models import AuditEntry
from tests.journeys.conftest import SIGNED_UP, Person, Stage, branch, leave, send, wait


def test_a_draft_changes_until_it_is_published_and_never_again(stage: Stage) -> None:
    stage.journey(wait("a"), publish=False)
    stage.journey(wait("b"), publish=False)
    journey = Journey.objects.get()
    assert (journey.status, journey.versions.count()) == ("draft", 1)
    version = publishing.publish("onboarding", now=stage.now)
    assert version.program is not None and version.program["first"] == "b"
    changes: list[dict[str, Any]] = [{"document": {}}, {"published_at": None}, {"reason": "x"}]
    for change in changes:
        with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
            JourneyVersion.objects.filter(pk=version.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        JourneyVersion.objects.filter(pk=version.pk)._raw_delete("default")


def test_saving_after_publishing_makes_the_next_version_and_the_same_again_drops_it(stage: Stage) -> None:
    stage.journey(wait("a"))
    stage.journey(wait("b"), publish=False)
    assert list(JourneyVersion.objects.order_by("number").values_list("number", "published_at")) == [
        (1, stage.now),
        (2, None),
    ]
    stage.journey(wait("a"), publish=False)
    assert JourneyVersion.objects.count() == 1


def test_doing_it_all_again_changes_nothing(stage: Stage) -> None:
    stage.journey(wait("a"))
    before = (list(JourneyVersion.objects.values()), AuditEntry.objects.filter(kind="journey").count())
    stage.journey(wait("a"))
    assert (list(JourneyVersion.objects.values()), AuditEntry.objects.filter(kind="journey").count()) == before


def test_every_verb_leaves_its_trace(stage: Stage) -> None:
    stage.journey(wait("a"))
    publishing.pause("onboarding", reason="Lunch", now=stage.now)
    publishing.resume("onboarding", now=stage.now)
    publishing.stop("onboarding", now=stage.now)
    entries = AuditEntry.objects.filter(kind="journey", target="onboarding").order_by("id")
    assert [entry.verb for entry in entries] == ["create", "publish", "pause", "resume", "stop"]
    assert entries[2].details["reason"] == "Lunch"


def test_what_the_document_names_must_exist_to_be_published(stage: Stage) -> None:
    segment = {"kind": "segment", "slug": "nobody-knows"}
    topic = {"kind": "consent", "topic": "no-such", "channel": "email", "state": "granted"}
    journey = {"kind": "journey", "slug": "nor-this", "status": "entered"}
    stage.journey(
        send("m", "no-such"),
        branch("b", {"any": [segment, topic]}, [send("n", "nor-this")], []),
        filter={"all": [{"kind": "journey", "slug": "onboarding", "status": "entered"}, {"not": journey}]},
        goal={"condition": topic},
        exit=journey,
        publish=False,
    )
    with pytest.raises(Invalid) as refusal:
        publishing.publish("onboarding", now=stage.now)
    assert [(problem.path, problem.reason) for problem in refusal.value.problems] == [
        ("document.entry.filter.all[1].not.slug", "there is no journey 'nor-this'"),
        ("document.goal.condition.topic", "there is no topic 'no-such'"),
        ("document.exit.slug", "there is no journey 'nor-this'"),
        ("document.steps[0].template", "there is no template 'no-such'"),
        ("document.steps[1].arms[0].when.any[0].slug", "there is no segment 'nobody-knows'"),
        ("document.steps[1].arms[0].when.any[1].topic", "there is no topic 'no-such'"),
        ("document.steps[1].arms[0].steps[0].template", "there is no template 'nor-this'"),
    ]


def test_a_template_must_be_for_the_channel_of_its_step(stage: Stage) -> None:
    step = {"key": "m", "kind": "message", "channel": "sms", "template": "hello"}
    stage.journey(step, publish=False)
    with pytest.raises(Invalid, match="is for email, not for sms"):
        publishing.publish("onboarding", now=stage.now)


def test_a_wrong_document_is_refused_with_its_paths_when_saved(stage: Stage) -> None:
    with pytest.raises(Invalid) as refusal:
        publishing.save("x", name="X", document={"entry": {"trigger": SIGNED_UP}, "steps": [{}]}, now=stage.now)
    assert {problem.path for problem in refusal.value.problems} == {"document.steps[0].key", "document.steps[0].kind"}
    assert not Journey.objects.exists()


@pytest.mark.parametrize(("field", "value"), [("slug", "No Slug"), ("name", " "), ("name", 7), ("description", None)])
def test_other_fields_are_checked_too(stage: Stage, field: str, value: Any) -> None:
    given = {"slug": "x", "name": "X", "description": "", field: value}
    document = {"entry": {"trigger": SIGNED_UP}, "steps": [wait("a")]}
    with pytest.raises(Invalid) as refusal:
        publishing.save(given.pop("slug"), document=document, now=stage.now, **given)
    assert [problem.path for problem in refusal.value.problems] == [field]


# ── Over a live journey ──────────────────────────────────────────────────────────────────────────────────────────────
def test_people_go_on_in_the_new_version_from_where_they_stand(stage: Stage, ada: Profile, ben: Profile) -> None:
    stage.journey(send("hello"), wait("pause", days=2), send("old"))
    stage.does(ada, "signed_up")
    stage.rest()
    stage.journey(send("early", "nudge"), send("hello"), wait("pause", days=2), send("new", "nudge"))
    stage.does(ben, "signed_up")
    stage.go_on(days=2)
    assert stage.story(ada) == [
        "hello entered",
        "hello advance",
        "pause wait",
        "pause follow",
        "pause advance",
        "new advance",
    ]
    assert sorted(step for step, _ in stage.messages(ben)) == ["early", "hello"]


def test_steps_that_were_passed_never_run_again(stage: Stage, ada: Profile) -> None:
    stage.journey(send("hello"), wait("pause", days=2), send("bye", "nudge"))
    stage.does(ada, "signed_up")
    stage.rest()
    stage.journey(wait("pause", days=2), send("hello"), send("bye", "nudge"))
    stage.go_on(days=2)
    assert sorted(step for step, _ in stage.messages(ada)) == ["bye", "hello"]
    assert stage.story(ada)[-3:] == ["pause advance", "hello advance", "bye advance"]
    assert stage.enrollment(ada).state == "completed"


def test_a_changed_wait_counts_from_when_the_step_was_entered(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause", days=2), send("bye"))
    stage.does(ada, "signed_up")
    stage.rest()
    entered = stage.now
    stage.go_on(days=1)
    stage.journey(wait("pause", days=5), send("bye"))
    stage.rest()
    assert stage.enrollment(ada).due_at == entered + timedelta(days=5)
    stage.journey(wait("pause", hours=3), send("bye"))
    stage.rest()
    assert stage.enrollment(ada).state == "completed"


def test_those_made_late_by_a_change_go_on_at_a_ramp(stage: Stage, person: Person, monkeypatch: Any) -> None:
    monkeypatch.setattr(following, "RAMP", 2)
    stage.journey(wait("pause", days=9), send("bye"))
    for n in range(5):
        stage.does(person(f"p{n}"), "signed_up")
    stage.rest()
    stage.go_on(days=1)
    stage.journey(wait("pause", hours=1), send("bye"))
    stage.rest()
    done = [Enrollment.objects.filter(state="completed").count()]
    for _ in range(2):
        stage.go_on(minutes=1)
        done.append(Enrollment.objects.filter(state="completed").count())
    assert done == [2, 4, 5]


def test_a_step_with_people_on_it_cannot_vanish(stage: Stage, ada: Profile, ben: Profile) -> None:
    stage.journey(wait("pause"))
    for person in (ada, ben):
        stage.does(person, "signed_up")
    stage.rest()
    with pytest.raises(Conflict, match=r"pause \(2 people\)"):
        stage.journey(wait("rest"))
    with pytest.raises(Conflict, match=r"pause \(2 people\)"):
        stage.journey(leave("pause"))
    assert Journey.objects.get().version.number == 1  # type: ignore[union-attr]


def test_a_stopped_journey_starts_again_once_everybody_is_off(stage: Stage, ada: Profile, ben: Profile) -> None:
    stage.journey(wait("pause"))
    stage.does(ada, "signed_up")
    stage.rest()
    publishing.stop("onboarding", now=stage.now)
    with pytest.raises(Conflict, match="1 person"):
        publishing.publish("onboarding", now=stage.now)
    stage.rest()
    publishing.publish("onboarding", now=stage.now)
    stage.does(ben, "signed_up")
    stage.rest()
    assert stage.enrollment(ben).state == "active"


def test_what_does_not_fit_the_state_is_a_conflict(stage: Stage) -> None:
    stage.journey(wait("a"), publish=False)
    for verb in (publishing.pause, publishing.resume, publishing.stop):
        with pytest.raises(Conflict, match="a draft"):
            verb("onboarding", now=stage.now)
    with pytest.raises(Invalid, match="no journey"):
        publishing.pause("nowhere", now=stage.now)


def test_a_draft_may_be_deleted_but_a_story_stays(stage: Stage) -> None:
    stage.journey(wait("a"), publish=False)
    publishing.delete("onboarding", now=stage.now)
    assert not Journey.objects.exists()
    stage.journey(wait("a"))
    with pytest.raises(Conflict, match="stop it"):
        publishing.delete("onboarding", now=stage.now)


# ── Segments ─────────────────────────────────────────────────────────────────────────────────────────────────────────
ACTIVE = {"kind": "event", "name": "looked", "window": {"last": {"days": 7}}}


def test_a_segment_lets_in_who_comes_and_not_who_is_there(stage: Stage, ada: Profile, ben: Profile) -> None:
    stage.does(ada, "looked")
    stage.rest()
    definitions.save("active", name="Active", definition=ACTIVE, status="live", now=stage.now)
    stage.journey(send("hello"), trigger={"kind": "segment_entered", "slug": "active"}, reentry={"rule": "again"})
    stage.rest()
    assert not Enrollment.objects.exists()
    stage.does(ben, "looked")
    stage.rest()
    assert stage.enrollment(ben).state == "completed"
    assert Enrollment.objects.count() == 1


def test_a_launch_may_include_those_in_the_segment(stage: Stage, person: Person, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine, "PEOPLE", 2)
    people = [person(f"p{n}") for n in range(5)]
    for one in people:
        stage.does(one, "looked")
    stage.rest()
    definitions.save("active", name="Active", definition=ACTIVE, status="live", now=stage.now)
    stage.journey(send("hello"), trigger={"kind": "segment_entered", "slug": "active"}, publish=False)
    publishing.publish("onboarding", include_members=True, now=stage.now)
    stage.rest()
    assert Enrollment.objects.filter(state="completed").count() == 5
    stage.rest()
    assert Journey.objects.get().entering_after is None


def test_who_leaves_a_segment_may_start_a_journey(stage: Stage, ada: Profile) -> None:
    trial = {"kind": "attribute", "name": "plan", "op": "is", "value": "trial"}
    definitions.save("trial", name="Trial", definition=trial, status="live", now=stage.now)
    stage.journey(wait("pause"), trigger=[{"kind": "segment_left", "slug": "trial"}, SIGNED_UP])
    from profiles import people

    people.patch("ada", {"attributes": {"plan": "trial"}}, now=stage.now)
    stage.rest()
    assert not Enrollment.objects.exists()
    stage.now += timedelta(hours=1)
    people.patch("ada", {"attributes": {"plan": "pro"}}, now=stage.now)
    stage.rest()
    assert stage.story(ada) == ["pause entered", "pause wait"]


# ── By a call ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_call_puts_somebody_on_a_journey_that_has_the_trigger(stage: Stage, ada: Profile) -> None:
    journey = stage.journey(send("hello"), wait("pause"), trigger={"kind": "api"})
    enrollment = starting.start(journey, ada, by="api", context={"coupon": "X"}, now=stage.now)
    assert (enrollment.step, enrollment.context) == ("pause", {"data": {"coupon": "X"}})
    with pytest.raises(Conflict, match="on the way"):
        starting.start(journey, ada, by="api", now=stage.now)
    assert stage.refusals(ada) == [("on_the_way", 1)]
    with pytest.raises(Conflict, match="not started by hand"):
        starting.start(journey, ada, by="manual", now=stage.now)
