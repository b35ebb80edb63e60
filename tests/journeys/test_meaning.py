"""Random documents and random people: the engine does what twenty lines of plain Python say that it should."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from journeys import audit
from journeys.models import Transition
from messaging.models import Message
from profiles.models import Identifier, Profile
from staff.models import Team
from tests.journeys.conftest import Stage, furnish

START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
NAMES = ("a", "b", "c")


# ── What a document means, in plain Python ───────────────────────────────────────────────────────────────────────────
@dataclass
class Told:
    """The way of one person: steps passed, messages by step, and how it ended."""

    passed: list[tuple[str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    state: str = "active"
    step: str = ""


class _Ended(Exception):
    pass


def interpreted(
    steps: list[Any], unit: object, did: list[tuple[str, datetime]], until: datetime, tick: timedelta
) -> Told:
    """Walks one person through; the engine looks at people on every tick, so that waits end on one."""
    told = Told()
    clock = START
    known: dict[str, Any] = {}

    def walk(body: list[Any]) -> None:
        nonlocal clock
        for step in body:
            told.step = step["key"]
            match step["kind"]:
                case "message":
                    told.said.append(step["key"])
                    told.passed.append((step["key"], ""))
                case "journey":
                    told.passed.append((step["key"], ""))
                case "task" if "timeout" not in step:
                    told.passed.append((step["key"], ""))
                case "wait" | "task":  # nobody does the task
                    over = clock + timedelta(**step["for"] if step["kind"] == "wait" else step["timeout"])
                    while clock < over:
                        clock += tick
                    if clock > until:
                        raise _Ended
                    told.passed.append((step["key"], ""))
                case "branch":
                    arm = next((arm for arm in step["arms"][:-1] if holds(arm["when"])), step["arms"][-1])
                    told.passed.append((step["key"], arm["key"]))
                    walk(arm["steps"])
                case "split":
                    arm = drawn(step["salt"], step["arms"])
                    told.passed.append((step["key"], arm["key"]))
                    walk(arm["steps"])
                case "update":
                    known.update(step["set"])
                    told.passed.append((step["key"], ""))
                case "exit":
                    told.state = "exited"
                    raise _Ended

    def drawn(salt: str, arms: list[Any]) -> Any:
        number = int(sha256(f"{salt}:{unit}".encode()).hexdigest()[:16], 16) % 10_000
        for arm in arms[:-1]:
            number -= arm["weight"] * 100
            if number < 0:
                return arm
        return arms[-1]

    def holds(when: Any) -> bool:
        if "not" in when:
            return not holds(when["not"])
        if when["kind"] == "attribute":
            return bool(known.get(when["name"]) == when["value"])
        times = [at for name, at in did if name == when["name"] and at <= clock]
        if "window" in when:
            times = [at for at in times if at > clock - timedelta(**when["window"]["last"])]
        return bool(len(times) >= when["count"]["value"])

    try:
        walk(steps)
        told.state = "completed"
    except _Ended:
        pass
    return told


_MOODS = st.sampled_from(["glad", "cross"])


# ── Random ones ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _conditions() -> st.SearchStrategy[Any]:
    event = st.builds(
        lambda name, n, window: {
            "kind": "event",
            "name": name,
            "count": {"op": "gte", "value": n},
            **({"window": {"last": {"hours": window}}} if window else {}),
        },
        st.sampled_from(NAMES),
        st.integers(1, 2),
        st.sampled_from([None, 1, 24]),
    )
    value = st.builds(lambda value: {"kind": "attribute", "name": "mood", "op": "is", "value": value}, _MOODS)
    return (event | value).flatmap(lambda inner: st.sampled_from([inner, {"not": inner}]))


@st.composite
def _bodies(draw: st.DrawFn) -> list[Any]:
    count = 0

    def body(depth: int, least: int) -> list[Any]:
        return [step(depth) for _ in range(draw(st.integers(least, 3)))]

    def step(depth: int) -> Any:
        nonlocal count
        count += 1
        key = f"s{count}"
        kind = draw(st.sampled_from(_KINDS if depth < 3 else ["message", "wait"]))
        match kind:
            case "message":
                return {
                    "key": key,
                    "kind": "message",
                    "channel": "email",
                    "template": draw(st.sampled_from(["hello", "nudge"])),
                }
            case "wait":
                return {"key": key, "kind": "wait", "for": {"hours": draw(st.integers(1, 30))}}
            case "branch":
                arms = [
                    {"key": f"arm{n}", "when": draw(_conditions()), "steps": body(depth + 1, 0)}
                    for n in range(draw(st.integers(1, 2)))
                ]
                return {"key": key, "kind": "branch", "arms": [*arms, {"key": "rest", "steps": body(depth + 1, 0)}]}
            case "split":
                share = draw(st.integers(1, 99))
                arms = [
                    {"key": f"arm{n}", "weight": weight, "steps": body(depth + 1, 0)}
                    for n, weight in enumerate((share, 100 - share))
                ]
                return {"key": key, "kind": "split", "salt": draw(st.sampled_from("xyz")), "arms": arms}
            case "journey":
                return {"key": key, "kind": "journey", "slug": "other"}
            case "task":
                waits = {"timeout": {"hours": draw(st.integers(1, 30))}, "outcomes": [{"key": "done", "steps": []}]}
                asks = {"key": key, "kind": "task", "title": "Call {{ profile.first_name }}", "team": "success"}
                return {**asks, **(waits if draw(st.booleans()) else {})}
            case "update":
                return {"key": key, "kind": "update", "set": {"mood": draw(_MOODS | st.none())}}
        return {"key": key, "kind": "exit"}

    return body(0, 1)


_KINDS = ["branch", "branch", "branch", "split", "message", "wait", "wait", "update", "task", "journey", "exit"]

# What people do: (name, minutes after the start). Off the ticks, so that no two things share a moment.
_DEEDS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(1, 1500).map(lambda n: n * 2 + 1)), min_size=1, max_size=6
)


class _Undone(Exception):
    pass


@pytest.mark.django_db
@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would play hundreds of games more
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=_bodies(), deeds=st.lists(_DEEDS, min_size=3, max_size=6), tick=st.sampled_from([2, 7, 26]))
def test_the_engine_and_the_interpreter_agree(steps: list[Any], deeds: list[Any], tick: int) -> None:
    try:
        with transaction.atomic():
            _play(steps, deeds, timedelta(hours=tick))
            raise _Undone
    except _Undone:
        pass


def _play(steps: list[Any], deeds: list[list[tuple[str, int]]], tick: timedelta) -> None:
    furnish(START)
    Team.objects.create(slug="success", name="Success")
    stage = Stage(START)
    stage.journey({"key": "end", "kind": "exit"}, slug="other", trigger={"kind": "manual"})
    stage.journey(*steps)
    people = [_person(f"p{n}") for n in range(len(deeds))]
    for person in people:
        stage.does(person, "signed_up")
    stage.rest()
    waiting = sorted(
        (START + timedelta(minutes=minutes), place, name) for place, did in enumerate(deeds) for name, minutes in did
    )
    for _ in range(9):
        until = stage.now + tick
        while waiting and waiting[0][0] <= until:
            at, place, name = waiting.pop(0)
            stage.now = at
            stage.does(people[place], name)
        stage.now = until
        stage.rest()
    for person, did in zip(people, deeds, strict=True):
        moments = [(name, START + timedelta(minutes=minutes)) for name, minutes in did]
        expected = interpreted(steps, person.id, moments, stage.now, tick)
        enrollment = stage.enrollment(person)
        assert enrollment.state == expected.state
        if expected.state == "active":
            assert enrollment.step == expected.step
        passed = Transition.objects.filter(enrollment=enrollment, answer="advance").order_by("id")
        assert list(passed.values_list("step", "arm")) == expected.passed
        assert sorted(Message.objects.filter(profile=person).values_list("step", flat=True)) == sorted(expected.said)
    assert audit.breaches(stage.now) == []


def _person(external_id: str) -> Profile:
    profile = Profile.objects.create(external_id=external_id, first_seen_at=START, last_seen_at=START)
    Identifier.objects.create(kind=Identifier.Kind.USER, value=external_id, profile=profile, created_at=START)
    return profile
