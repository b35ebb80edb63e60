"""Webhooks: told with their cause, signed, tried until they are taken, and once an endpoint."""

import json
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from foundation import clock, outgoing
from foundation.errors import Conflict, Invalid
from profiles import endpoints, people, telling
from profiles.models import Delivery, Endpoint, Profile
from staff import audit, keys
from staff.models import AuditEntry, Key
from tests import receiving
from tests.receiving import Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    with receiving.receiving() as found:
        settings.OUTGOING_HOSTS = [found.host]
        yield found


def test_CO08_of_an_erasure_each_enabled_endpoint_is_told_once_signed_and_by_opaque_ids(
    receiver: Receiver, ada: Profile, now: datetime
) -> None:
    for kinds, enabled in (([], True), (["profile.erased"], True), ([], False)):
        endpoints.save(url=receiver.url, kinds=kinds, enabled=enabled, now=now)
    id = str(ada.pk)
    people.erase(ada, now=now)
    people.erase(ada, now=now)
    assert telling.tick(now) == 2
    assert telling.tick(now + timedelta(days=3)) == 0
    assert len({one.headers["webhook-id"] for one in receiver.received}) == len(receiver.received) == 2
    for one in receiver.received:
        assert receiving.is_signed(one, outgoing.secrets()[-1])
        assert json.loads(one.body) == {
            "type": "profile.erased", "timestamp": now.isoformat(), "data": {"id": id, "others": []},
        }  # fmt: skip
        assert b"ada" not in one.body and b"example.com" not in one.body
    assert set(Delivery.objects.values_list("state", "endpoint__enabled")) == {("done", True)}


def test_what_is_not_taken_is_tried_again_later_and_later_and_given_up_at_last(
    receiver: Receiver, now: datetime
) -> None:
    endpoints.save(url=receiver.url, now=now)
    receiver.says(503, 500, 200)
    telling.tell("profile.erased", {"id": "1"}, now=now)
    assert telling.tick(now) == 1
    row = Delivery.objects.get()
    assert (row.state, row.tries, row.due_at) == ("waiting", 1, now + timedelta(seconds=5))
    assert telling.tick(now + timedelta(seconds=4)) == 0
    assert telling.tick(now + timedelta(seconds=5)) == 1
    assert telling.tick(now + timedelta(hours=1)) == 1
    row.refresh_from_db()
    assert (row.state, row.reason) == ("done", "Answered 200.")
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 1
    receiver.says(500)
    telling.again(row.pk, now=now)
    with pytest.raises(Conflict, match="on its way"):
        telling.again(row.pk, now=now)
    tries, at = 0, now
    while tries < 20 and (due := Delivery.objects.get().due_at):
        at, tries = due, tries + 1
        assert telling.tick(at) == 1
    row.refresh_from_db()
    assert (row.state, tries) == ("failed", 10)
    assert telling.forget(at + telling.KEPT) == 1


def test_a_worker_that_dies_while_it_tells_leaves_it_to_another(receiver: Receiver, now: datetime) -> None:
    endpoints.save(url=receiver.url, now=now)
    telling.tell("profile.erased", {"id": "1"}, now=now)
    assert len(telling._claim(now)) == 1  # and then it died
    assert telling.tick(now + timedelta(seconds=30)) == 0
    assert telling.tick(now + timedelta(minutes=2)) == 1
    assert len(receiver.received) == 1


def test_one_worker_at_a_time_tells_and_takes_what_is_due_longest(receiver: Receiver, now: datetime) -> None:
    endpoints.save(url=receiver.url, now=now)
    for n in range(telling._BATCH + 2):
        telling.tell("profile.erased", {"id": str(n)}, now=now - timedelta(seconds=n))
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtext('profiles.telling'))")
            assert telling.tick(now) == 0
            cursor.execute("SELECT pg_advisory_unlock(hashtext('profiles.telling'))")
    finally:
        other.close()
    first = {json.loads(one.body)["data"]["id"] for one in telling._claim(now)}
    assert first == {str(n) for n in range(2, telling._BATCH + 2)}
    assert telling.tick(now) == 2


def test_a_delivery_that_fails_in_a_way_that_nobody_foresaw_ends_alone(
    receiver: Receiver, now: datetime, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTGOING_HOSTS = [receiver.host, "127.0.0.2:9"]
    connect = socket.create_connection

    def fail(address: Any, **options: Any) -> socket.socket:
        if address[1] == 9:
            raise RuntimeError("the library has a fault")
        return connect(address, **options)

    monkeypatch.setattr(socket, "create_connection", fail)
    for url in ("http://127.0.0.2:9/", receiver.url):
        endpoints.save(url=url, now=now)
    telling.tell("profile.erased", {"id": "1"}, now=now)
    assert telling.tick(now) == 2
    assert set(Delivery.objects.values_list("state", "reason")) == {
        ("done", "Answered 200."),
        ("waiting", "Calling failed in a way that nobody foresaw (RuntimeError)."),
    }


@pytest.mark.parametrize("url", ["", "http://example.com/", "https://user:x@example.com/", "https://example.com:9/", 7])
def test_what_is_no_public_address_is_refused_with_a_reason(url: Any, now: datetime) -> None:
    with pytest.raises(Invalid, match="must"):
        endpoints.save(url=url, now=now)


def test_programs_name_them_and_read_what_they_were_told(
    receiver: Receiver, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: now)
    api = _api("webhooks:write")
    made = api.post("/api/v1/webhooks/", {"url": receiver.url, "kinds": ["profile.erased"]}, format="json")
    assert (made.status_code, made.json()["secret"]) == (201, outgoing.secrets()[-1])
    path = f"/api/v1/webhooks/{made.json()['id']}/"
    assert _api("webhooks:read").get(path).json()["secret"] is None
    assert api.post("/api/v1/webhooks/", {"url": "http://10.0.0.1/"}, format="json").status_code == 400
    assert api.post("/api/v1/webhooks/", {"url": receiver.url, "kinds": ["x"]}, format="json").status_code == 400
    telling.tell("profile.erased", {"id": "1"}, now=now)
    telling.tick(now)
    (told,) = api.get(f"{path}deliveries/").json()
    assert (told["state"], told["tries"]) == ("done", 1)
    again = api.post(f"{path}deliveries/{told['id']}/redeliver/", format="json")
    assert (again.status_code, again.json()["state"]) == (200, "waiting")
    assert api.patch(path, {"enabled": False}, format="json").json()["enabled"] is False
    assert telling.tick(now) == 0, "who is switched off is left alone"
    assert api.delete(path).status_code == 204
    assert not Endpoint.objects.exists() and not Delivery.objects.exists()
    verbs = AuditEntry.objects.filter(kind="webhook").order_by("id").values_list("verb", flat=True)
    assert list(verbs) == ["create", "change", "delete"]


def _api(scope: str) -> APIClient:
    _key, secret = keys.create(f"Key for {scope}", kind=Key.Kind.SECRET, scopes=[scope], now=clock.now())
    return APIClient(headers={"authorization": f"Bearer {secret}"})


def test_an_erasure_that_is_taken_back_tells_nobody(
    receiver: Receiver, ada: Profile, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **details: Any) -> None:
        raise RuntimeError("the disk is full")

    endpoints.save(url=receiver.url, now=now)
    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(RuntimeError):
        people.erase(ada, now=now)
    assert not Delivery.objects.exists()
    assert Profile.objects.filter(pk=ada.pk).exists()
