"""Journeys over the REST API, as a program uses them."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from foundation import clock
from journeys.models import Enrollment, Journey
from profiles.models import Profile
from staff.models import Team
from tests.api.conftest import client_with
from tests.journeys.conftest import SIGNED_UP, Stage, branch, furnish, send, wait

DOCUMENT = {"entry": {"trigger": {"kind": "api"}}, "steps": [wait("pause")]}
HOME = "/api/v1/journeys/"


@pytest.fixture
def api(db: None) -> APIClient:
    return client_with()


def paths(answer: Any) -> list[str]:
    return [part["path"] for part in answer.json()["errors"]]


def test_a_journey_is_made_shown_changed_and_published(api: APIClient) -> None:
    made = api.put(f"{HOME}onboarding/", {"name": "Onboarding", "document": DOCUMENT, "reason": "New"})
    assert (made.status_code, made.json()["status"], made.json()["has_draft"]) == (201, "draft", True)
    assert api.put(f"{HOME}onboarding/", {"name": "Onboarding", "document": DOCUMENT}).status_code == 200
    published = api.post(f"{HOME}onboarding/publish/", {"reason": "Go"})
    assert (published.status_code, published.json()["version"], published.json()["has_draft"]) == (200, 1, False)
    changed = api.patch(f"{HOME}onboarding/", {"name": "Welcome"})
    assert (changed.json()["name"], changed.json()["document"]) == ("Welcome", DOCUMENT)
    [listed] = api.get(HOME, {"status": "live"}).json()["results"]
    assert listed["slug"] == "onboarding"
    assert api.post(HOME, {"slug": "onboarding", "name": "Again", "document": DOCUMENT}).status_code == 409


def test_a_wrong_document_is_refused_with_the_path_to_the_operator(api: APIClient) -> None:
    when = {"all": [SIGNED_UP, {"kind": "attribute", "name": "a", "op": "eq"}]}
    document = {"entry": {"trigger": SIGNED_UP}, "steps": [wait("a"), wait("b"), branch("c", when, [], [])]}
    answer = api.put(f"{HOME}x/", {"name": "X", "document": document})
    assert answer.status_code == 400
    assert paths(answer) == ["document.steps[2].arms[0].when.all[1].op"]
    assert not Journey.objects.exists()


@pytest.mark.parametrize("document", [None, [], "x", {}, {"entry": [], "steps": {}}, {"steps": [None, 1, []]}])
def test_anything_for_a_document_is_answered_and_never_a_failure(api: APIClient, document: Any) -> None:
    assert api.put(f"{HOME}x/", {"name": "X", "document": document}).status_code == 400


def test_a_program_starts_somebody_and_reads_how_they_do(api: APIClient, ada: Profile) -> None:
    api.put(f"{HOME}onboarding/", {"name": "Onboarding", "document": DOCUMENT})
    assert api.post(f"{HOME}onboarding/start/", {"external_id": "ada"}).status_code == 409, "it is a draft"
    api.post(f"{HOME}onboarding/publish/")
    started = api.post(f"{HOME}onboarding/start/", {"external_id": "ada", "context": {"coupon": "X"}})
    assert (started.status_code, started.json()["step"], started.json()["state"]) == (201, "pause", "active")
    again = api.post(f"{HOME}onboarding/start/", {"external_id": "ada"})
    assert (again.status_code, "on the way" in again.json()["detail"]) == (409, True)
    nobody = api.post(f"{HOME}onboarding/start/", {"external_id": "nobody"})
    assert (nobody.status_code, paths(nobody)) == (400, ["external_id"])
    for address in (f"{HOME}onboarding/enrollments/?state=active", "/api/v1/profiles/ada/enrollments/"):
        [row] = api.get(address).json()["results"]
        assert (row["external_id"], row["journey"], row["version"]) == ("ada", "onboarding", 1)
    [refused] = api.get(f"{HOME}onboarding/refusals/").json()["results"]
    assert (refused["cause"], refused["times"]) == ("on_the_way", 1)


def test_without_the_trigger_nobody_is_started(api: APIClient, ada: Profile) -> None:
    document = {**DOCUMENT, "entry": {"trigger": SIGNED_UP}}
    api.put(f"{HOME}onboarding/", {"name": "Onboarding", "document": document})
    api.post(f"{HOME}onboarding/publish/")
    answer = api.post(f"{HOME}onboarding/start/", {"external_id": "ada"})
    assert (answer.status_code, "trigger" in answer.json()["detail"]) == (409, True)


def test_a_step_with_people_on_it_cannot_vanish_and_the_answer_names_it(api: APIClient, ada: Profile) -> None:
    api.put(f"{HOME}onboarding/", {"name": "Onboarding", "document": DOCUMENT})
    api.post(f"{HOME}onboarding/publish/")
    api.post(f"{HOME}onboarding/start/", {"external_id": "ada"})
    api.put(f"{HOME}onboarding/", {"name": "Onboarding", "document": {**DOCUMENT, "steps": [wait("rest")]}})
    answer = api.post(f"{HOME}onboarding/publish/")
    assert (answer.status_code, "pause (1 person)" in answer.json()["detail"]) == (409, True)


def test_it_is_paused_resumed_stopped_and_what_does_not_fit_is_a_conflict(api: APIClient) -> None:
    api.put(f"{HOME}onboarding/", {"name": "Onboarding", "document": DOCUMENT})
    assert api.post(f"{HOME}onboarding/pause/").status_code == 409
    api.post(f"{HOME}onboarding/publish/")
    states = [api.post(f"{HOME}onboarding/{verb}/").json()["status"] for verb in ("pause", "resume", "stop")]
    assert states == ["paused", "live", "stopped"]
    assert api.delete(f"{HOME}onboarding/").status_code == 409
    assert api.post(f"{HOME}nowhere/pause/").status_code == 404


def test_an_unknown_template_stops_the_publishing(api: APIClient) -> None:
    furnish(clock.now())
    document = {"entry": {"trigger": SIGNED_UP}, "steps": [send("a"), send("b", "missing")]}
    assert api.put(f"{HOME}onboarding/", {"name": "O", "document": document}).status_code == 201
    answer = api.post(f"{HOME}onboarding/publish/")
    assert (answer.status_code, paths(answer)) == (400, ["document.steps[1].template"])


def test_a_key_without_the_scope_may_only_read(stage: Stage) -> None:
    reader = client_with("journeys:read", name="Reader")
    assert reader.get(HOME).status_code == 200
    assert reader.put(f"{HOME}x/", {"name": "X", "document": DOCUMENT}).status_code == 403
    assert not Enrollment.objects.exists()


def test_a_program_finishes_tasks(api: APIClient, stage: Stage, ada: Profile) -> None:
    Team.objects.create(slug="success", name="Success")
    outcomes = [{"key": "reached", "label": "Reached", "steps": []}]
    stage.journey({"key": "call", "kind": "task", "title": "Call", "team": "success", "outcomes": outcomes})
    stage.does(ada, "signed_up")
    stage.rest()
    [listed] = api.get("/api/v1/tasks/", {"state": "open", "team": "success", "external_id": "ada"}).json()["results"]
    assert (listed["title"], listed["journey"], listed["outcomes"][0]["label"]) == ("Call", "onboarding", "Reached")
    here = f"/api/v1/tasks/{listed['id']}/"
    assert (api.patch(here, {"outcome": "what"}).status_code, api.get(here).json()["state"]) == (400, "open")
    done = api.patch(here, {"outcome": "reached", "note": "Well."})
    assert (done.status_code, done.json()["state"], done.json()["outcome"]) == (200, "done", "reached")
    assert (done.json()["note"], done.json()["ended_by"]) == ("Well.", "key:Website")
    assert api.patch(here, {"outcome": "reached"}).status_code == 409
    assert api.get(f"/api/v1/tasks/{stage.enrollment(ada).pk}/").status_code == 404
    assert client_with("journeys:write", name="Other").get("/api/v1/tasks/").status_code == 403


def test_a_program_plays_a_draft_for_one_person_and_against_history(api: APIClient, stage: Stage, ada: Profile) -> None:
    now = clock.now()
    stage.journey(wait("pause", days=1), send("hello"), publish=False)
    here = f"{HOME}onboarding/"
    events = [{"name": "signed_up", "at": now.isoformat()}]
    played = api.post(f"{here}simulate/", {"external_id": "ada", "events": events, "days": 3})
    assert played.status_code == 200, played.json()
    assert [one["step"] for one in played.json()["happened"]] == ["pause", "pause", "pause", "hello"]
    made_up = api.post(f"{here}simulate/", {"profile": {"first_name": "Eve"}, "document": DOCUMENT})
    assert (made_up.status_code, made_up.json()["state"]) == (200, "completed")
    assert paths(api.post(f"{here}simulate/", {})) == ["external_id"]
    assert paths(api.post(f"{here}simulate/", {"external_id": "x"})) == ["external_id"]
    wrong = {"entry": {"trigger": SIGNED_UP}, "steps": [send("a", "missing")]}
    assert paths(api.post(f"{here}simulate/", {"external_id": "ada", "document": wrong})) == [
        "document.steps[0].template"
    ]
    found = api.post(f"{here}backtest/", {"days": 7})
    assert (found.status_code, found.json()["entered"], found.json()["cut"]) == (200, 0, [])
    assert paths(api.post(f"{here}backtest/", {"days": 91})) == ["days"]
    assert client_with("journeys:read", name="Reader").post(f"{here}backtest/", {}).status_code == 200
    assert not Enrollment.objects.exists()
