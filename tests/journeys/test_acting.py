"""Steps that do something beyond the journey: set values, start another journey, give work to people."""

from datetime import timedelta
from typing import Any

import pytest

from foundation import registry
from foundation.errors import Conflict, Invalid
from journeys import audit, publishing, work
from journeys.models import Enrollment, Task
from profiles import merging, people
from profiles.merging import Pair
from profiles.models import Profile
from staff.models import Team
from tests.journeys.conftest import Person, Stage, branch, send, wait


# ── Values ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def update(key: str = "set", **values: Any) -> dict[str, Any]:
    return {"key": key, "kind": "update", "set": values}


def test_values_are_set_for_whoever_comes_by_and_are_seen_at_once(stage: Stage, ada: Profile, ben: Profile) -> None:
    onboarded = {"kind": "attribute", "name": "stage", "op": "is", "value": "onboarded"}
    stage.journey(update(stage="onboarded", plan=None), branch("so", onboarded, [send("yes")], [send("no")]))
    for one in (ada, ben):
        stage.does(one, "signed_up")
    stage.rest()
    for one in (ada, ben):
        one.refresh_from_db()
        assert one.attributes == {"stage": "onboarded"}
        assert stage.messages(one) == [("yes", "queued")]
    assert audit.breaches(stage.now) == []


def test_a_value_that_came_about_later_stays(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause", hours=1), update(plan="free"))
    stage.does(ada, "signed_up")
    stage.rest()
    people.patch("ada", {"attributes": {"plan": "team"}}, now=stage.now + timedelta(hours=3))
    stage.go_on(hours=2)
    ada.refresh_from_db()
    assert (ada.attributes["plan"], stage.enrollment(ada).state) == ("team", "completed")


@pytest.mark.parametrize(
    ("values", "path"),
    [({"email": 7}, "set.email"), ({"$a": 1}, "set"), ({}, "set"), ({"a": "\x00"}, "set.a"), ({"": 1}, "set")],
)
def test_values_that_cannot_be_set_are_named(stage: Stage, values: Any, path: str) -> None:
    with pytest.raises(Invalid) as refusal:
        stage.journey({"key": "set", "kind": "update", "set": values})
    assert [problem.path for problem in refusal.value.problems] == [f"document.steps[0].{path}"]


# ── Another journey ──────────────────────────────────────────────────────────────────────────────────────────────────
def start(slug: str, key: str = "start") -> dict[str, Any]:
    return {"key": key, "kind": "journey", "slug": slug}


def test_another_journey_takes_them_by_its_own_rules(stage: Stage, ada: Profile, ben: Profile) -> None:
    pro = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}
    stage.journey(wait("rest"), slug="next", trigger={"kind": "manual"}, filter=pro)
    stage.journey(start("next"), send("bye"))
    for one in (ada, ben):
        stage.does(one, "signed_up", order=7)
    stage.rest()
    assert stage.story(ada) == ["start entered", "start advance", "bye advance"]
    assert stage.story(ada, "next") == ["rest entered", "rest wait"]
    assert stage.enrollment(ada, "next").context["event"]["properties"] == {"order": 7}
    assert stage.story(ben)[-1] == "bye advance", "kept out there, they go on here"
    assert not Enrollment.objects.filter(profile=ben, journey__slug="next").exists()
    assert stage.refusals(ben) == [("filter", 1)]
    assert audit.breaches(stage.now) == []


def test_a_journey_that_is_not_live_takes_nobody_and_says_so(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("rest"), slug="next", trigger={"kind": "manual"}, publish=False)
    stage.journey(start("next"), reentry={"rule": "again"})
    stage.does(ada, "signed_up")
    stage.rest()
    assert stage.refusals(ada) == [("not_live", 1)]
    stage.journey(wait("rest"), slug="next", trigger={"kind": "manual"})
    publishing.pause("next", now=stage.now)
    stage.now += timedelta(hours=1)
    stage.does(ada, "signed_up")
    stage.rest()
    assert stage.refusals(ada) == [("not_live", 1), ("paused", 1)]


def test_a_journey_that_would_start_itself_is_not_published(stage: Stage) -> None:
    stage.journey(start("round"), slug="round", publish=False)
    with pytest.raises(Invalid, match="leads back to this journey"):
        publishing.publish("round", now=stage.now)


def test_a_circle_of_journeys_is_not_published_wherever_it_closes(stage: Stage) -> None:
    stage.journey(wait("rest"), slug="c")
    stage.journey(start("c"), slug="b")
    stage.journey(start("b"), start("c", "too"), slug="a")
    inner = branch("way", {"kind": "event", "name": "x"}, [start("a", "deep")], [])
    stage.journey(inner, slug="c", publish=False)
    with pytest.raises(Invalid) as refusal:
        publishing.publish("c", now=stage.now)
    [problem] = refusal.value.problems
    assert problem.path == "document.steps[0].arms[0].steps[0].slug"
    assert "a → b → c" in problem.reason or "a → c" in problem.reason


def test_somebody_who_is_held_by_somebody_else_is_put_forward_a_moment_later(
    committing_stage: Stage, person: Person
) -> None:
    import threading

    from django.db import connection, transaction

    from profiles import pulses

    stage, ada = committing_stage, person("ada")
    stage.journey(wait("rest"), slug="next", trigger={"kind": "manual"})
    stage.journey(wait("pause", hours=1), start("next"))
    stage.does(ada, "signed_up")
    stage.rest()
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            pulses.lock_all([ada.id])
            held.set()
            free.wait(20)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(20)
    try:
        stage.now += timedelta(hours=2)
        from journeys import engine

        engine.advance(stage.now)
        assert not Enrollment.objects.filter(journey__slug="next").exists()
    finally:
        free.set()
        other.join()
    stage.go_on(seconds=2)
    assert stage.enrollment(ada, "next").step == "rest"


