"""The page says how what is known shapes what they get: by the segments and the journeys that use it."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import translation

from consent import links, preferences, shaping
from foundation import clock
from profiles.models import Profile
from segments import definitions, membership, panels
from segments.kinds import KINDS
from segments.models import Segment

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
    assert "Es richtet sich danach, was das Produkt über Sie weiß (Role)." in german
    assert "Unser Team hat Sie dort eingetragen." in german
    assert 'bdi lang="en"' not in german and "People whose" not in german


def test_TK06_an_older_link_does_not_tell_them(client: Client, grouped: Profile, now: datetime) -> None:
    from datetime import timedelta

    assert "Engineers" not in page(client, grouped, now - timedelta(days=2))


def test_who_is_in_none_is_told_nothing_of_it(client: Client, ben: Profile, now: datetime, monkeypatch: Any) -> None:
    monkeypatch.setattr(clock, "now", lambda: now)
    assert "How it shapes what you get" not in page(client, ben, now)


@pytest.mark.parametrize("language", ["de", "fr", "es"])
@pytest.mark.parametrize("kind", list(KINDS.keys()))
def test_PP08_by_what_a_group_is_drawn_is_said_in_their_language_whatever_kind_of_condition_it_has(
    language: str, kind: str, ada: Profile, now: datetime
) -> None:
    definition = KINDS[kind].example
    segment = Segment(name="x", slug="x", kind="dynamic", definition=definition, created_at=now)
    basis, sentence = panels._because(segment)
    assert basis is not None and sentence
    with translation.override("en"):
        english = shaping.told(basis)
    with translation.override(language):
        assert shaping.told(basis) != english
        html = shaping.groups([shaping.Group("x", basis, sentence, now)])
    assert sentence not in html and english not in html
