"""What staff see of consent: how it went week by week, what customers read of a topic, and what its basis asks for."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from consent import overview
from consent.admin.topics import BASES
from consent.ledger import Outcome
from consent.models import ConsentRecord, Topic
from consent.page import unasked
from foundation import clock
from foundation.admin import list_of, page_of
from profiles.models import Profile
from staff.models import User

Decide = Callable[..., Outcome]
WEEK = timedelta(weeks=1)


@pytest.fixture
def staff(db: None, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(clock, "now", lambda: now)
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="stone-on-stone-9"))
    return client


@pytest.fixture
def decided(ada: Profile, ben: Profile, news: Topic, tips: Topic, decide: Decide, now: datetime) -> None:
    decide(ada, "news", "granted", now=now - 3 * WEEK)
    decide(ben, "news", "granted", now=now - 3 * WEEK, source=ConsentRecord.Source.IMPORT)
    decide(ada, "news", "denied", now=now - WEEK)
    decide(ada, "tips", "denied", now=now - timedelta(hours=1))
    decide(ben, "tips", "denied", now=now - 40 * WEEK)


def test_decisions_are_counted_by_week_topic_and_way(decided: None, now: datetime) -> None:
    weeks = overview.weeks(now)
    assert len(weeks) == overview.WEEKS
    assert all(day.weekday() == 0 for day in weeks)
    assert [pair for pair in weeks.values() if pair != (0, 0)] == [(2, 0), (0, 1), (0, 1)]
    assert [pair for pair in overview.weeks(now, topic="news", source="page").values() if pair != (0, 0)] == [
        (1, 0),
        (0, 1),
    ]
    ways = {(way.topic, way.source): (way.yes, way.no) for way in overview.ways(now)}
    assert ways == {("news", "page"): (1, 1), ("news", "import"): (1, 0), ("tips", "page"): (0, 1)}


def test_a_week_begins_on_monday_midnight_of_the_project(
    ada: Profile, news: Topic, decide: Decide, now: datetime, settings: Any
) -> None:
    settings.PROJECT_TIME_ZONE = "Europe/Vienna"
    monday = datetime.fromisoformat("2026-11-23T00:00:00+01:00")
    decide(ada, "news", "granted", now=monday - timedelta(seconds=1))
    decide(ada, "news", "denied", now=monday)
    assert list(overview.weeks(now).values())[-2:] == [(1, 0), (0, 1)]


def test_the_ledger_shows_them_above_its_list_as_filtered(staff: Client, decided: None) -> None:
    everything = staff.get(list_of(ConsentRecord)).content.decode()
    assert "Consent over time, by week" in everything
    assert 'title="2 Nov 2026: 2 yes, 0 no"' in everything
    narrowed = staff.get(list_of(ConsentRecord, topic="news", source__exact="import")).content.decode()
    assert 'title="2 Nov 2026: 1 yes, 0 no"' in narrowed
    assert narrowed.count('<tr class="') < everything.count('<tr class="') or "1 decision" in narrowed


def test_a_topic_shows_what_customers_read_in_each_language_and_what_is_kept(
    staff: Client, decided: None, news: Topic, settings: Any
) -> None:
    html = staff.get(page_of(news)).content.decode()
    for code, name in settings.LANGUAGES:
        with translation.override(code):
            assert f'<div lang="{code}">' in html
            assert unasked(news) in html.replace("&#x27;", "'").replace("&#39;", "'")
        assert name in html
    assert news.description in html and news.purpose in html
    assert re.search(r"Preference page</td>\s*<td>1</td>\s*<td>1</td>", html)
    assert BASES["consent"][:40] in html and "no legal advice" in html


def test_each_basis_has_its_guidance() -> None:
    assert set(BASES) == set(Topic.Basis.values)
