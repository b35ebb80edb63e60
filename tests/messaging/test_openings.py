"""Pictures that tell that a mail was opened; links that say where a visit came from; and judging anew."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError
from django.test import Client

from consent import tokens
from consent.models import Topic
from foundation import clock
from messaging import agents, clicks, dispatch, openings, tracking, utm
from messaging.models import Hit, Message
from messaging.returns.models import Opening
from profiles.models import Event, Profile
from tests.messaging.conftest import state_of
from tests.messaging.sink import Sink

SECOND = timedelta(seconds=1)
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15"


@pytest.fixture
def sent(ada: Profile, write: Any, agree: Any, queue: Callable[..., Message], sink: Sink, now: datetime) -> Message:
    """A mail to Ada, who agreed to be tracked."""
    Topic.objects.create(slug="tracking", name="T", description="T", purpose="T", channels=["email"])
    write()
    agree(ada)
    agree(ada, topic="tracking")
    message = queue(ada)
    dispatch.tick(now)
    return state_of(message.id)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> Callable[[timedelta], datetime]:
    def move(after: timedelta) -> datetime:
        monkeypatch.setattr(clock, "now", lambda: now + after)
        return now + after

    return move


def _picture(message: Message) -> str:
    return f"/o/{tokens.make('open', message=message.id)}"


def _opens() -> int:
    return Event.objects.filter(type__name="$message_opened").count()


# ── The picture ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_co_15_only_mails_to_those_who_agreed_have_a_picture_and_staff_who_look_fetch_none(
    sent: Message, ben: Profile, agree: Any, queue: Any, settings: Any, now: datetime
) -> None:
    assert _picture(sent) in unescape(sent.html)
    assert "/o/" not in tracking.shown(sent)
    agree(ben)
    settings.TRACK_OPENS = False
    agree(ben, topic="tracking")
    messages = [queue(ben)]
    dispatch.tick(now)
    settings.TRACK_OPENS = True
    agree(ben, topic="tracking", state="denied", at=now + SECOND)
    messages.append(queue(ben, at=now + 2 * SECOND))
    dispatch.tick(now + 2 * SECOND)
    assert ["<img" in state_of(message.id).html for message in messages] == [False, False]


def test_tr_05_the_picture_is_the_same_for_every_question(sent: Message, client: Client, at: Any) -> None:
    at(60 * SECOND)
    good = _picture(sent)
    wrong = ["/o/x", good[:-2], f"/o/{tokens.make('click', message=sent.id, place=0)}", f"/o/{'x' * 2_000}"]
    answers = [client.get(path, HTTP_USER_AGENT=MAC) for path in [good, *wrong]]
    assert {(one.status_code, one.content, str(sorted(one.headers.items()))) for one in answers} == {
        (200, openings.PICTURE, str(sorted(answers[0].headers.items())))
    }
    assert len(openings.PICTURE) == 43
    assert (answers[0]["Content-Type"], answers[0]["Cache-Control"]) == ("image/gif", "no-store, private")
    assert not answers[0].cookies
    assert Opening.objects.count() == 1


def test_co_15_who_takes_consent_back_leaves_nothing_also_by_mails_of_before(
    sent: Message, ada: Profile, agree: Any, client: Client, at: Any, now: datetime
) -> None:
    agree(ada, topic="tracking", state="denied", at=now + SECOND)
    at(60 * SECOND)
    assert client.get(_picture(sent), HTTP_USER_AGENT=MAC).content == openings.PICTURE
    assert not Opening.objects.exists()


def test_tr_05_the_picture_comes_also_while_nothing_can_be_written(
    sent: Message, client: Client, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError("cannot execute INSERT in a read-only transaction")

    monkeypatch.setattr(Opening, "save", fail)
    at(60 * SECOND)
    assert client.get(_picture(sent)).content == openings.PICTURE


def test_what_a_person_opened_is_told_once_and_moves_the_message_on(sent: Message, client: Client, at: Any) -> None:
    for after in (60, 90):
        at(after * SECOND)
        client.get(_picture(sent), HTTP_USER_AGENT=MAC)
    assert openings.tick(at(95 * SECOND)) == 2
    assert openings.tick(at(95 * SECOND)) == 0
    assert (state_of(sent.id).state, _opens()) == ("opened", 1)


@pytest.mark.parametrize(
    ("agent", "after", "kind"),
    [
        ("Mozilla/5.0", 3_600, "proxy"),  # Apple's Mail Privacy Protection
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", 3, "proxy"),
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", 600, "human"),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", 600, "human"),
        (MAC, 600, "human"),
        (MAC, 1, "bot"),
        ("Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.1)", 600, "human"),
        ("Mozilla/5.0 (compatible; Barracuda Sentinel)", 600, "bot"),
        ("python-requests/2.32", 600, "bot"),
        ("", 600, "unknown"),
        ("something new", 600, "unknown"),
    ],
)
def test_bt_01_openings_are_told_apart_and_only_peoples_count(
    agent: str, after: int, kind: str, sent: Message, client: Client, at: Any
) -> None:
    moment = at(after * SECOND)
    client.get(_picture(sent), HTTP_USER_AGENT=agent)
    openings.tick(moment)
    assert Opening.objects.get().kind == kind
    assert _opens() == (kind == "human")
    assert state_of(sent.id).state == ("opened" if kind == "human" else "sent")


def test_bt_02_what_was_judged_by_an_older_list_is_judged_anew(
    sent: Message, client: Client, at: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moment = at(60 * SECOND)
    strange = "Mozilla/5.0 (StrangeGuard 1.0)"
    client.get(_picture(sent), HTTP_USER_AGENT=strange)
    client.get(tracking.address_of(sent.id, 0).partition("8000")[2], HTTP_USER_AGENT=strange)
    later = at(120 * SECOND)
    client.get(_picture(sent), HTTP_USER_AGENT="Grandma/1.0")
    openings.tick(later)
    clicks.tick(moment + 9 * SECOND)
    assert (state_of(sent.id).state, _opens()) == ("clicked", 1)
    before = agents.is_program
    monkeypatch.setattr(agents, "is_program", lambda agent: "StrangeGuard" in agent or before(agent))
    for said in ("3 looked at: 0 are people's now that were not, 2 are not any more.", "3 looked at: 0 are"):
        call_command("rescore", days=30)
        assert said in capsys.readouterr().out
    assert state_of(sent.id).state == "sent"
    assert set(Hit.objects.values_list("kind", flat=True)) == {"bot"}
    monkeypatch.undo()
    at(300 * SECOND)
    call_command("rescore")
    assert "2 are people's now that were not" in capsys.readouterr().out
    assert state_of(sent.id).state == "clicked"


# ── Where a visit came from ──────────────────────────────────────────────────────────────────────────────────────────
SAID = "utm_source=cairn&utm_medium=email&utm_campaign=hello"
GOLDEN = [
    ("https://example.com", f"https://example.com?{SAID}"),
    ("https://example.com/", f"https://example.com/?{SAID}"),
    ("https://example.com/a", f"https://example.com/a?{SAID}"),
    ("https://www.example.com/a", f"https://www.example.com/a?{SAID}"),
    ("HTTPS://EXAMPLE.com/a", f"HTTPS://EXAMPLE.com/a?{SAID}"),
    ("https://example.com:8443/a", f"https://example.com:8443/a?{SAID}"),
    ("https://example.com/a?b=1", f"https://example.com/a?b=1&{SAID}"),
    ("https://example.com/a?b=1&c=2", f"https://example.com/a?b=1&c=2&{SAID}"),
    ("https://example.com/a?", f"https://example.com/a?{SAID}"),
    ("https://example.com/a?b=1&", f"https://example.com/a?b=1&{SAID}"),
    ("https://example.com/a?b", f"https://example.com/a?b&{SAID}"),
    ("https://example.com/a#top", f"https://example.com/a?{SAID}#top"),
    ("https://example.com/a?b=1#top", f"https://example.com/a?b=1&{SAID}#top"),
    ("https://example.com/#/app?x=1", f"https://example.com/?{SAID}#/app?x=1"),
    ("https://example.com/a?q=%20x%2B", f"https://example.com/a?q=%20x%2B&{SAID}"),
    ("https://example.com/a;v=1", f"https://example.com/a;v=1?{SAID}"),
    *[
        (address, address)
        for address in (
            "https://other.example/a",
            "https://notexample.com/a",
            "https://example.com.evil.example/a",
            "https://example.com/a?utm_source=mine",
            "https://example.com/a?b=1&UTM_CAMPAIGN=mine",
            "https://example.com/f?X-Amz-Signature=abc&X-Amz-Date=1",
            "https://example.com/f?X-Goog-Signature=abc",
            "https://example.com/f?sv=2024&sig=abc",
            "https://example.com/f?Expires=1&Signature=abc&Key-Pair-Id=K",
            "https://example.com/f?hmac=abc",
            "mailto:us@example.com",
            "tel:+49301234",
            "#here",
            "/unsubscribe/x",
            "https://[::1",
            "javascript:alert(1)",
            "https://example.com\\@evil.example/",
        )
    ],
]


@pytest.mark.parametrize(("address", "said"), GOLDEN)
def test_tr_03_links_to_our_sites_say_where_a_visit_came_from_and_break_nothing(
    address: str, said: str, settings: Any
) -> None:
    settings.UTM_SITES = ["example.com"]
    assert utm.told_in(address, "email", "hello") == said
    settings.UTM_SITES = []
    assert utm.told_in(address, "email", "hello") != said or address == said


def test_tr_03_a_followed_link_leads_to_what_the_author_wrote_and_where_it_came_from(
    ada: Profile, write: Any, agree: Any, queue: Any, sink: Sink, settings: Any, client: Client, at: Any, now: datetime
) -> None:
    settings.UTM_SITES = ["example.com"]
    write()
    agree(ada)
    plain = queue(ada)
    dispatch.tick(now)
    hrefs = [unescape(href) for href in re.findall(r'href="([^"]*)"', state_of(plain.id).html)]
    assert f"https://example.com/new?{SAID}" in hrefs
    assert not any("utm" in href for href in hrefs if "/unsubscribe/" in href or "/preferences/" in href)
    Topic.objects.create(slug="tracking", name="T", description="T", purpose="T", channels=["email"])
    agree(ada, topic="tracking")
    tracked = queue(ada)
    dispatch.tick(now)
    at(60 * SECOND)
    answer = client.get(tracking.address_of(tracked.id, 0).partition("8000")[2])
    assert answer["Location"] == f"https://example.com/new?{SAID}"
