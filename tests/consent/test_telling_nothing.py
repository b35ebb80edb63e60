"""What the pages must not tell: whose a link is, where a token led, and how much there is of somebody."""

import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from consent import choosing, ledger, links, tokens
from consent.ledger import Choice, Outcome
from consent.models import ConsentRecord, Topic
from consent.wordings import Wordings
from foundation import clock
from messaging import dispatch, templates
from messaging.models import Message
from messaging.outbox import Request, enqueue
from profiles.models import Profile

Decide = Callable[..., Outcome]
PAGES = ("preferences/{}/", "preferences/{}/everything/", "preferences/{}/data/", "preferences/{}/receipts/",
         "preferences/{}/erase/", "unsubscribe/{}/", "confirm/{}/")  # fmt: skip
OPENS = {"preferences": "preferences", "less": "preferences", "unsubscribe": "unsubscribe", "confirm": "confirm"}


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> Callable[[datetime], None]:
    def at(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    at(now)
    return at


def every_token(profile: Profile, now: datetime) -> dict[str, str]:
    return {
        "preferences": tokens.make("preferences", profile=profile.id, epoch=0, at=now),
        "less": tokens.make("less", profile=profile.id, epoch=0, at=now),
        "unsubscribe": tokens.make("unsubscribe", profile=profile.id, topic="news", channel="email", message=None),
        "confirm": tokens.make("confirm", request=profile.id, at=now),
        "click": tokens.make("click", message=profile.id, place=0),
        "undo": tokens.make("undo", subject=profile.id, first=1, last=1, at=now),
    }


def asked(client: Client, path: str, **posted: str) -> tuple[int, bytes, dict[str, str], int]:
    """The status, the body, the headers and the number of statements behind them."""
    with CaptureQueriesContext(connection) as queries:
        answer = client.post(path, posted) if posted else client.get(path)
    return answer.status_code, answer.content, dict(answer.headers), len(queries)


def test_AZ02_TK02_a_token_where_it_does_not_belong_is_answered_like_garbage_and_by_the_same_work(
    client: Client, ada: Profile, ben: Profile, news: Topic, at: Any, now: datetime
) -> None:
    made = every_token(ada, now)
    for page in PAGES:
        kind = page.split("/")[0]
        for posted in ({}, {"do": "stop", "profile": str(ben.id)}):
            if posted and ("data" in page or "receipts" in page or "everything" in page):
                continue  # takes no POST
            garbage = asked(client, "/" + page.format("garbage"), **posted)
            assert garbage[0] == 404
            for purpose, token in made.items():
                if OPENS.get(purpose) != kind:
                    assert asked(client, "/" + page.format(token), **posted) == garbage, (purpose, page)
            own = next(token for purpose, token in made.items() if OPENS.get(purpose) == kind)
            for broken in (own[:-1], own + "x", own.swapcase(), own.replace("v1.", "v2."), str(ada.id)):
                assert asked(client, "/" + page.format(broken), **posted) == garbage, page


def test_AZ02_ids_of_others_beside_a_token_change_nothing_of_the_answer(
    client: Client, ada: Profile, ben: Profile, news: Topic, at: Any
) -> None:
    path = urlsplit(links.preferences_url(ada)).path
    plain = client.get(path).content
    for query in (f"profile={ben.id}", f"external_id={ben.external_id}", f"token={ben.id}", f"email={ben.email}"):
        assert client.get(f"{path}?{query}").content == plain


def test_TK09_no_log_has_a_token_whatever_became_of_the_request(
    client: Client, ada: Profile, news: Topic, at: Any, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    made = every_token(ada, now)
    old = tokens.make("preferences", profile=ada.id, epoch=0, at=now - timedelta(days=365))
    with caplog.at_level(logging.DEBUG):
        seen = set()
        for page in PAGES:
            for token in (*made.values(), old):
                path = "/" + page.format(token)
                seen |= {client.get(path).status_code, client.put(path).status_code}
                seen.add(client.post(path, {"do": "save", "hours_from": "later", "hours_to": ""}).status_code)
        assert seen >= {200, 404, 405, 410, 422}
    said = "\n".join(
        f"{record.getMessage()} {record.args}" for record in caplog.records if record.name != "django.db.backends"
    )
    for token in (*made.values(), old):
        _, _, payload, signature = token.split(".")
        for secret in (payload, signature):
            assert not any(secret[place : place + 12] in said for place in range(0, len(secret) - 12))


def test_PP22_the_page_takes_as_many_statements_for_much_as_for_little(
    client: Client, ada: Profile, news: Topic, at: Any, now: datetime
) -> None:
    path = urlsplit(links.preferences_url(ada, now)).path
    client.get(path)
    little = asked(client, path)
    for n in range(20):
        Topic.objects.create(slug=f"t{n}", name=f"T {n}", description="d", purpose="p", channels=["email", "sms"])
    choice: dict[str, Any] = {"profile_id": ada.id, "channel": "email", "source": ConsentRecord.Source.PAGE}
    ledger.record([Choice(topic=f"t{n}", state="granted", **choice) for n in range(20)], now=now)
    for day in range(10):
        ledger.record([Choice(topic="news", state=("granted", "denied")[day % 2], **choice)], now=now)
    much = asked(client, path)
    assert (much[0], little[0]) == (200, 200)
    assert much[3] <= little[3] + 1  # whether there are records to look up
    assert len(much[1]) < 50_000


# ── After they said no ───────────────────────────────────────────────────────────────────────────────────────────────
def test_UN13_nothing_more_is_sent_after_a_no_and_nobody_asks_them_again(
    client: Client, ada: Profile, news: Topic, decide: Decide, at: Any, now: datetime, settings: Any, tmp_path: Any
) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = "django.core.mail.backends.filebased.EmailBackend", str(tmp_path)
    settings.POSTAL_ADDRESS = "1 Main Street"
    decide(ada, "news", "granted", now=now - timedelta(days=1))
    blocks = [{"kind": "text", "text": "We would like you back."}]
    templates.save("back", name="Back", channel="email", topic="news", subject="Back", blocks=blocks, now=now)
    path = urlsplit(links.unsubscribe_url(ada, "news", "email", None)).path
    client.post(path, {"List-Unsubscribe": "One-Click"})
    assert not Message.objects.exists()  # no mail that says that they get no mail
    for days in (1, 14, 28):
        day = now + timedelta(days=days)
        enqueue([Request(key=f"d{days}", profile_id=ada.id, template="back", channel="email")], now=day)
        dispatch.tick(day)
    assert set(Message.objects.values_list("state", "guardrail")) == {("suppressed", "consent")}
    assert not list(tmp_path.iterdir())


def test_PP04_whoever_said_no_is_shown_their_no_and_no_prompt(
    client: Client, ada: Profile, news: Topic, decide: Decide, at: Any, now: datetime
) -> None:
    decide(ada, "news", "denied")
    pages = []
    for month in range(6):
        moment = now + timedelta(days=30 * month)
        at(moment)
        html = client.get(urlsplit(links.preferences_url(ada, moment)).path).content.decode()
        assert re.search(r'name="news.email" value="denied" checked', html)
        assert 'role="alert"' not in html
        assert "<dialog" not in html
        pages.append(re.sub(r"v1\.[\w.-]+", "", html))
    assert len(set(pages)) == 1  # as calm after half a year as on the first day
    act = choosing.choose(ada, {}, seen="", may_agree=True, words=Wordings({}), now=now)
    assert not act.changed
