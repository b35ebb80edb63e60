"""What journeys answer to the apps below them."""

from datetime import timedelta

import pytest

from consent.models import Preference
from foundation import registry
from journeys import audit, publishing
from journeys.models import Enrollment, Refusal, Transition
from messaging.guardrails.wanted import LATER, Wanted
from messaging.judging import ALLOW, Block, Candidate, Defer
from messaging.models import Message
from profiles import merging, people
from profiles.merging import Pair
from profiles.models import Profile
from segments import definitions
from tests.journeys.conftest import Person, Stage, branch, leave, send, wait

GOAL = {"condition": {"kind": "event", "name": "bought"}, "within": {"days": 7}}


def unwanted(stage: Stage) -> dict[str, str]:
    """Of the messages that are queued: step to the reason why it is not wanted any more."""
    messages = list(Message.objects.filter(state="queued"))
    for message in messages:
        message.due_at = stage.now
    reasons = {id: why for answer in registry.still_wanted.ask(messages) for id, why in answer.items()}
    return {message.step: reasons[message.id] for message in messages if message.id in reasons}


# ── Still wanted? ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_message_is_wanted_though_its_journey_has_run_its_course(stage: Stage, ada: Profile, ben: Profile) -> None:
    stage.journey(branch("who", {"kind": "event", "name": "x"}, [], [send("hello"), leave("off", "That was it")]))
    stage.does(ada, "signed_up")
    stage.rest()
    assert stage.enrollment(ada).state == "exited"
    assert unwanted(stage) == {}


def test_a_goal_that_the_engine_has_not_looked_at_yet_is_seen(stage: Stage, ada: Profile) -> None:
    stage.journey(send("hello"), goal=GOAL)
    stage.does(ada, "signed_up")
    stage.rest()
    stage.now += timedelta(hours=1)
    stage.does(ada, "bought")
    assert "reached the goal" in unwanted(stage)["hello"]


def test_a_goal_after_its_window_no_longer_counts(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause", days=8), send("hello"), goal=GOAL)
    stage.does(ada, "signed_up")
    stage.rest()
    stage.go_on(days=8)
    stage.does(ada, "bought")
    assert unwanted(stage) == {}


def test_a_goal_that_does_not_end_the_journey_stops_nothing(stage: Stage, ada: Profile) -> None:
    stage.journey(send("hello"), wait("pause"), goal={**GOAL, "exit": False})
    stage.does(ada, "signed_up")
    stage.rest()
    stage.now += timedelta(hours=1)
    stage.does(ada, "bought")
    assert unwanted(stage) == {}


def test_an_exit_that_the_engine_has_not_looked_at_yet_is_seen(stage: Stage, ada: Profile) -> None:
    stage.journey(send("hello"), exit={"kind": "event", "name": "closed"})
    stage.does(ada, "signed_up")
    stage.rest()
    stage.now += timedelta(hours=1)
    stage.does(ada, "closed")
    assert "exit condition" in unwanted(stage)["hello"]


@pytest.mark.parametrize(("verb", "said"), [(publishing.pause, "is paused"), (publishing.stop, "was stopped")])
def test_while_a_journey_does_not_run_its_messages_are_not_wanted(
    stage: Stage, ada: Profile, verb: object, said: str
) -> None:
    stage.journey(send("hello"), wait("pause"))
    stage.does(ada, "signed_up")
    stage.rest()
    verb("onboarding", now=stage.now)  # type: ignore[operator]
    assert said in unwanted(stage)["hello"]


def test_messages_wait_while_their_journey_is_paused(stage: Stage, ada: Profile) -> None:
    stage.journey(send("hello"), wait("pause"))
    stage.does(ada, "signed_up")
    stage.rest()
    publishing.pause("onboarding", now=stage.now)
    message = Message.objects.get()
    candidate = Candidate(message, ada, message.topic, "ada@example.com", None, Preference(profile=ada))
    [verdict] = Wanted().judge([candidate], stage.now).values()
    assert verdict == Defer(stage.now + LATER, "The journey Onboarding is paused.")
    publishing.resume("onboarding", now=stage.now)
    assert list(Wanted().judge([candidate], stage.now).values()) == [ALLOW]
    publishing.stop("onboarding", now=stage.now)
    assert list(Wanted().judge([candidate], stage.now).values()) == [Block("The journey Onboarding was stopped.")]


def test_messages_of_others_are_none_of_ours(stage: Stage, ada: Profile) -> None:
    stage.journey(send("hello"))
    stage.does(ada, "signed_up")
    stage.rest()
    message = Message.objects.get()
    message.enrollment = None
    assert registry.still_wanted.ask([message]) == [{}]


# ── Merges ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_of_two_enrollments_in_one_journey_the_one_further_ahead_lives_on(
    stage: Stage, ada: Profile, person: Person
) -> None:
    """FM-34"""
    device = person("device")
    stage.journey(send("hello"), wait("one", days=1), send("next", "nudge"), wait("two", days=5))
    stage.does(device, "signed_up")
    stage.rest()
    stage.go_on(days=1)
    stage.does(ada, "signed_up")
    stage.rest()
    ahead, behind = stage.enrollment(device), stage.enrollment(ada)
    merging.merge([Pair(ada.id, device.id)], reason="They are one.", now=stage.now)
    for one in (ahead, behind):
        one.refresh_from_db()
    assert (ahead.profile_id, ahead.state, ahead.step) == (ada.id, "active", "two")
    assert (behind.state, behind.ended_by) == ("exited", "merged")
    assert Message.objects.get(enrollment=behind.id).state == "suppressed"
    stage.rest()
    stage.go_on(days=6)
    assert Enrollment.objects.filter(profile=ada, state="completed").count() == 1
    assert audit.breaches(stage.now) == []


