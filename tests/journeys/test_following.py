"""A journey is changed with people on it: what becomes of each group, as chosen, and nobody is lost or sent twice."""

from datetime import timedelta
from typing import Any

import pytest

from foundation.errors import Conflict, Invalid
from journeys import audit, engine, following, publishing
from journeys.models import Enrollment, Journey, Transition
from profiles.models import Profile
from tests.api.conftest import client_with
from tests.journeys.conftest import Person, Stage, branch, send, wait

PRO = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}


@pytest.fixture
def cast(stage: Stage, person: Person) -> dict[str, Profile]:
    """One at each of three waits: `first`, `second` (in an arm) and `last`."""
    stage.journey(
        send("hello"),
        wait("first", days=10),
        branch("plan", PRO, [wait("second", days=10)], []),
        wait("last", days=10),
        send("bye", "nudge"),
    )
    people = {}
    for name, days in (("last", 10), ("second", 10), ("first", 0)):
        people[name] = person(name, attributes={"plan": "pro" if name == "second" else "trial"})
        stage.does(people[name], "signed_up")
        stage.rest()
        if name == "last":
            continue
        if days:
            stage.go_on(days=days, minutes=1)
    return people


def changed(stage: Stage, *steps: Any, plan: Any = ()) -> None:
    stage.journey(*steps, publish=False)
    publishing.publish("onboarding", plan=plan, now=stage.now)
    stage.rest()
    assert audit.breaches(stage.now) == []


def where(stage: Stage, person: Profile) -> tuple[int, str, str]:
    one = stage.enrollment(person)
    return one.version.number, one.step, one.state


def test_each_group_is_told_what_the_change_means_for_it(stage: Stage, cast: dict[str, Profile]) -> None:
    relabelled = {**wait("last", days=10), "label": "Rest"}
    stage.journey(send("hello"), wait("first", days=3), wait("later", days=1), relabelled, publish=False)
    plan = publishing.plan("onboarding")
    shown = [(group.step, group.people, group.default, group.choices) for group in plan.groups]
    ways = following.WAYS
    assert shown == [("first", 1, "follow", ways), ("second", 1, "", ways[1:]), ("last", 1, "follow", ways)]
    first, second, last = plan.groups
    assert first.name == "Wait for 10 days"
    assert first.change.startswith("It says something else in the new version: Wait for 3 days.")
    assert second.must_choose
    assert second.change == "The new version does not have this step."
    assert last.change == "They stay here. What comes next has changed."


def test_a_step_that_is_gone_needs_a_choice_and_each_of_them_is_kept(stage: Stage, cast: dict[str, Profile]) -> None:
    new = (send("hello"), wait("first", days=10), wait("last", days=10), send("bye", "nudge"), send("more"))
    with pytest.raises(Conflict, match=r"second \(1 person\)"):
        changed(stage, *new)
    assert {one.version.number for one in Enrollment.objects.all()} == {1}
    wrong: list[tuple[list[dict[str, Any]], str]] = [
        ([{"step": "nowhere", "do": "exit"}], "plan[0].step"),
        ([{"step": "second", "do": "explode"}], "plan[0].do"),
        ([{"step": "second", "do": "follow"}], "plan[0].do"),
        ([{"step": "second", "do": "move"}], "plan[0].to"),
        ([{"step": "second", "do": "move", "to": "second"}], "plan[0].to"),
        ([{"step": "second", "do": "exit", "to": "last"}], "plan[0].to"),
        ([{"step": "second", "do": "exit"}, {"step": "second", "do": "finish"}], "plan[1].step"),
        ([{"step": "second", "do": "exit", "version": 7}], "plan[0].step"),
    ]
    for plan, path in wrong:
        with pytest.raises(Invalid) as refusal:
            publishing.publish("onboarding", plan=plan, now=stage.now)
        assert [problem.path for problem in refusal.value.problems] == [path]
    changed(stage, *new, plan=[{"step": "second", "do": "move", "to": "last"}, {"step": "last", "do": "finish"}])
    assert where(stage, cast["second"]) == (2, "last", "active")
    assert where(stage, cast["last"]) == (1, "last", "active")
    assert where(stage, cast["first"]) == (2, "first", "active")
    told = Transition.objects.get(answer="moved")
    assert (told.enrollment.profile, told.step) == (cast["second"], "last")
    stage.go_on(days=11)
    stage.go_on(days=11)
    # Whoever finishes on the old version does so by it; the others by the new one, and nobody hears anything twice.
    assert {name: sorted(step for step, _ in stage.messages(one)) for name, one in cast.items()} == {
        "last": ["bye", "hello"],
        "second": ["bye", "hello", "more"],
        "first": ["bye", "hello", "more"],
    }
    assert audit.breaches(stage.now) == []


def test_whoever_is_let_go_is_sent_nothing_more(stage: Stage, cast: dict[str, Profile]) -> None:
    changed(stage, send("hello"), wait("first", days=10), plan=[{"step": s, "do": "exit"} for s in ("second", "last")])
    for name in ("second", "last"):
        assert where(stage, cast[name])[2] == "exited"
        assert stage.enrollment(cast[name]).ended_by == "staff"
    assert where(stage, cast["first"]) == (2, "first", "active")