# ── Tasks ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def task(
    *outcomes: str, key: str = "call", title: str = "Call {{ profile.first_name }}", **more: Any
) -> dict[str, Any]:
    arms = [{"key": one, "label": one.title(), "steps": [send(f"after-{one}")]} for one in outcomes]
    return {
        "key": key,
        "kind": "task",
        "title": title,
        "team": "success",
        **({"outcomes": arms} if arms else {}),
        **more,
    }


@pytest.fixture
def team(db: None) -> Team:
    return Team.objects.create(slug="success", name="Customer success")


def test_a_task_without_outcomes_is_given_and_nobody_waits(
    stage: Stage, team: Team, ada: Profile, cleo: Profile
) -> None:
    stage.journey(task(due={"days": 2}), send("hello"), trigger={"kind": "event", "name": "*"})
    stage.does(ada, "signed_up")
    stage.rest()
    [given] = Task.objects.all()
    assert (given.title, given.team, given.state, given.profile) == ("Call Ada", team, "open", ada)
    assert given.due_at == stage.now + timedelta(days=2)
    assert stage.enrollment(ada).state == "completed"
    work.finish(given.pk, note="Nice talk.", now=stage.now)
    given.refresh_from_db()
    assert (given.state, given.ended_by, given.note) == ("done", "system", "Nice talk.")
    with pytest.raises(Conflict, match="not open any more"):
        work.finish(given.pk, now=stage.now)


def test_what_nobody_knows_stands_in_the_title_by_its_name(stage: Stage, team: Team, person: Person) -> None:
    nameless = person("nameless")
    stage.journey(task(title="Call {{ profile.first_name }} on {{ event.plan | upcase }}"))
    stage.does(nameless, "signed_up", plan="pro")
    stage.rest()
    assert Task.objects.get().title == "Call [profile.first_name] on PRO"


def test_the_outcome_is_the_way_that_they_go(stage: Stage, team: Team, ada: Profile, ben: Profile) -> None:
    stage.journey(task("reached", "missed"), send("end"))
    for one in (ada, ben):
        stage.does(one, "signed_up")
    stage.rest()
    assert stage.story(ada) == ["call entered", "call wait"]
    stage.now += timedelta(hours=1)
    given = Task.objects.get(profile=ada)
    with pytest.raises(Invalid, match="must be one of reached, missed"):
        work.finish(given.pk, outcome="", now=stage.now)
    work.finish(given.pk, outcome="missed", now=stage.now)
    stage.rest()
    assert stage.story(ada)[2:] == ["call advance:missed", "after-missed advance", "end advance"]
    assert stage.enrollment(ada).context["answers"] == {"call": "missed"}
    assert stage.story(ben) == ["call entered", "call wait"], "of another's task nobody goes on"
    stage.go_on(days=31)
    assert stage.story(ben)[2:] == ["call advance", "end advance"]
    assert Task.objects.get(profile=ben).state == "expired"
    assert audit.breaches(stage.now) == []


def test_a_task_that_was_done_in_time_counts_also_where_nobody_looked(stage: Stage, team: Team, ada: Profile) -> None:
    stage.journey(task("reached", timeout={"days": 1}))
    stage.does(ada, "signed_up")
    stage.rest()
    work.finish(Task.objects.get().pk, outcome="reached", now=stage.now + timedelta(hours=23))
    stage.go_on(days=3)
    assert "call advance:reached" in stage.story(ada)


def test_taking_somebody_off_calls_their_tasks_off(stage: Stage, team: Team, ada: Profile) -> None:
    goal = {"condition": {"kind": "event", "name": "paid"}}
    stage.journey(task("reached"), goal=goal)
    stage.does(ada, "signed_up")
    stage.rest()
    stage.now += timedelta(hours=1)
    stage.does(ada, "paid")
    stage.rest()
    assert Task.objects.get().state == "called_off"


def test_a_team_that_is_gone_parks_nobody_else(stage: Stage, team: Team, ada: Profile) -> None:
    stage.journey(task("reached"))
    Team.objects.all().delete()
    stage.does(ada, "signed_up")
    stage.rest()
    assert stage.story(ada) == ["call entered", "call retry"]
    Team.objects.create(slug="success", name="Customer success")
    stage.go_on(minutes=2)
    assert stage.story(ada)[2:] == ["call wait"]
    assert Task.objects.get().state == "open"


def test_tasks_go_with_a_merge_and_an_erasure(stage: Stage, team: Team, ada: Profile, ben: Profile) -> None:
    stage.journey(task())
    stage.does(ben, "signed_up")
    stage.rest()
    merging.merge([Pair(ada.id, ben.id)], reason="They are one.", now=stage.now)
    assert Task.objects.get().profile == ada
    exported = [answer["tasks"] for answer in registry.export.ask(ada) if "tasks" in answer]
    assert exported[0][0]["what"] == "Call Ben"
    people.erase(ada, now=stage.now)
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"title": "Call {{ nobody.name }}"}, "title"),
        ({"title": "{% if %}"}, "title"),
        ({"timeout": {"days": 1}}, "timeout"),
        ({"outcomes": []}, "outcomes"),
    ],
)
def test_a_task_that_cannot_be_given_is_named(stage: Stage, changes: Any, path: str) -> None:
    with pytest.raises(Invalid) as refusal:
        stage.journey(task(**changes))
    assert [problem.path for problem in refusal.value.problems] == [f"document.steps[0].{path}"]


def test_a_team_that_nobody_knows_stops_the_publishing(stage: Stage) -> None:
    with pytest.raises(Invalid, match="there is no team 'success'"):
        stage.journey(task())