def test_a_merge_moves_stories_and_counts_refusals_together(stage: Stage, ada: Profile, person: Person) -> None:
    device = person("device")
    pro = {"kind": "attribute", "name": "tier", "op": "is", "value": "gold"}
    stage.journey(send("hello"), filter=pro)
    stage.journey(send("hello"), slug="other", trigger={"kind": "event", "name": "looked"})
    for one in (ada, device):
        stage.does(one, "signed_up")
    stage.does(device, "looked")
    stage.rest()
    merging.merge([Pair(ada.id, device.id)], reason="They are one.", now=stage.now)
    assert Refusal.objects.get().times == 2
    assert stage.enrollment(ada, "other").state == "completed"
    stage.rest()
    stage.does(ada, "looked")
    stage.rest()
    assert Enrollment.objects.filter(profile=ada, journey__slug="other").count() == 1, "once is once, whoever they were"


# ── One person ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_erasing_a_person_leaves_nothing_of_their_journeys(stage: Stage, ada: Profile, ben: Profile) -> None:
    stage.journey(send("hello"), wait("pause"))
    for one in (ada, ben):
        stage.does(one, "signed_up")
        stage.does(one, "signed_up")
    stage.rest()
    people.erase(ada, now=stage.now)
    assert set(Enrollment.objects.values_list("profile", flat=True)) == {ben.id}
    assert set(Transition.objects.values_list("enrollment__profile", flat=True)) == {ben.id}
    assert set(Refusal.objects.values_list("profile", flat=True)) == {ben.id}
    stage.go_on(days=2)
    assert audit.breaches(stage.now) == []


def test_a_person_may_take_their_journeys_with_them(stage: Stage, ada: Profile) -> None:
    stage.journey(send("hello"), wait("pause"))
    for _ in range(2):
        stage.does(ada, "signed_up")
    stage.rest()
    [given] = [answer for answer in registry.export.ask(ada) if "journeys" in answer]
    [told] = given["journeys"]
    assert (told["journey"], told["state"]) == ("Onboarding", "On the way")
    assert [step["step"] for step in told["steps"]] == ["hello", "hello", "pause"]
    assert given["journeys_not_entered"][0]["reason"] == "They are on the way already."


# ── Who uses this? ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_a_journey_relies_on_is_known(stage: Stage) -> None:
    trial = {"kind": "attribute", "name": "plan", "op": "is", "value": "trial"}
    definitions.save("trial", name="Trial", definition=trial, status="live", now=stage.now)
    in_trial = {"not": {"kind": "segment", "slug": "trial"}}
    stage.journey(send("hello"), branch("fork", in_trial, [send("nudge", "nudge")], []))
    stage.journey(send("hello"), slug="draft", publish=False)

    def users(kind: str, slug: str) -> list[str]:
        return [
            sentence for answer in registry.references.ask(kind, slug) for sentence in answer if "journey" in sentence
        ]

    assert users("template", "hello") == [
        "The journey Draft uses it (in its draft).",
        "The journey Onboarding uses it.",
    ]
    assert users("template", "nudge") == ["The journey Onboarding uses it."]
    assert users("segment", "trial") == ["The journey Onboarding uses it."]
    assert users("segment", "hello") == []
