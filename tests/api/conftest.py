"""Requests as a program sends them: a secret key with everything, unless the test says otherwise."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

import pytest
from rest_framework.test import APIClient

from foundation import clock
from staff import keys
from staff.models import Key


@pytest.fixture
def make_client(db: None) -> Callable[..., APIClient]:
    return client_with


def client_with(*scopes: str, name: str = "Website", now: datetime | None = None, **options: Any) -> APIClient:
    _, secret = keys.create(name, kind=Key.Kind.SECRET, scopes=scopes or ["all"], now=now or clock.now(), **options)
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    client.default_format = "json"
    return client


def send_raw(client: APIClient, method: str, address: str, raw: bytes, content_type: str = "application/json") -> Any:
    """Sends a body as it is, whatever it is."""
    return client.generic(method, address, cast(Any, raw), content_type=content_type)


@pytest.fixture
def api(make_client: Callable[..., APIClient]) -> APIClient:
    return make_client()
