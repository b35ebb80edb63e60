"""What is made without a name is called by its slug in words."""

from datetime import datetime

import pytest
from rest_framework.test import APIClient

from consent import topics
from tests.api.test_races import MADE, TOPIC


@pytest.mark.parametrize("resource", ["journeys", "segments", "templates"])
def test_without_a_name_it_is_called_by_its_slug_in_words(api: APIClient, now: datetime, resource: str) -> None:
    topics.save("news", **TOPIC, now=now)
    body = {key: value for key, value in MADE[resource].items() if key != "name"}
    home = f"/api/v1/{resource}/"
    assert api.post(home, body | {"slug": "first-steps"}).json()["name"] == "First steps"
    del body["slug"]
    assert api.put(f"{home}next-steps/", body).json()["name"] == "Next steps"
    assert api.put(f"{home}next-steps/", body | {"name": "Onwards"}).json()["name"] == "Onwards"
    refused = api.put(f"{home}next-steps/", body | {"name": ""})
    assert (refused.status_code, refused.json()["errors"][0]["path"]) == (400, "name")
