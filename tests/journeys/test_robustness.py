"""What goes wrong stays where it is: a step that raises, a busy journey, two workers at once."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.utils import OperationalError

from foundation.errors import Invalid
from journeys import audit, engine, kinds, walking
from journeys.answers import Advance, Answer, WaitUntil
from journeys.kinds import Standing, Step
from journeys.models import Attempt, Enrollment, Transition
from messaging.models import Message
from profiles.models import Event, Profile
from tests.journeys.conftest import Person, Stage, branch, send, wait


class Toy(Step):
    """A step that does what the test wants."""

    key = "toy"
    label = "Toy"
    asked: list[int] = []
    poisoned: set[UUID] = set()
    error: Exception = ValueError("no such thing")

    def sentence(self) -> str:
        return "Play"

    def answer(self, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        type(self).asked.append(len(people))
        if any(one.profile_id in self.poisoned for one in people):
            raise self.error
        return dict.fromkeys((one.id for one in people), Advance(reason="Played."))


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Toy]]:
    kinds.steps.keys()
    monkeypatch.setitem(kinds.steps._variants, "toy", Toy)
    Toy.asked, Toy.poisoned, Toy.error = [], set(), ValueError("no such thing")
    yield Toy


def entered(stage: Stage, person: Person, n: int) -> list[Profile]:
    people = [person(f"p{place}") for place in range(n)]
    for one in people:
        stage.does(one, "signed_up")
    stage.rest()
    return people


def test_one_who_makes_a_step_raise_holds_back_nobody(stage: Stage, person: Person, toy: type[Toy]) -> None:
    stage.journey(wait("pause"), {"key": "play", "kind": "toy"}, send("hello"))
    people = entered(stage, person, 16)
    toy.poisoned = {people[5].id}
    stage.go_on(days=2)
    assert Enrollment.objects.filter(state="completed").count() == 15
    assert Message.objects.count() == 15
    held = stage.enrollment(people[5])
    assert (held.state, held.attempts, held.due_at) == ("active", 1, stage.now + walking.BACKOFF[0])
    assert Transition.objects.get(enrollment=held, answer="retry").reason == (
        "Something went wrong in the step 'play': ValueError: no such thing"
    )
    assert len(toy.asked) <= 10, "the one is found by halves"


def test_it_is_tried_again_ever_later_and_then_parked_with_the_error(
    stage: Stage, ada: Profile, toy: type[Toy]
) -> None:
    stage.journey({"key": "play", "kind": "toy"})
    toy.poisoned, toy.error = {ada.id}, Invalid.at("", "The thing has no colour.")
    stage.does(ada, "signed_up")
    stage.rest()
    for length in walking.BACKOFF:
        assert stage.enrollment(ada).state == "active"
        stage.now += length - timedelta(seconds=1)
        stage.rest()
        stage.go_on(seconds=1)
    parked = stage.enrollment(ada)
    assert (parked.state, parked.ended_by, parked.attempts) == ("failed", "error", 5)
    assert parked.reason == "Something went wrong in the step 'play': The thing has no colour."
    assert stage.story(ada) == ["play entered", *["play retry"] * 4, "play failed"]
    assert audit.breaches(stage.now) == []


def test_once_it_works_again_the_tries_are_forgotten(stage: Stage, ada: Profile, toy: type[Toy]) -> None:
    stage.journey({"key": "play", "kind": "toy"}, wait("pause"))
    toy.poisoned = {ada.id}
    stage.does(ada, "signed_up")
    stage.rest()
    toy.poisoned = set()
    stage.go_on(minutes=1)
    assert (stage.enrollment(ada).step, stage.enrollment(ada).attempts) == ("pause", 0)


def test_a_tie_that_was_lost_is_nobodys_fault(stage: Stage, ada: Profile, toy: type[Toy]) -> None:
    class Deadlock(Exception):
        sqlstate = "40P01"

    lost = OperationalError("deadlock detected")
    lost.__cause__ = Deadlock()
    stage.journey({"key": "play", "kind": "toy"})
    toy.poisoned, toy.error = {ada.id}, lost
    stage.does(ada, "signed_up")
    with pytest.raises(OperationalError), transaction.atomic():
        engine.react(stage.now)
    toy.poisoned = set()
    stage.rest()
    assert (stage.enrollment(ada).state, stage.enrollment(ada).attempts) == ("completed", 0)


def test_a_statement_that_takes_too_long_is_the_fault_of_its_step(stage: Stage, ada: Profile, toy: type[Toy]) -> None:
    class TooLong(Exception):
        sqlstate = "57014"

    slow = OperationalError("canceling statement due to statement timeout")
    slow.__cause__ = TooLong()
    stage.journey({"key": "play", "kind": "toy"})
    toy.poisoned, toy.error = {ada.id}, slow
    stage.does(ada, "signed_up")
    stage.rest()
    assert stage.enrollment(ada).attempts == 1


def test_a_message_that_was_queued_before_the_step_raised_is_taken_back_with_it(
    stage: Stage, ada: Profile, ben: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    from journeys.steps.message import Message as MessageStep

    perform = MessageStep.perform

    def spoiled(self: MessageStep, people: Sequence[Standing], at: datetime) -> None:
        perform(self, people, at)
        if any(one.profile_id == ada.id for one in people):
            raise ValueError("after it was queued")

    monkeypatch.setattr(MessageStep, "perform", spoiled)
    stage.journey(send("hello"))
    for one in (ada, ben):
        stage.does(one, "signed_up")
    stage.rest()
    assert stage.messages(ada) == []
    assert stage.messages(ben) == [("hello", "queued")]


def test_a_kind_of_step_that_this_release_does_not_know_makes_people_wait_and_lose_nothing(
    stage: Stage, ada: Profile, toy: type[Toy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """FM-41: an older worker meets what a newer one wrote."""
    from journeys import program

    stage.journey(wait("pause"), {"key": "play", "kind": "toy"})
    stage.does(ada, "signed_up")
    stage.rest()
    monkeypatch.delitem(kinds.steps._variants, "toy")
    program._read.cache_clear()
    stage.go_on(days=2)
    assert (stage.enrollment(ada).step, stage.enrollment(ada).state, stage.enrollment(ada).attempts) == (
        "play",
        "active",
        0,
    )
    monkeypatch.setitem(kinds.steps._variants, "toy", toy)
    program._read.cache_clear()
    stage.go_on(minutes=10)
    assert stage.enrollment(ada).state == "completed"


def test_a_wait_that_ends_in_the_past_does_not_spin(
    stage: Stage, ada: Profile, toy: type[Toy], monkeypatch: pytest.MonkeyPatch
) -> None:
    def always_past(self: Toy, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        return {one.id: WaitUntil(at - timedelta(days=1)) for one in people}

    monkeypatch.setattr(Toy, "answer", always_past)
    stage.journey({"key": "play", "kind": "toy"})
    stage.does(ada, "signed_up")
    stage.rest()
    due = stage.enrollment(ada).due_at
    assert due is not None and due > stage.now


# ── Fairness ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_share_is_what_is_needed_and_what_is_left_goes_to_the_others() -> None:
    assert engine.fair({1: 1000, 2: 10, 3: 1000}, 1000) == {2: 10, 1: 495, 3: 495}
    assert engine.fair({1: 1000}, 1000) == {1: 1000}
    assert engine.fair({}, 1000) == {}
    assert engine.fair({1: 0, 2: 5}, 1000) == {2: 5}
    assert sum(engine.fair(dict.fromkeys(range(50), 1000), 1000).values()) == 1000


def test_a_small_journey_does_not_wait_for_a_big_one(stage: Stage, person: Person, monkeypatch: Any) -> None:
    """FM-40: in the first batch of all, both go on."""
    stage.journey(wait("pause", days=1), slug="big")
    stage.journey(wait("pause", days=2), slug="small", trigger={"kind": "event", "name": "paid"})
    entered(stage, person, 12)
    stage.does("p0", "paid")
    stage.rest()
    stage.now += timedelta(days=3)
    with transaction.atomic():
        attempt, people = engine.claim(stage.now, 4)
    assert attempt is not None and people == 4
    in_hand = Enrollment.objects.filter(pk__in=Attempt.objects.get(pk=attempt.pk).enrollments)
    assert {one.journey.slug for one in in_hand} == {"big", "small"}
    with transaction.atomic():
        others, _ = engine.claim(stage.now, 4)
    assert others is not None
    assert not set(Attempt.objects.get(pk=others.pk).enrollments) & {one.pk for one in in_hand}


# ── Two at once ──────────────────────────────────────────────────────────────────────────────────────────────────────
def at_once(*jobs: Any) -> list[BaseException]:
    """Runs each in a thread with a connection of its own; what they raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(jobs))

    def run(job: Any) -> None:
        try:
            start.wait(10)
            job()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


