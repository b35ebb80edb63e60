"""Channels over the REST API: told, set up, and their secrets kept."""

from datetime import datetime
from typing import Any

import pytest
from rest_framework.test import APIClient

from messaging import wiring
from messaging.delivery import CHANNELS
from staff import keys
from staff.models import AuditEntry, Key

pytestmark = pytest.mark.django_db
PROVIDER = f"twilio://AC{'a' * 32}:{'b' * 32}@15551234567/{{phone}}"


@pytest.fixture
def api(now: datetime) -> APIClient:
    _, secret = keys.create("Backend", kind=Key.Kind.SECRET, scopes=["channels:write"], now=now)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_every_channel_says_whether_it_is_ready_and_what_a_template_has(api: APIClient) -> None:
    told = {one["key"]: one for one in api.get("/api/v1/channels/").json()["results"]}
    assert set(told) == set(CHANNELS.keys())
    assert told["email"]["ready"] is True
    assert "“Provider”" in told["sms"]["lacks"]
    assert told["sms"]["form"] == {"has_subject": False, "rich": False, "longest": 1530, "options": {}}
    assert told["in_app"]["form"]["options"] == {"look": ["inbox", "banner", "modal"]}
    assert api.get("/api/v1/channels/pigeon/").status_code == 404


def test_a_channel_is_set_up_and_its_secret_is_never_told(api: APIClient) -> None:
    answer = api.patch("/api/v1/channels/sms/", {"settings": {"url": PROVIDER}}, format="json")
    assert answer.status_code == 200
    assert (answer.json()["ready"], answer.json()["settings"], answer.json()["secrets"]) == (True, {}, ["url"])
    assert "twilio" not in answer.content.decode()
    off = api.patch("/api/v1/channels/sms/", {"enabled": False}, format="json").json()
    assert (off["lacks"], off["secrets"]) == ("is switched off", ["url"])
    assert wiring.wired("sms").values["url"] == PROVIDER
    assert [entry.actor for entry in AuditEntry.objects.filter(kind="channel")] == ["key:Backend"] * 2


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"settings": {"url": "nonsense"}}, "settings.url"),
        ({"settings": {"no": "x"}}, "settings.no"),
        ({"settings": {"url": 7}}, "settings.url"),
        ({"no": 1}, "no"),
    ],
)
def test_what_is_wrong_is_said_with_its_path(body: dict[str, Any], path: str, api: APIClient) -> None:
    answer = api.patch("/api/v1/channels/sms/", body, format="json")
    assert answer.status_code == 400
    assert [one["path"] for one in answer.json()["errors"]] == [path]
