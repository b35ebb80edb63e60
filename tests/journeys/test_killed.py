"""Workers that are killed without warning, anywhere in their work: nobody is lost, and nothing is done twice."""

import random
import signal
import time
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess

import pytest
from django.db import connection

from journeys import audit
from journeys.models import Attempt, Enrollment, Transition
from messaging.models import Message
from tests import forked
from tests.journeys import workers
from tests.journeys.conftest import Person, Stage, branch, send, wait


def _start(now: datetime, end: datetime) -> BaseProcess:
    return forked.start(workers.play, connection.settings_dict["NAME"], now, end)


def _wait_for_work(running: list[BaseProcess], longer: float) -> None:
    """Until one of them has moved somebody, and a little longer."""
    before, until = Transition.objects.count(), time.monotonic() + 15
    while Transition.objects.count() == before and time.monotonic() < until:
        if not any(worker.is_alive() for worker in running):
            return
        time.sleep(0.01)
    time.sleep(longer)


@pytest.mark.crash
def test_killed_again_and_again_nobody_is_lost_and_nothing_is_doubled(committing_stage: Stage, person: Person) -> None:
    """FM-01, FM-06, FM-08, FM-10: two workers at a time, each killed at random; then one runs to the end."""
    stage, dice = committing_stage, random.Random(7)
    feature = {"kind": "event", "name": "feature_used"}
    stage.journey(
        send("hello"),
        wait("pause", days=1),
        branch("fork", feature, [send("tips"), wait("rest", hours=7)], [send("help", "nudge")]),
        wait("more", days=2),
        send("bye", "nudge"),
        goal={"condition": {"kind": "event", "name": "bought"}},
    )
    people = [person(f"p{n}") for n in range(150)]
    for place, one in enumerate(people):
        stage.does(one, "signed_up", at=stage.now - timedelta(minutes=1))
        if place % 2:
            stage.does(one, "feature_used")
        if place % 10 == 0:
            stage.does(one, "bought")
    end, kills = stage.now + timedelta(days=7), 0
    for _ in range(4):
        running = [_start(stage.now, end) for _ in range(2)]
        _wait_for_work(running, dice.uniform(0.05, 0.6))
        kills += sum(worker.is_alive() for worker in running)
        for worker in running:
            worker.kill()
            worker.join(10)
        assert {worker.exitcode for worker in running} <= {0, -signal.SIGKILL}
    assert kills >= 4, "they were killed in the midst of their work"
    assert Transition.objects.exists(), "some work was done before they died"
    stage.now = end
    for _ in range(7):
        stage.go_on(days=1)
    assert Enrollment.objects.count() == 150
    assert Enrollment.objects.filter(state="exited", ended_by="goal").count() == 15
    assert Enrollment.objects.filter(state="completed").count() == 135
    assert Message.objects.values("enrollment", "step").distinct().count() == Message.objects.count() == 135 * 3
    steps = Transition.objects.filter(answer="advance").values_list("enrollment", "step")
    assert len(steps) == len(set(steps))
    assert audit.breaches(stage.now) == []


@pytest.mark.crash
@pytest.mark.parametrize("first", [True, False])
def test_fm_11_whoever_brings_workers_down_is_parked_and_nobody_else_is_held_up(
    committing_stage: Stage, person: Person, first: bool
) -> None:
    stage = committing_stage
    deadly = {"key": "set", "kind": "update", "set": {"stage": "new"}}
    stage.journey(*([deadly, send("bye")] if first else [wait("pause", hours=1), deadly, send("bye")]))
    people = [person(f"p{n}") for n in range(6)]
    for one in people:
        stage.does(one, "signed_up")
    if not first:
        stage.rest()
        stage.now += timedelta(hours=2)
    deaths = 0
    while deaths < 15:
        run = forked.start(workers.play_with_poison, connection.settings_dict["NAME"], stage.now, str(people[5].id))
        run.join(60)
        if run.exitcode == 0:
            break
        assert run.exitcode == -signal.SIGKILL
        deaths += 1
    assert 3 <= deaths <= 8, "it was found by halves, and cost no more workers"
    states = dict(Enrollment.objects.values_list("profile__external_id", "state"))
    assert states == {f"p{n}": "failed" if n == 5 else "completed" for n in range(6)}
    assert "brought" in Enrollment.objects.get(state="failed").reason
    assert not Attempt.objects.filter(kind="advance").exists()
    assert audit.breaches(stage.now) == []
