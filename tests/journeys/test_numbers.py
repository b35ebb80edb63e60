"""Numbers of journeys: what the triggers keep is what counting gives, and it is read without counting people."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from foundation import registry
from journeys import audit, numbers, publishing
from journeys.models import Enrollment, Journey, Tally, Transition
from profiles.models import Profile
from tests.journeys.conftest import Stage, branch, leave, send, wait
from tests.journeys.test_admin import signed_in

PRO = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}
GOAL = {"condition": {"kind": "event", "name": "bought"}, "within": {"days": 14}, "exit": False}
People = Callable[..., Profile]


def plain(journey: Journey, version: Any = None, since: Any = None) -> numbers.Numbers:
    """The numbers by counting everybody, a row at a time."""
    found = numbers.Numbers()
    for one in Enrollment.objects.filter(journey=journey):
        if since and one.entered_at.date() < since:
            continue
        mine = version is None or one.version_id == version.pk
        if mine:
            setattr(found, one.state, getattr(found, one.state) + 1)
            found.converted += one.converted_at is not None
            if one.state in ("active", "failed"):
                step = found.steps.setdefault(one.step, numbers.StepNumbers())
                step.waiting += one.state == "active"
                step.failed += one.state == "failed"
        for told in Transition.objects.filter(enrollment=one):
            if version is None or told.version_id == version.pk:
                _count(found, told, one)
    return found


def _count(found: numbers.Numbers, told: Transition, one: Enrollment) -> None:
    said = {"advance": "passed", "leave": "left", "ended": "left"}.get(told.answer)
    found.entered += told.answer == "entered"
    if not said:
        return
    step = found.steps.setdefault(told.step, numbers.StepNumbers())
    reached = said == "passed" and one.converted_at is not None and told.at <= one.converted_at
    setattr(step, said, getattr(step, said) + 1)
    step.converted += reached
    if told.arm:
        arm = step.arms.setdefault(told.arm, numbers.ArmNumbers())
        arm.passed, arm.converted = arm.passed + 1, arm.converted + reached


@pytest.mark.parametrize("seed", [1, 2])
def test_counts_are_those_of_counting_everybody_whatever_happens(stage: Stage, person: People, seed: int) -> None:
    chance = random.Random(seed)
    journey = stage.journey(
        send("hello"), wait("pause"), branch("plan", PRO, [send("more", "nudge")], [leave("out")]),
        wait("rest", days=5),
        goal=GOAL, reentry={"rule": "again", "gap": {"days": 1}},
    )  # fmt: skip
    people = [person(f"p{n}", attributes={"plan": chance.choice(["pro", "trial"])}) for n in range(12)]
    for round_ in range(10):
        for one in people:
            if chance.random() < 0.5:
                stage.does(one, chance.choice(["signed_up", "bought", "looked"]))
        if round_ == 4:
            document = {**journey.versions.get().document, "goal": {**GOAL, "exit": True}}
            publishing.save("onboarding", name="Onboarding", document=document, now=stage.now)
            publishing.publish("onboarding", now=stage.now)
        stage.go_on(days=chance.choice([1, 1, 3]))
        if chance.random() < 0.5:
            numbers.settle(stage.now)
    journey.refresh_from_db()
    first, second = journey.versions.order_by("number")
    day = stage.now.date() - timedelta(days=8)
    ways = [(None, None), (first, None), (second, None), (None, day), (second, day)]
    for version, since in ways:
        assert numbers.of(journey, version, since) == plain(journey, version, since)
    assert (before := numbers.of(journey)).entered > 8
    # Who is erased counts on, and stands nowhere any more.
    registry.erase.ask(gone := people.pop())
    assert not Enrollment.objects.filter(profile=gone).exists()
    for version, since in ways:
        rest, known = plain(journey, version, since), numbers.of(journey, version, since)
        assert (known.active, known.failed) == (rest.active, rest.failed)
        assert known.completed >= rest.completed and known.exited >= rest.exited
    assert (now := numbers.of(journey)).entered == before.entered and now.converted == before.converted
    assert all(now.step(key).reached == step.reached for key, step in before.steps.items())
    assert audit.breaches(stage.now) == []
    Tally.objects.filter(what="passed").first().delete()  # type: ignore[union-attr]
    assert audit.breaches(stage.now) == ["The numbers of the journey onboarding are not what counting gives."]


def test_settled_counts_are_a_row_each_and_say_the_same(stage: Stage, person: People) -> None:
    journey = stage.journey(send("hello"), wait("pause"), goal=GOAL)
    for n in range(5):
        stage.does(person(f"p{n}"), "signed_up")
        stage.rest()
    before = numbers.of(journey)
    assert numbers.settle(stage.now) > 5
    assert numbers.of(journey) == before
    assert not Tally.objects.filter(settled=False).exists()
    keys = Counter(Tally.objects.values_list("version_id", "day", "step", "arm", "what"))
    assert set(keys.values()) == {1}
    stage.go_on(days=3)
    numbers.settle(stage.now)
    assert numbers.of(journey).steps["pause"].passed == 5
    assert numbers.settle(stage.now) == 0


def test_conversions_count_for_the_steps_and_arms_that_were_passed_before(
    stage: Stage, ada: Profile, ben: Profile
) -> None:
    journey = stage.journey(
        branch("plan", PRO, [send("hello")], [send("nudge", "nudge")]), wait("pause"), send("last"), goal=GOAL
    )
    for one in (ada, ben):
        stage.does(one, "signed_up")
    stage.rest()
    stage.now += timedelta(hours=1)
    stage.does(ada, "bought")
    stage.rest()
    found = numbers.of(journey)
    assert (found.converted, found.arm("plan", "yes").converted, found.arm("plan", "no").converted) == (1, 1, 0)
    stage.go_on(days=3)
    found = numbers.of(journey)
    assert (found.step("pause").passed, found.step("pause").converted, found.step("last").converted) == (2, 0, 0)
    # The goal counts within its window, though the journey has ended; and for all that was passed by then.
    stage.does(ben, "bought")
    stage.rest()
    found = numbers.of(journey)
    assert (found.completed, found.converted, found.step("last").converted) == (2, 2, 1)


def test_the_list_of_journeys_looks_at_no_person(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause"))
    stage.does(ada, "signed_up")
    stage.rest()
    client = signed_in("publisher")
    with CaptureQueriesContext(connection) as asked:
        page = client.get("/admin/journeys/journey/").content.decode()
    assert "Onboarding" in page
    assert [query["sql"] for query in asked if "journeys_enrollment" in query["sql"]] == []


def test_totals_of_many_journeys_are_one_question(stage: Stage, ada: Profile) -> None:
    ids = [stage.journey(wait("pause"), slug=f"j{n}").pk for n in range(4)]
    stage.does(ada, "signed_up")
    stage.rest()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        found = numbers.totals(ids)
    assert len(asked) == 1
    assert [found[id].active for id in ids] == [1, 1, 1, 1]
    assert numbers.totals([]) == {}
