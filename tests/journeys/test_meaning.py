"""Random documents and random people: the engine does what twenty lines of plain Python say that it should."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.conf import settings as conf
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from journeys import audit, calling, publishing, resuming, work
from journeys.models import Task, Transition
from messaging.models import Message
from profiles.models import Identifier, Profile
from staff.models import Team
from tests.journeys.conftest import Stage, furnish
from tests.receiving import Receiver, receiving

START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
NAMES = ("a", "b", "c")
HOST = "hook.test"
HEAD = {"key": "head", "kind": "message", "channel": "email", "template": "hello"}
TAIL = {"key": "tail", "kind": "message", "channel": "email", "template": "nudge"}


# ── What a document means, in plain Python ───────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Fate:
    """What happens around the people: the engine looks at them on every tick, and on some of them more comes about."""

    tick: timedelta
    pause: tuple[int, int, str] | None  # after which tick it is paused, before which it is resumed, and how
    change: tuple[int, str] | None  # after which tick a new version is published, and what becomes of the people
    done_after: timedelta | None  # how long a team takes for a task

    def moment(self, place: int) -> datetime:
        return START + place * self.tick

    def tick_from(self, moment: datetime) -> datetime:
        """The first tick that is not before it."""
        return START + -((START - moment) // self.tick) * self.tick


@dataclass
class Told:
    """The way of one person: steps passed, messages by step, and how it ended."""

    passed: list[tuple[str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    state: str = "active"
    step: str = ""


class _Ended(Exception):
    pass


_TICKS = 9


def interpreted(steps: list[Any], unit: object, did: list[tuple[str, datetime]], fate: Fate) -> Told:
    """Walks one person through; waits end on a tick, since the engine looks at people then alone."""
    told = Told()
    clock = START
    until = fate.moment(_TICKS)
    known: dict[str, Any] = {}
    begun, over, how = (
        (fate.moment(fate.pause[0]), fate.moment(fate.pause[1]), fate.pause[2]) if fate.pause else (until, until, "")
    )

    def left_out() -> bool:
        return how == "skip" and begun < clock <= over

    def wait(end: datetime) -> None:
        nonlocal clock
        if how == "shift" and clock <= begun < end:
            end += over - begun
        if how == "skip" and begun < end <= over and fate.tick_from(end) > begun:
            clock = end  # led along as of then
        else:
            clock = max(clock, fate.tick_from(end))
            if how == "catch_up" and begun < clock < over:
                clock = over
        if clock > until:
            raise _Ended

    def passes(key: str, arm: str = "") -> None:
        told.passed.append((key, arm))

    def walk(body: list[Any]) -> None:
        for step in body:
            told.step = key = step["key"]
            match step["kind"]:
                case "message":
                    passes(key)
                    if not left_out():
                        told.said.append(key)
                case "journey":
                    passes(key)
                case "webhook":
                    if not step["url"].endswith("/up") and not left_out():  # it is down, and refuses nothing
                        wait(clock + timedelta(**step["timeout"]))
                    passes(key)
                case "task":
                    passes(key, task(step))
                case "wait":
                    wait(clock + timedelta(**step["for"]))
                    passes(key)
                case "branch":
                    arm = next((arm for arm in step["arms"][:-1] if holds(arm["when"])), step["arms"][-1])
                    passes(key, arm["key"])
                    walk(arm["steps"])
                case "split":
                    arm = drawn(step["salt"], step["arms"])
                    passes(key, arm["key"])
                    walk(arm["steps"])
                case "update":
                    passes(key)
                    if not left_out():
                        known.update(step["set"])
                case "exit":
                    told.state = "exited"
                    raise _Ended

    def task(step: Any) -> str:
        """By which outcome they go on."""
        if "timeout" not in step or left_out():
            return ""
        given, timeout = clock, timedelta(**step["timeout"])
        if fate.done_after is not None:
            done = fate.tick_from(given + fate.done_after)
            while begun < done < over:  # nobody works at it while the journey is paused
                done += fate.tick
            end = given + timeout
            if how == "shift" and given <= begun < end:
                end += over - begun
            late = fate.tick_from(end)
            if how == "catch_up" and begun < late < over:
                late = over
            skipped = how == "skip" and begun < end <= over
            # On a tick the engine looks at people first, and teams finish tasks after that.
            if done < late and not (skipped and done > begun):
                wait(min(done, until + fate.tick))
                return "done"
        wait(given + timeout)
        return ""

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
        if fate.change and fate.change[1] == "follow" and clock > fate.moment(fate.change[0]):
            walk([TAIL])  # the new version says more at the end, and has a step before all others, which is too late
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
            case "webhook":
                hook = {"key": key, "kind": "webhook", "timeout": {"hours": draw(st.integers(1, 30))}}
                return {**hook, "url": f"http://{HOST}/{draw(st.sampled_from(['up', 'down']))}"}
            case "task":
                waits = {"timeout": {"hours": draw(st.integers(1, 30))}, "outcomes": [{"key": "done", "steps": []}]}
                asks = {"key": key, "kind": "task", "title": "Call {{ profile.first_name }}", "team": "success"}
                return {**asks, **(waits if draw(st.booleans()) else {})}
            case "update":
                return {"key": key, "kind": "update", "set": {"mood": draw(_MOODS | st.none())}}
        return {"key": key, "kind": "exit"}

    return body(0, 1)


_KINDS = [
    "branch",
    "branch",
    "branch",
    "split",
    "message",
    "wait",
    "wait",
    "update",
    "task",
    "webhook",
    "journey",
    "exit",
]

# What people do: (name, minutes after the start). Off the ticks, so that no two things share a moment.
_DEEDS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(1, 1500).map(lambda n: n * 2 + 1)), min_size=1, max_size=6
)


_FATES = st.builds(
    Fate,
    tick=st.sampled_from([2, 7, 26]).map(lambda hours: timedelta(hours=hours)),
    pause=st.none() | st.tuples(st.just(2), st.integers(3, 5), st.sampled_from(resuming.HOW)),
    change=st.none() | st.tuples(st.sampled_from([1, 6]), st.sampled_from(["follow", "finish"])),
    done_after=st.none() | st.integers(1, 30).map(lambda hours: timedelta(hours=hours)),
)


class _Undone(Exception):
    pass


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """An endpoint that takes what goes to `/up`, and is down for the rest."""
    with receiving() as found:
        found.answers = lambda request: (200 if request.path.endswith("/up") else 503, {}, b"{}")
        yield found


@pytest.mark.django_db
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would play hundreds of games more
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(steps=_bodies(), deeds=st.lists(_DEEDS, min_size=3, max_size=6), fate=_FATES)
def test_the_engine_and_the_interpreter_agree(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, steps: list[Any], deeds: list[Any], fate: Fate
) -> None:
    monkeypatch.setattr(conf, "OUTGOING_HTTP", True)
    monkeypatch.setattr(conf, "OUTGOING_HOSTS", [receiver.host])
    try:
        with transaction.atomic():
            _play(_with_address(steps, receiver), deeds, fate)
            raise _Undone
    except _Undone:
        pass


def _with_address(steps: list[Any], receiver: Receiver) -> list[Any]:
    found: list[Any] = json.loads(json.dumps(steps).replace(HOST, receiver.host))
    return found


def _play(steps: list[Any], deeds: list[list[tuple[str, int]]], fate: Fate) -> None:
    furnish(START)
    Team.objects.create(slug="success", name="Success")
    stage = Stage(START)
    stage.journey({"key": "end", "kind": "exit"}, slug="other", trigger={"kind": "manual"})
    stage.journey(*steps)
    people = [_person(f"p{n}") for n in range(len(deeds))]
    for person in people:
        stage.does(person, "signed_up")
    _rest(stage)
    waiting = sorted(
        (START + timedelta(minutes=minutes), place, name) for place, did in enumerate(deeds) for name, minutes in did
    )
    for place in range(1, _TICKS + 1):
        until = stage.now + fate.tick
        while waiting and waiting[0][0] <= until:
            at, who, name = waiting.pop(0)
            stage.now = at
            stage.does(people[who], name)
        stage.now = until
        _tick(stage, steps, place, fate)
    for person, did in zip(people, deeds, strict=True):
        moments = [(name, START + timedelta(minutes=minutes)) for name, minutes in did]
        expected = interpreted(steps, person.id, moments, fate)
        enrollment = stage.enrollment(person)
        passed = Transition.objects.filter(enrollment=enrollment, answer="advance").order_by("id")
        assert list(passed.values_list("step", "arm")) == expected.passed
        assert sorted(Message.objects.filter(profile=person).values_list("step", flat=True)) == sorted(expected.said)
        assert enrollment.state == expected.state
        if expected.state == "active":
            assert enrollment.step == expected.step
    assert audit.breaches(stage.now) == []


def _tick(stage: Stage, steps: list[Any], place: int, fate: Fate) -> None:
    """All that comes about on a tick, in order."""
    paused = fate.pause is not None and fate.pause[0] < place < fate.pause[1]
    if fate.pause and place == fate.pause[1]:
        publishing.resume("onboarding", how=fate.pause[2], now=stage.now)
    _rest(stage)
    if fate.done_after is not None and not paused:
        for task in Task.objects.filter(state="open", created_at__lte=stage.now - fate.done_after):
            if task.outcomes:
                work.finish(task.pk, outcome="done", now=stage.now)
        _rest(stage)
    if fate.change and place == fate.change[0]:
        stage.journey(HEAD, *steps, TAIL, publish=False)
        stands = {group.step for group in publishing.plan("onboarding").groups}
        plan = [{"step": step, "do": fate.change[1]} for step in sorted(stands)]
        publishing.publish("onboarding", plan=plan, now=stage.now)
    if fate.pause and place == fate.pause[0]:
        publishing.pause("onboarding", now=stage.now)


def _rest(stage: Stage) -> None:
    """All that is due is done, calls included."""
    stage.rest()
    while calling.tick(stage.now):
        stage.rest()


def _person(external_id: str) -> Profile:
    profile = Profile.objects.create(external_id=external_id, first_seen_at=START, last_seen_at=START)
    Identifier.objects.create(kind=Identifier.Kind.USER, value=external_id, profile=profile, created_at=START)
    return profile
