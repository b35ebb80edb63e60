"""Staff move people, take them off and have them try again: one or many, with the reason, and never twice at a time."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from foundation.errors import Conflict, Invalid
from journeys import audit, moving
from journeys.models import Transition
from profiles.models import Profile
from staff.models import AuditEntry
from tests.api.conftest import client_with
from tests.journeys.conftest import Stage, send, wait

People = Callable[..., Profile]


def ids(stage: Stage, *people: Profile) -> list[Any]:
    return [stage.enrollment(one).pk for one in people]


def _broken(*_: Any) -> Any:
    raise RuntimeError("it is broken")


def two_waits(stage: Stage) -> None:
    stage.journey(send("hello"), wait("first"), send("more", "nudge"), wait("second"), send("last"))


def test_whoever_is_put_on_a_step_goes_on_from_there(stage: Stage, ada: Profile, ben: Profile) -> None:
    two_waits(stage)
    for one in (ada, ben):
        stage.does(one, "signed_up")
    stage.rest()
    done = moving.move("onboarding", ids(stage, ada), step="second", reason="she knows it", now=stage.now)
    assert (done.done, done.skipped) == (1, 0)
    stage.rest()
    assert stage.enrollment(ada).step == "second"
    assert stage.enrollment(ada).due_at == stage.now + timedelta(days=2)
    assert Transition.objects.get(answer="moved").reason == "Staff put them here: she knows it"
    stage.go_on(days=2, minutes=1)
    assert stage.story(ada)[-2:] == ["second advance", "last advance"]
    assert [step for step, _ in stage.messages(ada)] == ["hello", "last"]
    assert [step for step, _ in stage.messages(ben)] == ["hello", "more"]
    assert audit.breaches(stage.now) == []
    assert AuditEntry.objects.get(verb="move").details["people"] == [str(ada.pk)]


def test_whoever_is_put_back_is_told_again_what_comes_there(stage: Stage, ada: Profile) -> None:
    two_waits(stage)
    stage.does(ada, "signed_up")
    stage.rest()
    stage.go_on(days=2, minutes=1)
    stage.now += timedelta(minutes=1)
    moving.move("onboarding", ids(stage, ada), step="hello", now=stage.now)
    stage.rest()
    assert [step for step, _ in stage.messages(ada)] == ["hello", "more", "hello"]
    assert stage.enrollment(ada).step == "first"
    assert audit.breaches(stage.now) == []


def test_whoever_is_taken_off_is_sent_nothing_more(stage: Stage, ada: Profile, ben: Profile) -> None:
    two_waits(stage)
    for one in (ada, ben):
        stage.does(one, "signed_up")
    stage.rest()
    moving.exit("onboarding", ids(stage, ada, ben), reason="wrong people", now=stage.now)
    for one in (ada, ben):
        enrollment = stage.enrollment(one)
        assert (enrollment.state, enrollment.ended_by) == ("exited", "staff")
        assert enrollment.reason == "Staff took them off: wrong people"
        assert stage.messages(one) == [("hello", "suppressed")]
    with pytest.raises(Conflict, match="come to the end"):
        moving.exit("onboarding", ids(stage, ada), now=stage.now)
    assert audit.breaches(stage.now) == []


def test_whoever_was_parked_tries_again_and_may_come_to_another_end(
    stage: Stage, ada: Profile, ben: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    from journeys.steps.wait import Wait

    stage.journey(send("hello"), wait("first"))
    for one in (ada, ben):
        stage.does(one, "signed_up")
    with monkeypatch.context() as broken:
        broken.setattr(Wait, "answer", _broken)
        stage.rest()
        for _ in range(5):
            stage.go_on(hours=3)
    assert stage.enrollment(ada).state == "failed"
    assert moving.retry("onboarding", ids(stage, ada), now=stage.now).done == 1
    stage.rest()
    assert (stage.enrollment(ada).state, stage.enrollment(ada).step) == ("active", "first")
    stage.go_on(days=3)
    assert stage.enrollment(ada).state == "completed"
    assert [step for step, _ in stage.messages(ada)] == ["hello"]
    with pytest.raises(Conflict, match="have come to the end"):
        moving.retry("onboarding", ids(stage, ada), now=stage.now)
    # Ben is put elsewhere instead of tried again.
    moving.move("onboarding", ids(stage, ben), step="hello", now=stage.now)
    stage.rest()
    assert stage.enrollment(ben).state == "active"
    assert audit.breaches(stage.now) == []


def test_nobody_goes_on_twice_at_a_time(stage: Stage, ada: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    from journeys.steps.wait import Wait

    journey = stage.journey(wait("first"), reentry={"rule": "again"})
    stage.does(ada, "signed_up")
    with monkeypatch.context() as broken:
        broken.setattr(Wait, "answer", _broken)
        stage.rest()
        for _ in range(5):
            stage.go_on(hours=3)
    parked = stage.enrollment(ada).pk
    stage.does(ada, "signed_up")
    stage.rest()
    assert journey.enrollments.count() == 2
    with pytest.raises(Conflict, match="on the way already"):
        moving.retry("onboarding", [parked], now=stage.now)


def test_what_cannot_be_done_is_told_by_a_sentence(stage: Stage, ada: Profile) -> None:
    two_waits(stage)
    stage.does(ada, "signed_up")
    stage.rest()
    mine = ids(stage, ada)
    with pytest.raises(Conflict, match="has no step 'nowhere'"):
        moving.move("onboarding", mine, step="nowhere", now=stage.now)
    with pytest.raises(Conflict, match="Nothing went wrong"):
        moving.retry("onboarding", mine, now=stage.now)
    with pytest.raises(Conflict, match="Nobody was chosen"):
        moving.exit("onboarding", [], now=stage.now)
    with pytest.raises(Invalid, match="at most 1000"):
        moving.exit("onboarding", mine, reason="x" * 2000, now=stage.now)


def test_a_group_is_chosen_and_counted_over_the_api(stage: Stage, person: People) -> None:
    api = client_with()
    two_waits(stage)
    people = [person(f"p{n}") for n in range(4)]
    for one in people:
        stage.does(one, "signed_up")
    stage.rest()

    def post(verb: str, **body: object) -> tuple[int, Any]:
        answer = api.post(f"/api/v1/journeys/onboarding/{verb}/", body)
        return answer.status_code, answer.json()

    assert post("move", external_id="p0", step="second") == (200, {"done": 1, "skipped": 0, "why": ""})
    assert post("exit", at_step="first", reason="enough") == (200, {"done": 3, "skipped": 0, "why": ""})
    assert post("exit", at_step="first")[0] == 409
    assert post("retry", at_step="first", external_id="p0")[0] == 400
    assert post("retry", external_id="nobody")[0] == 400
    assert api.post("/api/v1/journeys/nowhere/exit/", {"at_step": "x"}).status_code == 404
    stage.rest()
    found = api.get("/api/v1/journeys/onboarding/numbers/").json()
    assert (found["entered"], found["active"], found["exited"]) == (4, 1, 3)
    assert found["steps"]["second"]["waiting"] == 1
    assert found["steps"]["first"]["left"] == 3
    assert api.get("/api/v1/journeys/onboarding/numbers/?version=7").status_code == 400
    assert api.get("/api/v1/journeys/onboarding/numbers/?since=2027-01-01").json()["entered"] == 0
