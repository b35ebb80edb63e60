"""Topics for people from some age on: asked for, looked at before every message, and kept for nothing else (CO-14)."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from consent import ages, answers, links, optins, preferences, signups, states
from consent.ledger import Outcome
from consent.models import ConsentEvidence, OptIn, Preference, Topic
from foundation import clock
from messaging import dispatch, templates
from messaging.models import Message
from messaging.outbox import Request, enqueue
from profiles.models import Profile

Decide = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: now)


@pytest.fixture
def gated(news: Topic) -> Topic:
    """News, for people of sixteen and older."""
    Topic.objects.filter(id=news.id).update(min_age=16)
    news.refresh_from_db()
    return news


def state_of(profile: Profile) -> str | None:
    found = states.of([profile.id], "news", "email").get(profile.id)
    return found.state if found else None


@pytest.mark.parametrize(
    ("born", "on", "years"),
    [("2010-11-24", "2026-11-24", 16), ("2010-11-25", "2026-11-24", 15), ("2008-02-29", "2026-02-28", 17),
     ("2008-02-29", "2026-03-01", 18), ("2026-11-24", "2026-11-24", 0)],
)  # fmt: skip
def test_an_age_is_in_full_years(born: str, on: str, years: int) -> None:
    assert ages.age(date.fromisoformat(born), date.fromisoformat(on)) == years


@pytest.mark.parametrize(
    ("birthday", "said", "state"),
    [
        (None, None, "suppressed"),
        ("2010-11-24", None, "sent"),  # sixteen today
        ("2010-11-25", None, "suppressed"),
        ("2010-11-24T08:00:00Z", None, "sent"),
        ("soon", None, "suppressed"),
        (2010, None, "suppressed"),
        (None, date(1990, 1, 31), "sent"),
        ("2015-01-01", date(1990, 1, 31), "suppressed"),  # of two the later day counts
    ],
)
def test_CO14_who_is_too_young_or_of_no_known_age_gets_nothing_of_it(
    ada: Profile, gated: Topic, decide: Decide, now: datetime, settings: Any, tmp_path: Path,
    birthday: Any, said: date | None, state: str,
) -> None:  # fmt: skip
    settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = "django.core.mail.backends.filebased.EmailBackend", str(tmp_path)
    settings.POSTAL_ADDRESS = "1 Main Street"
    Profile.objects.filter(id=ada.id).update(attributes={"birthday": birthday} if birthday else {})
    preferences.save(ada.id, now=now, born_on=said)
    decide(ada, "news", "granted")
    blocks = [{"kind": "text", "text": "Hello"}]
    templates.save("hello", name="Hello", channel="email", topic="news", subject="Hello", blocks=blocks, now=now)
    (id,) = enqueue([Request(key="a", profile_id=ada.id, template="hello", channel="email")], now=now)
    dispatch.tick(now)
    message = Message.objects.get(id=id)
    assert (message.state, message.guardrail) == (state, "" if state == "sent" else "age_gate")
    if state != "sent":
        assert "is for people of 16 and older" in message.reason


def page(client: Client, profile: Profile, made: datetime, **fields: str) -> Any:
    path = urlsplit(links.preferences_url(profile, made)).path
    return client.post(path, fields) if fields else client.get(path)


def test_CO14_the_page_asks_how_old_they_are_and_lets_in_whoever_is_old_enough(
    client: Client, ada: Profile, gated: Topic, now: datetime
) -> None:
    asked = page(client, ada, now).content.decode()
    assert "For people of 16 and older." in asked
    assert 'name="born_on"' in asked
    yes = {"do": "save", "news.email": "granted"}
    for born, told in (
        ("", "To get it, say when you were born."),
        ("2012-01-01", "Product news is for people of 16 and older."),
        ("nonsense", "Write the day of your birth"),
        ("1790-01-01", "Write the day of your birth"),
    ):
        answer = page(client, ada, now, **yes, born_on=born)
        assert answer.status_code == 422
        assert told in answer.content.decode()
        assert (state_of(ada), Preference.objects.count()) == (None, 0)
    assert page(client, ada, now, **yes, born_on="1990-01-31").status_code == 200
    assert (state_of(ada), Preference.objects.get().born_on) == ("granted", date(1990, 1, 31))
    assert 'name="born_on"' not in page(client, ada, now).content.decode()
    assert answers.export(ada)["consent"]["preferences"]["born_on"] == "1990-01-31"


def test_a_no_asks_for_no_age(client: Client, ada: Profile, gated: Topic, now: datetime) -> None:
    assert page(client, ada, now, **{"do": "save", "news.email": "denied"}).status_code == 200
    assert state_of(ada) == "denied"


def test_whoever_is_known_to_be_too_young_cannot_say_otherwise(
    client: Client, ada: Profile, gated: Topic, now: datetime
) -> None:
    Profile.objects.filter(id=ada.id).update(attributes={"birthday": "2015-01-01"})
    assert page(client, ada, now, **{"do": "save", "news.email": "granted", "born_on": "1990-01-31"}).status_code == 422
    assert (state_of(ada), Preference.objects.count()) == (None, 0)


def test_CO14_a_form_rejects_whoever_gives_no_age_or_too_low_a_one_and_keeps_it_once_confirmed(
    client: Client, ada: Profile, gated: Topic, now: datetime
) -> None:
    words = {"en": {"title": "News", "text": "Each month.", "button": "Yes, please"}}
    signups.save("news", name="News", topics=["news"], wordings=words, now=now)
    assert 'name="born_on"' in client.get("/forms/news/").content.decode()
    for born in ("", "2012-01-01", "2030-01-01"):
        answer = client.post("/forms/news/", {"email": "ada@example.com", "born_on": born})
        assert answer.status_code == 422
        assert not OptIn.objects.exists()
    assert client.post("/forms/news/", {"email": "ada@example.com", "born_on": "1990-01-31"}).status_code == 200
    signups.tick(now)
    assert not Preference.objects.exists()  # anybody could have written that
    optins.confirm(OptIn.objects.get().id, now=now)
    assert Preference.objects.get().born_on == date(1990, 1, 31)
    assert "1990" not in str(ConsentEvidence.objects.get().data)


def test_a_form_that_is_for_all_asks_no_age(client: Client, news: Topic, now: datetime) -> None:
    words = {"en": {"title": "News", "text": "Each month.", "button": "Yes, please"}}
    signups.save("news", name="News", topics=["news"], wordings=words, now=now)
    assert "born_on" not in client.get("/forms/news/").content.decode()
