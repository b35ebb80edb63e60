"""Double opt-in: a yes that counts once the person confirmed it, and that no program confirms for them."""

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
from rest_framework.test import APIClient

from consent import links, optins, states, suppression, tasks, topics
from consent.ledger import Outcome
from consent.models import ConsentEvidence, ConsentRecord, OptIn, Suppression, Topic, Wording
from foundation import clock, registry
from messaging import dispatch
from messaging.models import Message
from profiles import merging
from profiles.models import Event, Profile
from staff import keys
from staff.models import Key

Decide = Callable[..., Outcome]
At = Callable[[datetime], None]


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> At:
    def at(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    at(now)
    return at


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    return tmp_path


@pytest.fixture
def letter(news: Topic) -> Topic:
    """A topic whose yes is to be confirmed."""
    news.double_opt_in = True
    news.save()
    return news


def mails(folder: Path) -> list[EmailMessage]:
    return [
        message_from_bytes(text, policy=policy.default)
        for path in sorted(folder.iterdir())
        for text in path.read_bytes().split(b"-" * 79 + b"\n")
        if text.strip()
    ]


def link_in(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body
    found = re.search(r"https?://\S+/confirm/\S+", body.get_content())
    assert found
    return urlsplit(found[0]).path


def say_yes(client: Client, profile: Profile, now: datetime) -> Any:
    path = urlsplit(links.preferences_url(profile, now)).path
    return client.post(path, {"do": "save", "seen": "", "news.email": "granted"})


def state_of(profile: Profile) -> str | None:
    found = states.of([profile.id], "news", "email").get(profile.id)
    return found.state if found else None


def test_CO28_a_yes_is_asked_for_mailed_and_counts_once_it_is_confirmed(
    client: Client, ada: Profile, letter: Topic, at: At, now: datetime, folder: Path
) -> None:
    answer = say_yes(client, ada, now).content.decode()
    assert "We have mailed you a link." in answer
    assert "You asked for it on Nov. 24, 2026." in answer
    assert state_of(ada) is None
    assert not ConsentRecord.objects.exists()
    event = Event.objects.get(type__name="$opt_in_requested")
    assert (event.profile_id, event.properties["topic"]) == (ada.id, "news")
    dispatch.tick(now)
    (mail,) = mails(folder)
    assert (mail["To"], mail["Subject"]) == ("ada@example.com", "Please confirm")
    assert b"<img" not in mail.as_bytes()
    at(now + timedelta(hours=5))
    page = client.post(link_in(mail), {"do": "confirm"})
    assert "Confirmed. You get from now on:" in page.content.decode()
    assert state_of(ada) == "granted"
    row = ConsentRecord.objects.get()
    proof = ConsentEvidence.objects.get(record=row.id).data
    assert row.source == "double_opt_in"
    assert (proof["asked_control"], proof["control"]) == ("Save", "Confirm")
    assert (proof["asked_at"], proof["confirmed_at"]) == (now.isoformat(), (now + timedelta(hours=5)).isoformat())
    assert Wording.objects.get(digest=row.wording).text.startswith("Product news (Email): Yes.")


def test_CO28_programs_that_follow_every_link_change_nothing(
    client: Client, ada: Profile, letter: Topic, at: At, now: datetime, folder: Path
) -> None:
    say_yes(client, ada, now)
    dispatch.tick(now)
    path = link_in(mails(folder)[0])
    for _ in range(50):
        page = client.get(path, headers={"user-agent": "Scanner/1"})
        client.head(path)
    assert page.content.decode().count("<button") == 1
    assert state_of(ada) is None
    client.post(path)  # without the button's name, as a program might try
    assert state_of(ada) is None
    assert OptIn.objects.get().confirmed_at is None


def test_CO28_once_more_it_says_that_it_is_confirmed_and_adds_nothing(
    client: Client, ada: Profile, letter: Topic, at: At, now: datetime, folder: Path
) -> None:
    say_yes(client, ada, now)
    dispatch.tick(now)
    path = link_in(mails(folder)[0])
    for _ in range(2):
        page = client.post(path, {"do": "confirm"})
    assert "This is confirmed already." in page.content.decode()
    assert "This is confirmed already." in client.get(path).content.decode()
    assert ConsentRecord.objects.count() == 1


def test_TK04_the_link_works_for_seven_days(
    client: Client, ada: Profile, letter: Topic, at: At, now: datetime, folder: Path
) -> None:
    say_yes(client, ada, now)
    dispatch.tick(now)
    path = link_in(mails(folder)[0])
    at(now + timedelta(days=7, seconds=1))
    page = client.post(path, {"do": "confirm"})
    assert (page.status_code, state_of(ada)) == (410, None)
    at(now + timedelta(days=7, seconds=-1))
    assert client.post(path, {"do": "confirm"}).status_code == 200
    assert state_of(ada) == "granted"


def test_CO28_the_same_is_mailed_twice_at_most(
    client: Client, ada: Profile, letter: Topic, at: At, now: datetime
) -> None:
    for n in range(11):
        at(now + timedelta(hours=n))
        assert "We have mailed you a link." in say_yes(client, ada, now).content.decode()
    assert Message.objects.count() == 2
    assert OptIn.objects.count() == 1
    assert Event.objects.filter(type__name="$opt_in_requested").count() == 1


def test_a_no_that_came_after_the_request_stands(
    client: Client, ada: Profile, letter: Topic, decide: Decide, at: At, now: datetime, folder: Path
) -> None:
    say_yes(client, ada, now)
    dispatch.tick(now)
    decide(ada, "news", "denied", now=now + timedelta(hours=1))
    at(now + timedelta(hours=2))
    page = client.post(link_in(mails(folder)[0]), {"do": "confirm"}).content.decode()
    assert "you have said no to some of it" in page
    assert state_of(ada) == "denied"


def test_a_no_that_came_before_is_overturned_by_confirming(
    client: Client, ada: Profile, letter: Topic, decide: Decide, at: At, now: datetime, folder: Path
) -> None:
    decide(ada, "*", "denied", channel="*", now=now - timedelta(days=1))
    seen = f"{ada.subjects.get().ref}:1"
    path = urlsplit(links.preferences_url(ada, now)).path
    client.post(path, {"do": "save", "seen": seen, "news.email": "granted"})
    assert state_of(ada) == "denied"
    dispatch.tick(now)
    client.post(link_in(mails(folder)[0]), {"do": "confirm"})
    assert state_of(ada) == "granted"


def test_who_agreed_before_the_topic_asked_for_it_stays_as_they_are(
    client: Client, ada: Profile, letter: Topic, decide: Decide, at: At, now: datetime
) -> None:
    decide(ada, "news", "granted", source="import")
    assert state_of(ada) == "granted"
    say_yes(client, ada, now)
    assert not OptIn.objects.exists()


def test_without_an_address_there_is_nothing_to_confirm_by(
    client: Client, person: Callable[..., Profile], letter: Topic, at: At, now: datetime
) -> None:
    answer = say_yes(client, person("dan"), now)
    assert answer.status_code == 422
    assert "no email address of yours is known" in answer.content.decode()


def test_a_program_asks_for_it_and_is_told_so(
    ada: Profile, letter: Topic, decide: Decide, at: At, now: datetime
) -> None:
    _key, secret = keys.create("Shop", kind=Key.Kind.SECRET, scopes=["consent:write"], now=now)
    api = APIClient(headers={"authorization": f"Bearer {secret}"})
    proof = {"wording": "Yes, news!", "locale": "en", "at": now.isoformat(), "source": "checkout"}
    body = {"topic": "news", "channel": "email", "state": "granted", "evidence": proof}
    answer = api.put("/api/v1/profiles/ada/consent/", body, format="json")
    assert (answer.status_code, answer.json()["state"]) == (202, "requested")
    assert state_of(ada) is None
    optins.confirm(OptIn.objects.get().id, now=now)
    assert state_of(ada) == "granted"
    row = ConsentRecord.objects.get()
    assert ConsentEvidence.objects.get(record=row.id).data["asked_source"] == "checkout"
    assert Wording.objects.get(digest=row.wording).text == "Yes, news!"
    decide(ada, "news", "denied", now=now + timedelta(hours=1))
    refused = api.put("/api/v1/profiles/ada/consent/", {**body, "evidence": None}, format="json")
    assert refused.status_code == 409


def test_CO28_what_nobody_confirmed_is_gone_after_thirty_days(
    ada: Profile, ben: Profile, letter: Topic, now: datetime
) -> None:
    for one in (ada, ben):
        ask(one, now)
    optins.confirm(OptIn.objects.get(profile=ben).id, now=now)
    assert tasks.forget(now + timedelta(days=29)) == 0
    assert tasks.forget(now + timedelta(days=30)) == 2
    assert (state_of(ada), state_of(ben)) == (None, "granted")
    assert not OptIn.objects.exists()


def ask(profile: Profile, now: datetime) -> OptIn:
    wanted = [optins.Wanted("news", "email", "News, please.")]
    return optins.ask(profile, wanted, by=OptIn.By.FORM, locale="en", evidence={"page": "form"}, now=now)


def test_a_request_goes_with_whom_they_are_merged_into(
    ada: Profile, ben: Profile, letter: Topic, now: datetime
) -> None:
    asked = ask(ben, now)
    merging.merge([merging.Pair(ada.id, ben.id)], reason="The same.", now=now)
    assert optins.confirm(asked.id, now=now).granted == (("news", "email"),)
    assert state_of(ada) == "granted"


def test_ER02_who_was_erased_is_written_to_again_once_they_confirmed(
    person: Callable[..., Profile], letter: Topic, now: datetime, folder: Path
) -> None:
    suppression.add("email", "eve@example.com", Suppression.Reason.ERASED, now, Suppression.Scope.ALL)
    eve = person("eve-2", email="Eve@example.com")
    registry.mail_link.ask(eve)
    asked = ask(eve, now)
    dispatch.tick(clock.now())
    assert [mail["Subject"] for mail in mails(folder)] == ["Please confirm"]
    optins.confirm(asked.id, now=now)
    assert not Suppression.objects.exists()


def test_what_is_sent_whatever_they_choose_asks_for_no_confirmation(now: datetime, db: None) -> None:
    from foundation.errors import Invalid

    words = {"name": "A", "description": "A", "purpose": "A", "basis": "contract", "channels": ["email"]}
    with pytest.raises(Invalid, match="double_opt_in"):
        topics.save("a", **words, transactional=True, double_opt_in=True, now=now)  # type: ignore[arg-type]
