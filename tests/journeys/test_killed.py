"""Workers that are killed without warning, anywhere in their work: nobody is lost, and nothing is done twice."""

import os
import random
import subprocess
import sys
import time
from datetime import datetime, timedelta

import pytest
from django.db import connection

from journeys import audit
from journeys.models import Attempt, Enrollment, Transition
from messaging.models import Message
from tests.journeys.conftest import Person, Stage, branch, send, wait

# A worker that plays a week on its own, as fast as it can: small batches, so that there are many moments to die at.
_WORKER = """
import os, sys
from datetime import datetime, timedelta
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
from django.conf import settings
for database in settings.DATABASES.values():
    database["NAME"] = sys.argv[1]
import django
django.setup()
from django.db import OperationalError
from journeys import engine
engine.BATCH, engine.PEOPLE = 3, 2
now, end = (datetime.fromisoformat(text) for text in sys.argv[2:4])
while now <= end:
    try:
        if engine.react(now) + engine.advance(now) == 0:
            now += timedelta(hours=6)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") not in ("40001", "40P01"):
            raise
print("done", flush=True)
"""


def _start(now: datetime, end: datetime) -> subprocess.Popen[str]:
    name = connection.settings_dict["NAME"]
    command = [sys.executable, "-c", _WORKER, name, now.isoformat(), end.isoformat()]
    return subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _wait_for_work(workers: list[subprocess.Popen[str]], longer: float) -> None:
    """Until one of them has moved somebody, and a little longer."""
    before, until = Transition.objects.count(), time.monotonic() + 15
    while Transition.objects.count() == before and time.monotonic() < until:
        if all(worker.poll() is not None for worker in workers):
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
        workers = [_start(stage.now, end) for _ in range(2)]
        _wait_for_work(workers, dice.uniform(0.05, 0.6))
        kills += sum(worker.poll() is None for worker in workers)
        for worker in workers:
            worker.kill()
        said = {worker.communicate()[0].strip() for worker in workers}
        assert said <= {"", "done"}, said
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


# A worker that dies at the step of one person, whatever it was doing.
_POISONED = """
import os, signal, sys
from datetime import datetime
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
from django.conf import settings
for database in settings.DATABASES.values():
    database["NAME"] = sys.argv[1]
import django
django.setup()
from journeys import engine
from journeys.steps.update import Update
answer = Update.answer
def deadly(self, people, at):
    if any(str(one.profile_id) == sys.argv[3] for one in people):
        os.kill(os.getpid(), signal.SIGKILL)
    return answer(self, people, at)
Update.answer = deadly
now = datetime.fromisoformat(sys.argv[2])
while engine.react(now) + engine.advance(now):
    pass
print("done", flush=True)
"""


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
    command = [sys.executable, "-c", _POISONED, connection.settings_dict["NAME"], stage.now.isoformat()]
    deaths = 0
    while deaths < 15:
        run = subprocess.run([*command, str(people[5].id)], env=os.environ, capture_output=True, text=True, check=False)
        if run.returncode == 0:
            break
        assert run.returncode == -9, run.stderr
        deaths += 1
    assert 3 <= deaths <= 8, "it was found by halves, and cost no more workers"
    states = dict(Enrollment.objects.values_list("profile__external_id", "state"))
    assert states == {f"p{n}": "failed" if n == 5 else "completed" for n in range(6)}
    assert "brought" in Enrollment.objects.get(state="failed").reason
    assert not Attempt.objects.filter(kind="advance").exists()
    assert audit.breaches(stage.now) == []
