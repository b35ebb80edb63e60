"""The page says how what is known shapes what they get: by the segments and the journeys that use it."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from consent import links, preferences
from foundation import clock
from profiles.models import Profile
from segments import definitions, membership

ENGINEERS = {"kind": "attribute", "name": "role", "op": "is", "value": "engineer"}


@pytest.fixture
def grouped(ada: Profile, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """Ada, who is in a segment by what is known of her, and in one by hand."""
    monkeypatch.setattr(clock, "now", lambda: now)
    Profile.objects.filter(id=ada.id).update(attributes={"role": "engineer"})
    definitions.save("engineers", name="Engineers", definition=ENGINEERS, status="live", now=now)
    beta = definitions.save("beta", name="Beta", kind="static", status="live", now=now)
    membership.add(beta, [ada.id], now=now)
    return ada


def page(client: Client, profile: Profile, made: datetime) -> str:
    return client.get(urlsplit(links.preferences_url(profile, made)).path).content.decode()


def test_PP05_the_page_tells_the_groups_they_are_in_and_by_what(
    client: Client, grouped: Profile, now: datetime
) -> None:
    html = page(client, grouped, now)
    assert "How it shapes what you get" in html
    assert "Engineers" in html
    assert "People whose role is “engineer”." in html
    assert "Our staff put you there." in html
    preferences.save(grouped.id, now=now, language="de")
    german = page(client, grouped, now)
    assert "Wie es bestimmt, was Sie bekommen" in german
    assert '<bdi lang="en">People whose role' in german


def test_TK06_an_older_link_does_not_tell_them(client: Client, grouped: Profile, now: datetime) -> None:
    from datetime import timedelta

    assert "Engineers" not in page(client, grouped, now - timedelta(days=2))


def test_who_is_in_none_is_told_nothing_of_it(client: Client, ben: Profile, now: datetime, monkeypatch: Any) -> None:
    monkeypatch.setattr(clock, "now", lambda: now)
    assert "How it shapes what you get" not in page(client, ben, now)
