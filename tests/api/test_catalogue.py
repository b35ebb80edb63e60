"""The data catalogue over the REST API."""

from datetime import datetime

import pytest
from rest_framework.test import APIClient

from profiles import catalogue
from profiles.ingest import Trust, take
from profiles.models import AttributeType, EventType
from staff.models import AuditEntry, User

EVENTS = "/api/v1/catalogue/events/"
ATTRIBUTES = "/api/v1/catalogue/attributes/"


@pytest.fixture
def exported(db: None, now: datetime) -> EventType:
    return EventType.objects.get(pk=catalogue.intern(["report exported/pdf"], now=now)["report exported/pdf"])


@pytest.fixture
def plan(db: None, now: datetime) -> AttributeType:
    return AttributeType.objects.create(of="profile", name="plan/x", first_seen_at=now, last_seen_at=now)


def address(name: str) -> str:
    return EVENTS + name.replace("/", "%2F") + "/"


def test_a_name_is_described_approved_and_given_an_owner(api: APIClient, exported: EventType) -> None:
    User.objects.create_user("olga", is_staff=True)
    said = {"description": "A report left the house", "owner": "olga", "required": ["format"], "status": "approved"}
    shown = api.put(address(exported.name), said)
    assert shown.status_code == 200
    assert shown.json().items() >= said.items()
    assert shown.json() == api.get(address(exported.name)).json() == api.get(EVENTS).json()["results"][0]
    assert set(AuditEntry.objects.exclude(kind="key").values_list("actor", "verb")) == {
        ("key:Website", "describe"),
        ("key:Website", "approve"),
    }
    emptied = api.put(address(exported.name), {}).json()
    assert (emptied["description"], emptied["owner"], emptied["required"]) == ("", None, [])
    assert emptied["status"] == "approved"


def test_what_is_required_and_blocked_is_asked_of_what_arrives(
    api: APIClient, exported: EventType, now: datetime
) -> None:
    call = {"type": "track", "userId": "ada", "event": exported.name}
    assert api.put(address(exported.name), {"required": ["format"]}).status_code == 200
    assert take([call], source="t", trust=Trust.SERVER, now=now).stored == 0
    assert api.put(address(exported.name), {}).status_code == 200
    assert take([call], source="t", trust=Trust.SERVER, now=now).stored == 1
    assert api.put(address(exported.name), {"status": "blocked"}).status_code == 200
    assert take([call], source="t", trust=Trust.SERVER, now=now).stored == 0


def test_a_name_of_an_old_platform_is_renamed_before_it_arrives(api: APIClient, now: datetime) -> None:
    made = api.put(address("Report Exported"), {"renamed_to": "report_exported"})
    assert (made.status_code, made.json()["renamed_to"]) == (201, "report_exported")
    call = {"type": "track", "userId": "ada", "event": "Report Exported"}
    take([call], source="t", trust=Trust.SERVER, now=now)
    assert api.get("/api/v1/events/").json()["results"][0]["name"] == "report_exported"
    assert api.put(address("Report Exported"), {"renamed_to": "report_exported"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"status": "good"}, "status"),
        ({"owner": "nobody"}, "owner"),
        ({"required": "format"}, "required"),
        ({"renamed_to": "$ours"}, "renamed_to"),
        ({"renamed_to": " "}, "renamed_to"),
        ({"volume": 7, "samples": []}, "samples"),
    ],
)
def test_what_cannot_be_is_400_and_changes_nothing(api: APIClient, exported: EventType, body: dict, path: str) -> None:
    answer = api.put(address(exported.name), {"description": "x"} | body)
    assert answer.status_code == 400
    assert path in [error["path"] for error in answer.json()["errors"]]
    exported.refresh_from_db()
    assert exported.description == ""


def test_our_own_events_stay_as_they_are(api: APIClient, now: datetime) -> None:
    catalogue.intern(["$message_sent"], now=now)
    assert api.put(address("$message_sent"), {"status": "blocked"}).status_code == 409
    assert api.put(address("$made_up"), {}).status_code == 400


def test_a_value_is_described_and_never_made(api: APIClient, plan: AttributeType) -> None:
    one = f"{ATTRIBUTES}profile/plan%2Fx/"
    assert api.put(one, {"description": "What they pay for", "status": "approved"}).json()["status"] == "approved"
    assert api.put(one, {"status": "new"}).status_code == 400
    [shown] = api.get(ATTRIBUTES).json()["results"]
    assert shown == api.get(one).json()
    assert api.get(f"{ATTRIBUTES}?of=profile").json()["results"] == [shown]
    assert api.get(f"{ATTRIBUTES}?of=account").json()["results"] == []
    assert api.get(f"{ATTRIBUTES}?status=blocked").json()["results"] == []
    assert api.put(f"{ATTRIBUTES}account/plan/", {}).status_code == 404
    assert api.get(f"{ATTRIBUTES}nothing/plan/").status_code == 404
