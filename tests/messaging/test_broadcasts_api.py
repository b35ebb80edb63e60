"""Broadcasts over the REST API."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from messaging.broadcasts import running
from messaging.broadcasts.models import Broadcast
from profiles.models import Profile
from segments.models import Membership, Segment
from staff import keys
from staff.models import Key


@pytest.fixture
def api(db: None, now: datetime, client: Client) -> Callable[..., Any]:
    _, secret = keys.create("Test", kind=Key.Kind.SECRET, scopes=["messages:write"], now=now)

    def call(method: str, path: str, body: Any = None) -> Any:
        return client.generic(
            method, f"/api/v1/{path}", "" if body is None else json.dumps(body),
            content_type="application/json", headers={"Authorization": f"Bearer {secret}"},
        )  # fmt: skip

    return call


@pytest.fixture
def trial(ada: Profile, ben: Profile, write: Any, agree: Any, now: datetime) -> Segment:
    row = Segment.objects.create(slug="trial", name="On trial", status="live", definition={"all": []}, created_at=now)
    for one in (ada, ben):
        Membership.objects.create(segment=row, profile=one, entered_at=now, cause="build")
    write()
    agree(ada)
    return row


def test_a_broadcast_is_written_looked_at_started_held_and_ended(trial: Segment, api: Any, now: datetime) -> None:
    made = api("POST", "broadcasts/", {"name": "Spring", "segment": "trial", "template": "hello", "rate": 600})
    assert made.status_code == 201, made.content
    path = f"broadcasts/{made.json()['id']}/"
    assert (made.json()["state"], made.json()["send_at"], made.json()["local"]) == ("draft", None, False)
    assert api("PATCH", path, {"name": "Summer", "rate": None}).json()["rate"] is None
    put = {"name": "Summer", "segment": "trial", "template": "hello", "send_at": "2026-11-26T09:00:00Z", "local": True}
    assert api("PUT", path, put).json()["local"] is True
    assert api("GET", f"{path}reach/").json() == {
        "size": 2, "reached": 1, "exact": True,
        "held": [{"guardrail": "consent", "label": "Agreed to the topic", "people": 1}],
    }  # fmt: skip
    assert api("PATCH", path, {"send_at": None, "local": False}).status_code == 200
    assert api("POST", f"{path}start/").json()["audience"] == 2
    assert api("GET", path).json()["waiting"] == 2
    running.tick(Broadcast.objects.get().started_at or now)
    assert api("GET", path).json()["counts"] == [{"state": "queued", "guardrail": "", "messages": 2}]
    assert api("DELETE", path).status_code == 409
    assert api("POST", f"{path}pause/").json()["state"] == "paused"
    assert api("POST", f"{path}pause/").status_code == 409
    assert api("POST", f"{path}resume/").json()["state"] == "running"
    assert api("POST", f"{path}cancel/").json()["counts"] == [
        {"state": "suppressed", "guardrail": "broadcast", "messages": 2}
    ]
    assert [one["name"] for one in api("GET", "broadcasts/?state=cancelled").json()["results"]] == ["Summer"]


def test_what_is_wrong_is_named_and_a_draft_may_be_thrown_away(trial: Segment, api: Any) -> None:
    wrong = api("POST", "broadcasts/", {"name": "", "segment": "nobody", "template": "hello", "rate": 5})
    assert wrong.status_code == 400
    wrong = api("POST", "broadcasts/", {"name": "x", "segment": "nobody", "template": "hello", "rate": 5})
    assert sorted(error["path"] for error in wrong.json()["errors"]) == ["rate", "segment"]
    made = api("POST", "broadcasts/", {"name": "x", "segment": "trial", "template": "hello"}).json()
    assert api("DELETE", f"broadcasts/{made['id']}/").status_code == 204
    assert api("GET", f"broadcasts/{made['id']}/").status_code == 404
    assert api("GET", f"broadcasts/{'-' * 36}/").status_code == 404
