"""What holds of every kind of step and trigger, whatever it does: a new one is held to it from its first day."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from journeys import kinds, program, telling
from journeys.answers import Advance, Leave, WaitFor, WaitUntil
from journeys.kinds import Happened, Standing
from journeys.steps.webhook import Body
from profiles.models import Profile
from tests.journeys.conftest import SIGNED_UP

STEPS, TRIGGERS = list(kinds.steps), list(kinds.triggers)
each_step = pytest.mark.parametrize("kind", STEPS, ids=lambda kind: kind.key)
each_trigger = pytest.mark.parametrize("kind", TRIGGERS, ids=lambda kind: kind.key)


WRONG: list[Any] = [7, [[]], {"a": {}}, "\x00"]
NO_ARMS: list[Any] = [None, 7, [], [7], "x"]


def made(kind: type[kinds.Step]) -> kinds.Step:
    return kind("here", kind.without_steps({"key": "here", **kind.example}))


def standing(profile: Profile, at: datetime) -> Standing:
    return Standing(uuid4(), profile.id, "onboarding", 1, at - timedelta(hours=1), at, {})


@each_step
def test_the_example_is_sound_and_reads_as_a_sentence(kind: type[kinds.Step]) -> None:
    document = {"key": "here", **kind.example}
    assert list(kind.problems(document, "steps[0]")) == []
    step = made(kind)
    assert step.sentence() and "{" not in step.sentence()
    assert all(step.arm_sentence(arm.given) for arm in kind.arms(document, ""))


@each_step
def test_what_is_missing_unknown_or_of_another_type_is_named(kind: type[kinds.Step]) -> None:
    document = {"key": "here", **kind.example}

    def paths(changed: Any) -> list[str]:
        return [problem.path for problem in kind.problems(changed, "steps[0]")]

    assert paths({**document, "colour": "red"}) == ["steps[0].colour"]
    for field in kind.fields:
        if field.required:
            assert f"steps[0].{field.name}" in paths({k: v for k, v in document.items() if k != field.name})
        for wrong in WRONG:
            if isinstance(field, Body) and isinstance(wrong, dict):
                continue  # any object may be sent
            assert any(path.startswith(f"steps[0].{field.name}") for path in paths({**document, field.name: wrong}))
    for name in kind.arms_in:
        for wrong in NO_ARMS[1:] if name in kind.without_arms else NO_ARMS:
            assert any(path.startswith(f"steps[0].{name}") for path in paths({**document, name: wrong}))


@each_step
@pytest.mark.django_db
def test_it_answers_once_for_each_of_many_and_the_same_again(
    kind: type[kinds.Step], person: Callable[..., Profile], now: datetime
) -> None:
    step, people = made(kind), [standing(person(f"p{n}"), now) for n in range(3)]
    answers = step.answer(people, now)
    assert set(answers) == {one.id for one in people}
    assert all(isinstance(answer, Advance | WaitUntil | WaitFor | Leave) for answer in answers.values())
    assert step.answer(people, now) == answers
    arms = {arm.key for arm in kind.arms({"key": "here", **kind.example}, "")} | {""}
    assert all(answer.arm in arms for answer in answers.values() if isinstance(answer, Advance))


@each_step
@pytest.mark.django_db
def test_arms_that_may_be_absent_are_and_it_goes_on(
    kind: type[kinds.Step], person: Callable[..., Profile], now: datetime
) -> None:
    bare = {"key": "here", **{name: value for name, value in kind.example.items() if name not in kind.without_arms}}
    assert list(kind.problems(bare, "steps[0]")) == []
    step, one = kind("here", kind.without_steps(bare)), standing(person("p"), now)
    assert step.sentence() and set(step.answer([one], now)) == {one.id}


@each_step
@pytest.mark.django_db
def test_many_people_are_one_question(
    kind: type[kinds.Step], person: Callable[..., Profile], now: datetime, django_assert_max_num_queries: Any
) -> None:
    people = [standing(person(f"p{n}"), now) for n in range(30)]
    with django_assert_max_num_queries(4):
        made(kind).answer(people, now)


@each_step
def test_what_acts_says_so_since_a_pause_may_leave_it_out(kind: type[kinds.Step]) -> None:
    performs = kind.perform is not kinds.Step.perform
    assert kind.acts == (performs and kind.key != "split"), "a split keeps what it drew, and does nothing else"


@each_step
def test_it_has_its_place_in_a_program(kind: type[kinds.Step]) -> None:
    last = {"key": "last", "kind": "exit"}
    document = {"entry": {"trigger": SIGNED_UP}, "steps": [{"key": "here", **kind.example}, last]}
    laid = program.compiled(document)["steps"]["here"]
    assert laid["next"] == "last"
    assert set(laid["arms"].values()) <= {"last"}
    assert telling.lines(document)


@each_trigger
def test_an_example_of_a_trigger_is_sound_and_reads_as_a_sentence(kind: type[kinds.Trigger], now: datetime) -> None:
    assert list(kind.problems(kind.example, "entry.trigger")) == []
    assert [p.path for p in kind.problems({**kind.example, "colour": 1}, "entry.trigger")] == ["entry.trigger.colour"]
    for field in kind.fields:
        wrong = {**kind.example, field.name: 7}
        assert any(p.path.startswith(f"entry.trigger.{field.name}") for p in kind.problems(wrong, "entry.trigger"))
    assert kind(kind.example).sentence()
    assert list(kind(kind.example).entries(Happened(), now)) == [], "where nothing happened, nobody enters"
