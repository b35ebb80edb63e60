"""What the house itself sends: to the person's own address, when they asked for it, and never much of it."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from consent import links, suppression
from consent.models import Preference, Suppression
from foundation import clock, registry
from messaging import dispatch, system, templates
from messaging.models import Message, MessageState, Template
from profiles.models import Profile


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> Callable[[datetime], None]:
    def at(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    at(now)
    return at


def mails(folder: Path) -> list[EmailMessage]:
    texts = [path.read_bytes().split(b"-" * 79)[0] for path in sorted(folder.iterdir())]
    return [message_from_bytes(text, policy=policy.default) for text in texts]


def page_of(mail: EmailMessage) -> str:
    """The path of the page that the mail links to."""
    body = mail.get_body(("plain",))
    assert body
    found = re.search(r"https?://\S+/preferences/\S+", body.get_content())
    assert found
    return urlsplit(found[0]).path


def test_TK06_an_old_link_gets_a_fresh_one_to_the_persons_own_address(
    ada: Profile, at: Callable[[datetime], None], now: datetime, folder: Path
) -> None:
    client = Client(enforce_csrf_checks=True)
    old = urlsplit(links.preferences_url(ada, now - timedelta(days=3))).path
    html = client.get(old).content.decode()
    assert "Send me a new link" in html
    assert "ada@example.com" not in html
    client.post(old, {"do": "link"})
    assert dispatch.tick(now) == 1
    (mail,) = mails(folder)
    assert mail["To"] == "ada@example.com"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] is None
    at(now + timedelta(hours=23))
    assert "ada@example.com" in client.get(page_of(mail)).content.decode()


def test_TK04_a_link_that_is_over_gets_a_new_one(
    ada: Profile, at: Callable[[datetime], None], now: datetime, folder: Path
) -> None:
    over = urlsplit(links.preferences_url(ada, now - timedelta(days=91))).path
    client = Client(enforce_csrf_checks=True)
    assert client.get(over).status_code == 410
    assert "A new link is on its way" in client.post(over, {"do": "link"}).content.decode()
    dispatch.tick(now)
    assert len(mails(folder)) == 1


def test_it_goes_to_who_stopped_everything_and_not_to_a_blocked_address(
    ada: Profile, ben: Profile, agree: Callable[..., None], at: Callable[[datetime], None], now: datetime, folder: Path
) -> None:
    agree(ada, topic="*", state="denied")
    suppression.add("email", "ben@example.com", Suppression.Reason.HARD_BOUNCE, now, Suppression.Scope.ALL)
    for one in (ada, ben):
        registry.mail_link.ask(one)
    dispatch.tick(now)
    assert [mail["To"] for mail in mails(folder)] == ["ada@example.com"]
    assert Message.objects.get(profile=ben).guardrail == "suppression"


@pytest.mark.parametrize(("language", "locale", "subject"), [("fr", "de", "Votre lien"), ("", "de_AT", "Ihr Link")])
def test_it_speaks_the_persons_language(
    person: Callable[..., Profile], now: datetime, folder: Path, language: str, locale: str, subject: str
) -> None:
    one = person("one", email="one@example.com", locale=locale)
    Preference.objects.create(profile=one, language=language)
    system.mail(one, "link", {}, now=now)
    dispatch.tick(now)
    assert [mail["Subject"] for mail in mails(folder)] == [subject]


def test_RL01_nobodys_inbox_is_filled(ada: Profile, ben: Profile, now: datetime) -> None:
    asked = [system.mail(ada, "link", {}, now=now + timedelta(seconds=n)) for n in range(11)]
    assert asked == [True] * 3 + [False] * 8
    assert system.mail(ben, "link", {}, now=now)
    assert system.mail(ada, "link", {}, now=now + timedelta(hours=1, seconds=3))
    assert Message.objects.filter(profile=ada).count() == 4


def test_what_staff_reworded_stays_reworded(ada: Profile, ben: Profile, now: datetime) -> None:
    system.mail(ada, "link", {}, now=now)
    blocks: Any = [{"kind": "button", "text": "Here", "href": "{{ links.preferences }}"}]
    templates.save(
        "house-link-en", name="Link", channel="email", topic=system.TOPIC, subject="Here", blocks=blocks, now=now
    )
    system.mail(ben, "link", {}, now=now)
    version = Template.objects.get(slug="house-link-en").version
    assert version is not None
    assert (version.number, version.subject) == (2, "Here")


# ── The last messages, and why each came ─────────────────────────────────────────────────────────────────────────────


def test_the_page_shows_the_last_messages_and_why_each_came(
    ada: Profile,
    write: Callable[..., Template],
    queue: Callable[..., Message],
    agree: Callable[..., None],
    at: Callable[[datetime], None],
    now: datetime,
    folder: Path,
) -> None:
    write()
    agree(ada, at=now - timedelta(days=9))
    message = queue(ada, journey="first-steps")
    dispatch.tick(now)
    message.refresh_from_db()
    assert message.state == MessageState.SENT
    # What they say afterwards does not change why it came then.
    agree(ada, state="denied", at=now)
    fresh = Client().get(urlsplit(links.preferences_url(ada, now)).path).content.decode()
    assert "Your last messages, and why you got them" in fresh
    assert "News for Ada" in fresh
    assert "You said yes here on Nov. 15, 2026. It is part of: First steps." in fresh
    old = Client().get(urlsplit(links.preferences_url(ada, now - timedelta(days=2))).path).content.decode()
    assert "News for Ada" not in old
    assert "You said yes here on Nov. 15, 2026." in old


def test_nothing_is_shown_of_what_did_not_go_out(
    ada: Profile, write: Callable[..., Template], queue: Callable[..., Message], now: datetime, folder: Path
) -> None:
    write()
    queue(ada)
    dispatch.tick(now)
    assert not any(registry.panels.ask(ada, "messages"))
    assert not any(registry.panels.ask(ada, "elsewhere"))