def insistent(loop: Any, now: datetime) -> None:
    """As a worker runs a loop: again where PostgreSQL ended a tie at its cost."""
    for _ in range(20):
        try:
            loop(now)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") not in {"40001", "40P01"}:
                raise
        else:
            return


def test_two_workers_at_once_take_each_step_once(
    committing_stage: Stage, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FM-10, FM-24: whatever runs twice at a time, each person takes each step once."""
    monkeypatch.setattr(engine, "BATCH", 7)
    monkeypatch.setattr(engine, "PEOPLE", 5)
    stage, feature = committing_stage, {"kind": "event", "name": "feature_used"}
    stage.journey(
        send("hello"),
        wait("pause", days=1),
        branch("fork", feature, [send("yes")], [wait("rest", hours=1), send("no")]),
        goal={"condition": {"kind": "event", "name": "bought"}},
    )
    people = [person(f"p{n}") for n in range(40)]
    for one in people:
        stage.does(one, "signed_up")
        stage.does(one, "signed_up")
    now = stage.now
    assert at_once(*[lambda: insistent(engine.react, now)] * 3) == []
    stage.rest()
    assert Enrollment.objects.count() == 40
    later = now + timedelta(days=1)
    stage.now = later
    for place, one in enumerate(people):
        if place % 3 == 0:
            stage.does(one, "feature_used")
        if place % 5 == 0:
            stage.does(one, "bought")
    jobs = [lambda: insistent(engine.react, later)] * 2 + [lambda: insistent(engine.advance, later)] * 2
    assert at_once(*jobs) == []
    stage.rest()
    stage.go_on(hours=1)
    assert Transition.objects.filter(answer="advance").count() == len(
        set(Transition.objects.filter(answer="advance").values_list("enrollment", "step"))
    )
    assert not Enrollment.objects.filter(state="active").exists()
    ends = Event.objects.filter(type__name__in=["$journey_completed", "$journey_exited"]).count()
    assert ends == 40
    assert audit.breaches(stage.now) == []
