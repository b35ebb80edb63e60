"""What may break beneath the engine: a worker at each named place, its connection, its commit, its clock."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection

from foundation import failpoints
from journeys import audit, engine
from journeys.models import Attempt, Enrollment, Transition
from messaging.models import Message
from profiles.models import Profile, Pulse
from tests.journeys.conftest import Person, Stage, branch, send, wait

# In this order one worker after another finds work of its own to die at.
PLACES = [
    "react.begun", "react.taken", "react.written", "wake.send", "react.done", "sweep.written", "sweep.done",
    "advance.claim", "advance.claimed", "advance.walked", "advance.written",
]  # fmt: skip
BOUGHT = {"kind": "event", "name": "bought"}
STEPS = (send("hello"), wait("pause", hours=1), branch("fork", BOUGHT, [send("tips")], [send("help", "nudge")]))

# A process that, for each place, has a child of its own die there as by a kill.
_DYING = """
import os, sys
from datetime import datetime, timedelta
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
from django.conf import settings
for database in settings.DATABASES.values():
    database["NAME"] = sys.argv[1]
import django
django.setup()
settings.CAIRN_WAKE_UPS = True
from foundation import failpoints
from journeys import engine
now = datetime.fromisoformat(sys.argv[2])
for place in sys.argv[3:]:
    child = os.fork()
    if not child:
        failpoints.arm(lambda name: os._exit(137) if name == place else None)
        if place.startswith(("react", "wake")):
            engine.react(now)
        else:
            engine.advance(now + timedelta(hours=2))
        os._exit(0)
    print(place, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(autouse=True)
def _nothing_armed() -> Iterator[None]:
    yield
    failpoints.arm(None)


def all_is_done_once(stage: Stage, people: list[Profile]) -> None:
    stage.now += timedelta(hours=2)
    stage.rest()
    stage.go_on(hours=2)
    assert set(Enrollment.objects.values_list("profile", "state")) == {(one.pk, "completed") for one in people}
    for one in people:
        assert [step for step, _ in stage.messages(one)] == ["hello", "help"]
        assert stage.story(one) == [
            "hello entered", "hello advance", "pause wait", "pause advance", "fork advance:no", "help advance",
        ]  # fmt: skip
    assert not Attempt.objects.filter(kind="advance").exists()
    assert not Pulse.objects.exists()
    assert audit.breaches(stage.now) == []


@pytest.mark.crash
def test_FM01_FM02_FM06_FM07_a_worker_that_dies_at_any_place_costs_nobody_anything(
    committing_stage: Stage, person: Person
) -> None:
    stage = committing_stage
    stage.journey(*STEPS)
    people = [person(f"p{n}") for n in range(4)]
    for one in people[:2]:
        stage.does(one, "signed_up")
    stage.rest()  # so that some are due, and of others something is new
    for one in people[2:]:
        stage.does(one, "signed_up")
    command = [sys.executable, "-c", _DYING, connection.settings_dict["NAME"], stage.now.isoformat(), *PLACES]
    said = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said == [f"{place} 137" for place in PLACES]
    all_is_done_once(stage, people)


def _cut(name: str, place: str) -> None:
    """The server ends our connection."""
    if name != place:
        return
    settings, pid = connection.settings_dict, connection.connection.info.backend_pid
    with psycopg.connect(
        dbname=settings["NAME"], user=settings["USER"], password=settings["PASSWORD"] or None,
        host=settings["HOST"], port=settings["PORT"] or None, autocommit=True,
    ) as other:  # fmt: skip
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def _lost(name: str, place: str) -> None:
    """The commit went through, and word of it was lost."""
    if name == place:
        raise OperationalError("server closed the connection unexpectedly")


@pytest.mark.parametrize(
    ("break_it", "places"),
    [
        (_cut, [place for place in PLACES if place != "wake.send"]),
        (_lost, ["react.done", "advance.done", "sweep.done"]),
    ],
    ids=["FM16_the_connection_is_cut", "FM17_word_of_the_commit_is_lost"],
)
def test_whatever_breaks_is_done_again_from_what_the_database_says(
    committing_stage: Stage, person: Person, break_it: Callable[[str, str], None], places: list[str]
) -> None:
    stage = committing_stage
    stage.journey(*STEPS)
    people = []
    for n, place in enumerate(places):
        people.append(person(f"p{n}"))
        stage.does(people[-1], "signed_up")
        failpoints.arm(lambda name, place=place: break_it(name, place))  # type: ignore[misc]
        for run in (engine.react, engine.advance):
            try:
                run(stage.now)
            except Exception as error:
                assert isinstance(error, OperationalError), error
                connection.close()
        failpoints.arm(None)
        stage.rest()
    all_is_done_once(stage, people)


def test_FM09_FM25_a_worker_that_stood_still_does_not_go_on_by_the_time_that_it_was(
    committing_stage: Stage, ada: Profile, ben: Profile, monkeypatch: Any
) -> None:
    """It took what was new for what had not happened yet, and a goal was never counted."""
    stage, passed = committing_stage, [0.0]
    stage.journey(*STEPS, goal={"condition": BOUGHT, "within": {"days": 9}, "exit": False})
    stage.does(ada, "signed_up")
    stage.rest()
    stage.does(ben, "signed_up")
    monkeypatch.setattr(engine, "monotonic", lambda: passed[0])

    def stand_still(name: str) -> None:
        if name in ("react.begun", "advance.claimed"):
            passed[0] += 7_200.0
            stage.now += timedelta(hours=2)
            stage.does(ada, "bought")

    before = stage.now
    failpoints.arm(stand_still)
    assert engine.react(before) == 0, "it looked at nobody"
    assert engine.advance(before + timedelta(hours=1)) == 0, "it moved nobody"
    assert not Attempt.objects.filter(kind="advance").exists(), "and has nobody in hand"
    failpoints.arm(None)
    stage.rest()
    assert stage.enrollment(ada).converted_at is not None
    assert stage.enrollment(ben).step_entered_at == stage.now


def test_FM40_in_each_round_of_a_launch_those_of_other_journeys_go_on(
    stage: Stage, person: Person, monkeypatch: Any
) -> None:
    """However many are being entered: by rounds, and not by time."""
    from profiles.models import Profile as Row
    from segments import definitions
    from segments.models import Membership

    monkeypatch.setattr(engine, "MEMBERS", 5)
    monkeypatch.setattr(engine, "BATCH", 10)
    everybody = definitions.save("all", name="All", kind="static", status="live", definition={"all": []}, now=stage.now)
    crowd = [person(f"c{n}") for n in range(60)]
    Membership.objects.bulk_create(
        [Membership(segment=everybody, profile=one, entered_at=stage.now, cause="hand") for one in crowd]
    )
    stage.journey(wait("pause", hours=1), send("late"), slug="small")
    stage.does("ada", "signed_up")
    stage.rest()
    stage.now += timedelta(hours=2)
    stage.journey(send("hello"), slug="big", trigger={"kind": "segment_entered", "slug": "all"}, publish=False)
    from journeys import publishing

    publishing.publish("big", include_members=True, now=stage.now)
    rounds = 0
    while not Message.objects.filter(step="late").exists():
        engine.once(stage.now)
        rounds += 1
    assert rounds == 1
    assert Transition.objects.filter(answer="entered", step="hello").count() <= 5, "the launch has hardly begun"
    stage.rest()
    assert Enrollment.objects.filter(journey__slug="big", state="completed").count() == 60
    assert Row.objects.count() >= 61
