"""Topics and consent over the REST API."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from consent import states
from consent.models import ConsentEvidence, ConsentRecord, RefusedUpgrade, Topic, Wording
from foundation import clock
from profiles.models import Profile
from staff.models import AuditEntry

NEWS = {
    "slug": "news",
    "name": "Product news",
    "description": "What is new.",
    "purpose": "So that you know.",
    "basis": "consent",
    "default": False,
    "transactional": False,
    "channels": ["email", "sms"],
}


@pytest.fixture
def news(db: None) -> Topic:
    return Topic.objects.create(**NEWS)


def evidence(**changes: Any) -> dict[str, Any]:
    at = (clock.now() + timedelta(seconds=1)).isoformat()
    return {"wording": "Yes, send me news.", "locale": "en", "at": at, "source": "sign-up form", **changes}


def put(api: APIClient, external_id: str = "ada", **body: Any) -> Any:
    return api.put(f"/api/v1/profiles/{external_id}/consent/", {"topic": "news", "channel": "email", **body})


def test_a_topic_is_made_read_changed_and_archived(api: APIClient, db: None) -> None:
    made = api.post("/api/v1/topics/", NEWS)
    assert made.status_code == 201
    unsaid = {"archived": False, "double_opt_in": False, "jurisdiction": "", "min_age": None, "valid_months": None}
    assert made.json() == NEWS | unsaid
    assert api.get("/api/v1/topics/news/").json() == made.json()
    assert api.patch("/api/v1/topics/news/", {"name": "News", "reason": "shorter"}).json()["name"] == "News"
    assert api.put("/api/v1/topics/news/", NEWS).json()["name"] == "Product news"
    assert api.delete("/api/v1/topics/news/").status_code == 204
    assert api.get("/api/v1/topics/").json()["results"] == []
    assert [row["slug"] for row in api.get("/api/v1/topics/?archived=true").json()["results"]] == ["news"]
    told = list(AuditEntry.objects.filter(kind="topic").order_by("id").values_list("verb", "actor"))
    assert told == [(verb, "key:Website") for verb in ("create", "change", "change", "archive")]
    assert api.put("/api/v1/topics/news/", NEWS).json()["archived"] is False


def test_writing_a_topic_as_it_is_leaves_no_entry(api: APIClient, news: Topic) -> None:
    assert api.put("/api/v1/topics/news/", NEWS).status_code == 200
    assert not AuditEntry.objects.filter(kind="topic").exists()


def test_PUT_makes_a_topic_where_there_is_none(api: APIClient, db: None) -> None:
    body = {name: value for name, value in NEWS.items() if name != "slug"}
    assert api.put("/api/v1/topics/news/", body).status_code == 201
    assert api.post("/api/v1/topics/", NEWS).status_code == 409


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"slug": "Not A Slug"}, "slug"),
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"description": "   "}, "description"),
        ({"purpose": None}, "purpose"),
        ({"basis": "luck"}, "basis"),
        ({"channels": []}, "channels"),
        ({"channels": ["E-Mail!"]}, "channels"),
        ({"channels": "email"}, "channels"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_topic_that_cannot_be_is_refused_with_the_path(api: APIClient, db: None, body: Any, path: str) -> None:
    response = api.post("/api/v1/topics/", NEWS | body)
    assert response.status_code == 400
    assert [problem["path"] for problem in response.json()["errors"]] == [path]
    assert not Topic.objects.exists()


def test_consent_is_put_and_read(api: APIClient, ada: Profile, news: Topic) -> None:
    proof = evidence()
    response = put(api, state="granted", evidence=proof)
    assert response.status_code == 200
    said = {"topic": "news", "channel": "email", "state": "granted", "since": "", "expires_at": None}
    assert {**response.json(), "since": ""} == said
    assert api.get("/api/v1/profiles/ada/consent/").json()["results"] == [response.json()]
    row = ConsentRecord.objects.get()
    assert (row.source, row.actor, row.locale) == ("api", "key:Website", "en")
    assert Wording.objects.get(digest=row.wording).text == proof["wording"]
    assert ConsentEvidence.objects.get().data["source"] == "sign-up form"


def test_a_consent_needs_no_evidence_where_nothing_was_refused(api: APIClient, ada: Profile, news: Topic) -> None:
    assert put(api, state="granted").status_code == 200


def test_CO12_from_denied_to_granted_without_evidence_is_a_conflict_and_on_record(
    api: APIClient, ada: Profile, news: Topic
) -> None:
    put(api, state="denied")
    response = put(api, state="granted")
    assert response.status_code == 409
    assert "Only they can take that back" in response.json()["detail"]
    assert states.of([ada.id], "news", "email")[ada.id].state == "denied"
    assert RefusedUpgrade.objects.get().actor == "key:Website"


def test_CO12_a_repeated_attempt_is_answered_the_same_and_recorded_once(
    api: APIClient, ada: Profile, news: Topic
) -> None:
    put(api, state="denied")
    body = {"topic": "news", "channel": "email", "state": "granted"}
    for _ in range(2):
        response = api.put("/api/v1/profiles/ada/consent/", body, headers={"Idempotency-Key": "one"})
        assert response.status_code == 409
    assert RefusedUpgrade.objects.count() == 1


def test_CO12_evidence_of_what_they_did_since_turns_it(api: APIClient, ada: Profile, news: Topic) -> None:
    put(api, state="denied")
    assert put(api, state="granted", evidence=evidence()).status_code == 200
    assert states.of([ada.id], "news", "email")[ada.id].state == "granted"


def test_CO12_evidence_from_before_they_refused_does_not(api: APIClient, ada: Profile, news: Topic) -> None:
    before = (clock.now() - timedelta(days=1)).isoformat()
    put(api, state="denied")
    assert put(api, state="granted", evidence=evidence(at=before)).status_code == 409
    assert RefusedUpgrade.objects.count() == 1


@pytest.mark.parametrize("missing", ["wording", "locale", "at", "source"])
def test_CO01_evidence_that_lacks_something_is_no_evidence(
    api: APIClient, ada: Profile, news: Topic, missing: str
) -> None:
    proof = evidence()
    del proof[missing]
    response = put(api, state="granted", evidence=proof)
    assert response.status_code == 400
    assert response.json()["errors"][0]["path"] == f"evidence.{missing}"
    assert not ConsentRecord.objects.exists()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"state": "unset"}, "state"),
        ({"topic": "unheard-of", "state": "denied"}, "topic"),
        ({"channel": "pigeon", "state": "denied"}, "channel"),
        ({"topic": "*", "channel": "*", "state": "granted"}, "topic"),
        ({"channel": "*", "state": "denied"}, "channel"),
        ({"state": "granted", "evidence": "I swear"}, "evidence"),
        ({"state": "granted", "evidence": {}}, "evidence.wording"),
        ({"state": "granted", "mood": "good"}, "mood"),
        ({}, "state"),
    ],
)
def test_what_cannot_be_decided_is_refused_with_the_path(
    api: APIClient, ada: Profile, news: Topic, body: Any, path: str
) -> None:
    response = put(api, **body)
    assert response.status_code == 400
    assert path in [problem["path"] for problem in response.json()["errors"]]
    assert not ConsentRecord.objects.exists()


def test_a_consent_of_the_future_is_refused(api: APIClient, ada: Profile, news: Topic) -> None:
    soon = (clock.now() + timedelta(days=1)).isoformat()
    assert put(api, state="granted", evidence=evidence(at=soon)).status_code == 400


def test_everything_can_be_refused_at_once(api: APIClient, ada: Profile, news: Topic) -> None:
    put(api, state="granted")
    assert put(api, topic="*", channel="*", state="denied").status_code == 200
    assert states.of([ada.id], "news", "email")[ada.id].state == "denied"


def test_nobody_is_nobody(api: APIClient, news: Topic) -> None:
    assert put(api, "unknown", state="denied").status_code == 404
    assert api.get("/api/v1/profiles/unknown/consent/").status_code == 404


@pytest.mark.parametrize(
    ("scopes", "method", "path", "status"),
    [
        (["profiles:write", "topics:write"], "put", "/api/v1/profiles/ada/consent/", 403),
        (["consent:read"], "put", "/api/v1/profiles/ada/consent/", 403),
        (["consent:read"], "get", "/api/v1/profiles/ada/consent/", 200),
        (["consent:write"], "post", "/api/v1/topics/", 403),
        (["topics:read"], "delete", "/api/v1/topics/news/", 403),
    ],
)
def test_AZ01_a_key_does_what_its_scopes_say(
    make_client: Callable[..., APIClient],
    ada: Profile,
    news: Topic,
    scopes: list[str],
    method: str,
    path: str,
    status: int,
) -> None:
    assert getattr(make_client(*scopes), method)(path).status_code == status
