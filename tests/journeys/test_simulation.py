"""Worlds that a seed decides, with workers that die, stand still and overtake one another, and what must hold after.

SIMULATION_SEEDS=1000-1999 .venv/bin/pytest tests/journeys/test_simulation.py
CAIRN_NIGHTLY=1 .venv/bin/pytest tests/journeys/test_simulation.py
"""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from journeys import audit
from journeys.models import Attempt, Enrollment, Journey, Refusal, Transition
from messaging.models import Message
from profiles.models import Profile, Pulse
from tests.journeys.conftest import furnish
from tests.journeys.simulation import START, World

NIGHTLY = os.environ.get("CAIRN_NIGHTLY") == "1"
_GIVEN = os.environ.get("SIMULATION_SEEDS", "0-2999" if NIGHTLY else "0-11")
_TOGETHER = 30  # worlds in one database
# Each was a world in which something went wrong.
FOUND: list[int] = [1012]


def _batches() -> list[list[int]]:
    first, _, last = _GIVEN.partition("-")
    seeds = list(range(int(first), int(last or first) + 1))
    return [*(seeds[at : at + _TOGETHER] for at in range(0, len(seeds), _TOGETHER)), *([FOUND] if FOUND else [])]


@pytest.mark.crash
@pytest.mark.parametrize("seeds", _batches(), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_whoever_dies_wherever_everybody_gets_what_the_document_says(transactional_db: None, seeds: list[int]) -> None:
    """FM-01, FM-06, FM-07, FM-10, FM-22, FM-24, FM-31, FM-33, FM-34: T2 of the ladder."""
    furnish(START)
    for seed in seeds:
        world = World(seed, START)
        world.prepare()
        try:
            world.play()
            check(world)
        except BaseException:
            print(f"seed {seed}, at {world.now}:\n" + "\n".join(world.log))
            for who, did in world.did.items():
                print(
                    who,
                    "merged or erased" if who in world.altered else "",
                    [f"{at:%d %H:%M} {what}" for what, at in did],
                )
            for one in Enrollment.objects.filter(journey__slug__in=world.slugs).select_related("profile"):
                print(
                    one.journey.slug, one.profile.external_id, one.entered_at, one.state, one.ended_by, one.converted_at
                )
                for line in one.transitions.order_by("id"):
                    print(f"   {line.at:%d %H:%M} {line.step} {line.kind} {line.answer} {line.arm} {line.reason}")
            raise
        # The next world has a clock of its own: what was set going in this one does not lie ahead of it.
        Journey.objects.update(watched_since=None)
    assert audit.breaches(START + timedelta(days=90)) == []


# ── What must hold ───────────────────────────────────────────────────────────────────────────────────────────────────
def check(world: World) -> None:
    assert not Pulse.objects.exists(), "somebody was never looked at again"
    assert not Attempt.objects.filter(kind=Attempt.Kind.ADVANCE).exists(), "somebody is in the hands of nobody"
    for name, did in world.did.items():
        profile = Profile.objects.filter(external_id=name).first()
        if name in world.altered or profile is None:
            continue
        starts = [at for event, at in did if event == f"s{world.seed}_start"]
        for slug in world.slugs:
            enrollments = list(Enrollment.objects.filter(journey__slug=slug, profile=profile).order_by("entered_at"))
            if not starts:
                assert not enrollments
            elif not world.paused[slug]:
                assert enrollments and enrollments[0].entered_at == starts[0]
            else:
                assert enrollments or Refusal.objects.filter(journey__slug=slug, profile=profile).exists()
            for one in enrollments:
                assert one.state != "active", "everybody comes to the end"
                _check_story(world, slug, one, did)


def _check_story(world: World, slug: str, one: Enrollment, did: list[tuple[str, datetime]]) -> None:
    story = list(Transition.objects.filter(enrollment=one).order_by("id"))
    since, passed = story[0].at, []
    goal = world.documents[one.version_id].get("goal")
    if goal:
        reached = any(event == "bought" and at > one.entered_at for event, at in did)
        assert (one.converted_at is not None) == reached, "the goal counts when it is reached, also later"
    for line in story:
        if line.answer != "advance":
            continue
        if line.kind == "message":
            passed.append(line.step)
        step = next(found for found in _steps(world.documents[line.version_id]["steps"]) if found["key"] == line.step)
        _check_step(world, step, line, one, since, did)
        for begun, ended in world.paused[slug]:
            assert not (begun < line.at < (ended or line.at)), f"{line.step} went on at {line.at} in a pause"
        since = line.at
    said = Message.objects.filter(enrollment=one.pk).values_list("step", flat=True)
    assert sorted(said) == sorted(passed), "one message for each step that sends one"


def _steps(body: list[Any]) -> Iterator[Any]:
    for step in body:
        yield step
        for arm in [*step.get("arms", ()), *([step["timeout"]] if "timeout" in step else ())]:
            yield from _steps(arm["steps"])


def _check_step(
    world: World, step: Any, line: Transition, one: Enrollment, since: datetime, did: list[tuple[str, datetime]]
) -> None:
    def between(name: str, after: datetime | None, until: datetime) -> bool:
        return any(event == name and (after is None or at > after) and at <= until for event, at in did)

    match step["kind"]:
        case "wait":
            assert line.at >= since + timedelta(**step["for"]), "nobody goes on early"
        case "branch":
            yes = between(step["arms"][0]["when"]["name"], None, line.at)
            assert line.arm == ("yes" if yes else "no")
        case "split":
            salt = f"{one.journey.slug}:{step['key']}"
            number = int.from_bytes(sha256(f"{salt}:{one.profile_id}".encode()).digest()[:8]) % 10_000
            assert line.arm == ("l" if number < 5_000 else "r")
        case "wait_for":
            until = since + timedelta(**step["timeout"]["after"])
            after = one.entered_at if step["look_back"] == "entry" else since
            came = between(step["arms"][0]["name"], after, min(until, line.at))
            assert line.arm == ("came" if came else "late") or one.journey.slug in world.shifted
            assert line.arm == "came" or line.at >= until, "it is not too late before it is"
