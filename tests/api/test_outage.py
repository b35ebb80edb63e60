"""The API while its database is away."""

from collections.abc import Iterator

import pytest
from django.db import connection

from tests.api.conftest import client_with


@pytest.fixture
def away(transactional_db: None) -> Iterator[None]:
    host = connection.settings_dict["HOST"]
    yield
    connection.settings_dict["HOST"] = host
    connection.close()


def test_FM15_a_database_that_is_away_is_503_with_a_sentence(away: None) -> None:
    api = client_with()
    connection.close()
    connection.settings_dict["HOST"] = "/nowhere"

    answer = api.get("/api/v1/profiles/")

    assert answer.status_code == 503
    assert answer["Retry-After"] == "1"
    assert answer["Content-Type"] == "application/problem+json"
    assert "out of reach" in answer.json()["detail"]
    assert "nowhere" not in answer.content.decode()