def test_those_who_finish_on_an_old_version_go_on_doing_so_at_the_next_change(
    stage: Stage, cast: dict[str, Profile]
) -> None:
    steps = (send("hello"), wait("first", days=10), wait("last", days=10))
    changed(stage, *steps, plan=[{"step": "second", "do": "finish"}])
    changed(stage, *steps, send("bye", "nudge"))
    assert where(stage, cast["second"]) == (1, "second", "active")
    assert where(stage, cast["first"]) == (3, "first", "active")
    changed(stage, *steps, plan=[{"step": "second", "version": 1, "do": "move", "to": "first"}])
    assert where(stage, cast["second"]) == (4, "first", "active")


def test_a_changed_wait_counts_from_when_it_was_begun_and_awaits_what_it_says_now(
    stage: Stage, cast: dict[str, Profile]
) -> None:
    entered = stage.enrollment(cast["first"]).step_entered_at
    second = {"step": "second", "do": "exit"}
    changed(stage, send("hello"), wait("first", days=30), wait("last", days=10), plan=[second])
    assert stage.enrollment(cast["first"]).due_at == entered + timedelta(days=30)
    told = Transition.objects.filter(answer="follow", enrollment__profile=cast["first"]).get()
    assert told.reason == "The journey was changed, and they go on in its new version. Waits for 30 days."


def test_many_are_carried_batch_by_batch_and_meanwhile_nobody_is_moved_on(
    stage: Stage, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "AT_ONCE", 3)
    monkeypatch.setattr(following, "BATCH", 2)
    monkeypatch.setattr(following, "RAMP", 4)
    stage.journey(wait("pause", days=3), send("old"))
    people = [person(f"p{n}") for n in range(7)]
    for one in people:
        stage.does(one, "signed_up")
    stage.rest()
    stage.now += timedelta(days=1)
    stage.journey(wait("pause", days=9), wait("rest", hours=1), send("new", "nudge"), publish=False)
    publishing.publish("onboarding", plan=[{"step": "pause", "do": "move", "to": "rest"}], now=stage.now)
    stage.now += timedelta(days=5)  # everybody would be late in the old version
    assert Journey.objects.get().carrying is not None
    assert engine._advance(stage.now) == 0
    with pytest.raises(Conflict, match="still being carried out"):
        stage.journey(wait("other"), publish=True)
    assert following.carry_on(stage.now) == 2
    assert Enrollment.objects.filter(version__number=2).count() == 2
    stage.rest()
    assert Journey.objects.get().carrying is None
    assert set(Enrollment.objects.values_list("version__number", "step")) == {(2, "rest")}
    due = list(Enrollment.objects.order_by("due_at").values_list("due_at", flat=True))
    late = [stage.now + timedelta(minutes=1)] * 3  # seven at four a minute: these have not begun to wait
    assert due == [*late, *[stage.now + timedelta(hours=1)] * 4]
    stage.go_on(minutes=1)
    stage.go_on(hours=2)
    assert {step for one in people for step, _ in stage.messages(one)} == {"new"}
    assert audit.breaches(stage.now) == []


def test_a_program_reads_the_plan_and_publishes_with_it(stage: Stage, cast: dict[str, Profile]) -> None:
    api = client_with()
    home = "/api/v1/journeys/onboarding/publish/"
    stage.journey(send("hello"), wait("first", days=10), wait("last", days=10), publish=False)
    found = api.get(f"{home}plan/").json()
    assert [(g["version"], g["step"], g["people"], g["must_choose"]) for g in found["groups"]] == [
        (1, "first", 1, False), (1, "second", 1, True), (1, "last", 1, False),
    ]  # fmt: skip
    assert found["members"] == 0
    refused = api.post(home, {})
    assert refused.status_code == 409
    assert "second (1 person)" in refused.json()["detail"]
    wrong = api.post(home, {"plan": [{"step": "second", "do": "fly"}]})
    assert (wrong.status_code, wrong.json()["errors"][0]["path"]) == (400, "plan[0].do")
    assert api.post(home, {"plan": [{"step": "second", "do": "exit"}]}).status_code == 200
    assert where(stage, cast["second"])[2] == "exited"
    assert api.get("/api/v1/journeys/nowhere/publish/plan/").status_code == 404


def test_what_is_done_while_many_are_carried_over_is_not_forgotten(
    stage: Stage, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "AT_ONCE", 1)
    awaited = {
        "key": "pays", "kind": "wait_for", "timeout": {"after": {"days": 14}, "key": "never", "steps": []},
        "arms": [{"key": "paid", "name": "paid", "steps": [send("thanks")]}],
    }  # fmt: skip
    stage.journey(awaited)
    people = [person(f"p{n}") for n in range(3)]
    for one in people:
        stage.does(one, "signed_up")
    stage.rest()
    stage.journey(awaited, send("bye", "nudge"), publish=False)
    publishing.publish("onboarding", now=stage.now)
    assert Journey.objects.get().carrying is not None
    stage.now += timedelta(minutes=1)
    stage.does(people[0], "paid")
    engine.react(stage.now)
    assert stage.enrollment(people[0]).step == "pays"
    stage.rest()
    assert Journey.objects.get().carrying is None
    arms = Transition.objects.filter(step="pays", enrollment__profile=people[0]).exclude(arm="")
    assert [one.arm for one in arms] == ["paid"]
    assert stage.enrollment(people[1]).step == "pays"
