"""Several at once make what has one name: one of them makes it, and the others are told that it is there."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from consent import topics
from staff.models import AuditEntry
from tests.api.conftest import client_with

AT_ONCE = 4
EVERYBODY: dict[str, Any] = {"all": []}
TOPIC: dict[str, Any] = {
    "name": "Tips",
    "description": "A tip.",
    "purpose": "To help.",
    "basis": "consent",
    "channels": ["email"],
}
TEMPLATE: dict[str, Any] = {
    "name": "Hello",
    "channel": "email",
    "topic": "news",
    "subject": "Hello",
    "blocks": [{"kind": "text", "text": "Hello"}],
}
DOCUMENT: dict[str, Any] = {
    "entry": {"trigger": {"kind": "event", "name": "signed_up"}},
    "steps": [{"key": "end", "kind": "exit"}],
}
MADE: dict[str, dict[str, Any]] = {
    "segments": {"slug": "x", "definition": EVERYBODY},
    "topics": {"slug": "x", **TOPIC},
    "templates": {"slug": "x", **TEMPLATE},
    "journeys": {"slug": "x", "document": DOCUMENT},
}


def _at_once(method: str, address: str, body: dict[str, Any]) -> list[int]:
    clients = [client_with() for _ in range(AT_ONCE)]
    ready = Barrier(AT_ONCE)

    def ask(client: Any) -> int:
        try:
            ready.wait()
            return int(getattr(client, method)(address, body).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sorted(pool.map(ask, clients))


@pytest.mark.parametrize("resource", MADE)
def test_one_of_several_that_make_the_same_makes_it(transactional_db: None, now: datetime, resource: str) -> None:
    topics.save("news", **TOPIC, now=now)
    for number in range(3):
        body = MADE[resource] | {"slug": f"x{number}"}
        assert _at_once("post", f"/api/v1/{resource}/", body) == [201, 409, 409, 409]
    kind = resource.removesuffix("s")
    assert AuditEntry.objects.filter(kind=kind, target__startswith="x").count() == 3


@pytest.mark.parametrize("resource", MADE)
def test_one_of_several_that_put_the_same_finds_that_it_is_new(
    transactional_db: None, now: datetime, resource: str
) -> None:
    topics.save("news", **TOPIC, now=now)
    body = {name: value for name, value in MADE[resource].items() if name != "slug"}
    assert _at_once("put", f"/api/v1/{resource}/x/", body) == [200, 200, 200, 201]
