"""Stories of people on journeys, on a real database, with the clock in the hand."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from journeys import engine, publishing
from journeys.models import Enrollment, Refusal
from profiles.models import Event, Profile, Pulse
from tests.journeys.conftest import Person, Stage, branch, leave, send, wait

FEATURE = {"kind": "event", "name": "feature_used"}


def test_somebody_enters_gets_a_message_waits_two_days_parts_ways_and_ends(
    stage: Stage, ada: Profile, ben: Profile
) -> None:
    stage.journey(
        send("hello"), wait("pause", days=2), branch("active", FEATURE, [leave("done", "Found it")], [send("help")])
    )
    stage.does(ada, "signed_up")
    stage.does(ben, "signed_up")
    stage.rest()
    assert stage.messages(ada) == [("hello", "queued")]
    assert stage.enrollment(ada).step == "pause"
    assert stage.enrollment(ada).due_at == stage.now + timedelta(days=2)

    stage.go_on(days=1)
    stage.does(ada, "feature_used")
    stage.rest()
    assert stage.enrollment(ada).step == "pause"

    stage.go_on(days=1)
    assert stage.story(ada) == [
        "hello entered",
        "hello advance",
        "pause wait",
        "pause advance",
        "active advance:yes",
        "done leave",
    ]
    assert stage.story(ben)[-2:] == ["active advance:no", "help advance"]
    assert (stage.enrollment(ada).state, stage.enrollment(ada).reason) == ("exited", "Found it")
    assert (stage.enrollment(ben).state, stage.enrollment(ben).ended_by) == ("completed", "course")
    assert stage.messages(ben) == [("hello", "queued"), ("help", "queued")]


def test_what_became_of_somebody_comes_back_as_events_and_the_loop_comes_to_rest(stage: Stage, ada: Profile) -> None:
    stage.journey(send("hello"))
    stage.does(ada, "signed_up")
    stage.rest()
    events = Event.objects.filter(profile=ada, type__name__startswith="$journey").order_by("occurred_at", "id")
    assert [event.type.name for event in events] == ["$journey_entered", "$journey_completed"]
    enrollment = stage.enrollment(ada)
    assert events[0].properties == {
        "journey": "onboarding",
        "version": 1,
        "enrollment": str(enrollment.id),
        "reason": "They did signed_up.",
    }
    assert not Pulse.objects.exists()
    assert engine.react(stage.now) == 0


def test_the_entry_counts_from_the_event_and_the_wait_from_the_decision(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause", days=2))
    at = stage.now - timedelta(hours=3)
    stage.does(ada, "signed_up", at=at)
    stage.rest()
    enrollment = stage.enrollment(ada)
    assert enrollment.entered_at == at
    assert (enrollment.step_entered_at, enrollment.due_at) == (stage.now, stage.now + timedelta(days=2))


def test_the_filter_is_asked_and_the_refusal_says_what_was_missing(stage: Stage, ada: Profile, ben: Profile) -> None:
    pro = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}
    known = {"kind": "attribute", "name": "email", "op": "is_set"}
    stage.journey(wait("pause"), filter={"all": [pro, known]})
    stage.does(ada, "signed_up")
    stage.does(ben, "signed_up")
    stage.does(ben, "signed_up")
    stage.rest()
    assert stage.enrollment(ada).step == "pause"
    refusal = Refusal.objects.get(profile=ben)
    assert (refusal.cause, refusal.times) == ("filter", 2)
    assert "plan" in refusal.reason and "email" not in refusal.reason


def test_a_trigger_looks_at_the_properties_of_the_event(stage: Stage, ada: Profile) -> None:
    where = [{"property": "plan", "op": "in", "value": ["pro", "team"]}, {"property": "seats", "op": "gte", "value": 3}]
    stage.journey(wait("pause"), trigger={"kind": "event", "name": "signed_up", "where": where})
    stage.does(ada, "signed_up", plan="PRO", seats=2)
    stage.does(ada, "signed_up", plan="free", seats=9)
    stage.rest()
    assert not Enrollment.objects.exists()
    stage.does(ada, "signed_up", plan="PRO", seats=3)
    stage.rest()
    assert stage.enrollment(ada).context["event"]["properties"] == {"plan": "PRO", "seats": 3}


# ── Re-entry ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_once_means_once_ever(stage: Stage, ada: Profile) -> None:
    stage.journey(send("hello"))
    for _ in range(2):
        stage.does(ada, "signed_up")
    stage.rest()
    stage.go_on(days=60)
    stage.does(ada, "signed_up")
    stage.rest()
    assert Enrollment.objects.count() == 1
    assert dict(stage.refusals(ada)) == {"on_the_way": 1, "took_part": 1}


def test_again_waits_for_the_end_and_for_the_gap(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause", days=2), reentry={"rule": "again", "gap": {"days": 10}})
    stage.does(ada, "signed_up")
    stage.go_on(days=1)
    stage.does(ada, "signed_up")
    stage.rest()
    assert dict(stage.refusals(ada)) == {"on_the_way": 1}
    stage.go_on(days=5)
    stage.does(ada, "signed_up")
    stage.rest()
    assert dict(stage.refusals(ada)) == {"on_the_way": 1, "too_soon": 1}
    stage.go_on(days=5)
    stage.does(ada, "signed_up")
    stage.rest()
    assert Enrollment.objects.count() == 2


def test_every_time_takes_each_key_once(stage: Stage, ada: Profile) -> None:
    trigger = {"kind": "event", "name": "ordered"}
    stage.journey(wait("pause"), trigger=trigger, reentry={"rule": "every_time", "key": "order_id"})
    for order in ("a", "a", "b", 7, None):
        stage.does(ada, "ordered", order_id=order)
    stage.rest()
    stage.does(ada, "ordered", order_id="b")
    stage.rest()
    keys = set(Enrollment.objects.filter(profile=ada, state="active").values_list("entry_key", flat=True))
    assert keys == {"order_id:a", "order_id:b", "order_id:7"}
    assert dict(stage.refusals(ada)) == {"same_key": 2, "no_key": 1}


# ── Goals and exits ──────────────────────────────────────────────────────────────────────────────────────────────────
GOAL = {"condition": {"kind": "event", "name": "report_exported"}, "within": {"days": 14}, "exit": True}


def test_the_goal_ends_it_at_once_and_calls_off_what_is_queued(stage: Stage, ada: Profile) -> None:
    stage.journey(send("hello"), wait("pause"), send("help"), goal=GOAL)
    stage.does(ada, "report_exported")
    stage.now += timedelta(minutes=1)
    stage.does(ada, "signed_up")
    stage.rest()
    assert stage.enrollment(ada).state == "active", "what came before the entry is no goal"
    stage.go_on(hours=5)
    stage.does(ada, "report_exported")
    stage.rest()
    enrollment = stage.enrollment(ada)
    assert (enrollment.state, enrollment.ended_by, enrollment.converted_at) == ("exited", "goal", stage.now)
    assert stage.story(ada)[-1] == "pause ended"
    assert stage.messages(ada) == [("hello", "suppressed")]


def test_the_triggering_event_itself_is_no_goal(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause"), goal={"condition": {"kind": "event", "name": "signed_up"}})
    stage.does(ada, "signed_up")
    stage.rest()
    assert stage.enrollment(ada).state == "active"


def test_a_goal_may_be_counted_without_ending_the_journey(stage: Stage, ada: Profile) -> None:
    stage.journey(send("hello"), wait("pause"), goal={**GOAL, "exit": False})
    stage.does(ada, "signed_up")
    stage.go_on(hours=1)
    stage.does(ada, "report_exported")
    stage.rest()
    enrollment = stage.enrollment(ada)
    assert (enrollment.state, enrollment.converted_at) == ("active", stage.now)
    assert stage.messages(ada) == [("hello", "queued")]


def test_a_goal_counts_after_the_end_but_not_after_its_window(stage: Stage, ada: Profile, ben: Profile) -> None:
    stage.journey(send("hello"), goal=GOAL)
    stage.does(ada, "signed_up")
    stage.does(ben, "signed_up")
    stage.go_on(days=13)
    stage.does(ada, "report_exported")
    stage.rest()
    stage.go_on(days=2)
    stage.does(ben, "report_exported")
    stage.rest()
    assert stage.enrollment(ada).converted_at == stage.now - timedelta(days=2)
    assert (stage.enrollment(ada).state, stage.enrollment(ada).ended_by) == ("completed", "course")
    assert stage.enrollment(ben).converted_at is None


def test_a_goal_that_arrives_late_counts_by_when_it_happened(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause", days=30), goal=GOAL)
    stage.does(ada, "signed_up")
    stage.rest()
    reached = stage.now + timedelta(days=13)
    stage.go_on(days=15)
    stage.does(ada, "report_exported", at=reached)
    stage.rest()
    assert stage.enrollment(ada).converted_at == reached


def test_the_exit_condition_ends_it_wherever_they_stand(stage: Stage, ada: Profile) -> None:
    stage.journey(send("hello"), wait("pause"), exit={"kind": "event", "name": "account_closed"})
    stage.does(ada, "signed_up")
    stage.go_on(hours=1)
    stage.does(ada, "account_closed")
    stage.rest()
    enrollment = stage.enrollment(ada)
    assert (enrollment.state, enrollment.ended_by) == ("exited", "exit")
    assert "Account closed" in enrollment.reason
    assert stage.messages(ada) == [("hello", "suppressed")]


def test_an_exit_by_time_is_seen_before_the_next_step(stage: Stage, ada: Profile) -> None:
    silent = {"kind": "recency", "name": "*", "op": "more_than_ago", "value": {"days": 3}}
    stage.journey(wait("pause", days=4), send("help"), exit=silent)
    stage.does(ada, "signed_up")
    stage.rest()
    stage.go_on(hours=1)
    stage.does(ada, "looked_around")
    stage.rest()
    stage.go_on(days=4)
    assert stage.enrollment(ada).ended_by == "exit"
    assert stage.messages(ada) == []


def test_who_leaves_by_the_goal_may_enter_again_by_what_they_do_next(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause"), goal=GOAL, reentry={"rule": "again"})
    stage.does(ada, "signed_up")
    stage.go_on(hours=1)
    stage.does(ada, "report_exported")
    stage.now += timedelta(minutes=1)
    stage.does(ada, "signed_up")
    stage.rest()
    assert sorted(Enrollment.objects.values_list("state", flat=True)) == ["active", "exited"]


def test_goal_and_trigger_in_one_batch_are_told_apart_by_their_times(stage: Stage, ada: Profile) -> None:
    stage.journey(send("hello"), wait("pause"), goal=GOAL)
    stage.does(ada, "signed_up", at=stage.now - timedelta(minutes=2))
    stage.does(ada, "report_exported", at=stage.now - timedelta(minutes=1))
    stage.rest()
    assert stage.enrollment(ada).ended_by == "goal"
    assert stage.messages(ada) == []


# ── Pausing and stopping ─────────────────────────────────────────────────────────────────────────────────────────────
def test_paused_nobody_enters_or_goes_on_and_it_is_said(stage: Stage, ada: Profile, ben: Profile) -> None:
    stage.journey(wait("pause", days=2), send("help"))
    stage.does(ada, "signed_up")
    stage.rest()
    publishing.pause("onboarding", now=stage.now)
    stage.does(ben, "signed_up")
    stage.go_on(days=3)
    assert dict(stage.refusals(ben)) == {"paused": 1}
    assert stage.messages(ada) == []
    publishing.resume("onboarding", now=stage.now)
    stage.rest()
    assert stage.messages(ada) == [("help", "queued")]


def test_resuming_may_shift_the_waits_by_the_pause(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause", days=2), send("help"))
    stage.does(ada, "signed_up")
    stage.rest()
    stage.go_on(days=1)
    publishing.pause("onboarding", now=stage.now)
    stage.go_on(days=3)
    publishing.resume("onboarding", shift=True, now=stage.now)
    stage.rest()
    assert stage.messages(ada) == []
    stage.go_on(days=1)
    assert stage.messages(ada) == [("help", "queued")]


def test_stopping_takes_everybody_off_and_calls_off_their_messages(stage: Stage, ada: Profile, ben: Profile) -> None:
    stage.journey(send("hello"), wait("pause"))
    stage.does(ada, "signed_up")
    stage.rest()
    publishing.stop("onboarding", now=stage.now)
    stage.does(ben, "signed_up")
    stage.rest()
    assert (stage.enrollment(ada).state, stage.enrollment(ada).ended_by) == ("exited", "stopped")
    assert stage.messages(ada) == [("hello", "suppressed")]
    assert not Enrollment.objects.filter(profile=ben).exists()


# ── Old and late data ────────────────────────────────────────────────────────────────────────────────────────────────
def test_old_data_lets_nobody_in(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause"))
    stage.does(ada, "signed_up", at=stage.now - timedelta(days=3))
    stage.rest()
    assert not Enrollment.objects.exists()


def test_many_people_are_one_batch(stage: Stage, person: Person) -> None:
    """What sixty are asked and told takes as many statements as what six are."""
    stage.journey(send("hello"), wait("pause", days=2), branch("active", FEATURE, [send("a")], [send("b")]))

    def led(number: int) -> tuple[int, int]:
        for n in range(number):
            stage.does(person(f"p{number}-{n}"), "signed_up")
        with CaptureQueriesContext(connection) as reacting:
            engine.react(stage.now)
        stage.now += timedelta(days=2)
        with CaptureQueriesContext(connection) as advancing:
            assert engine.advance(stage.now) == number
        return len(reacting), len(advancing)

    led(1)  # whatever is made on the first time
    few, many = led(6), led(60)
    assert many[0] <= few[0] + 2 and many[1] <= few[1] + 2
    assert Enrollment.objects.filter(state="completed").count() == 67
