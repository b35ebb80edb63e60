"""Mail as it goes over the wire, and what each answer of a mail server means."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from consent import preferences
from consent.models import Suppression, Topic
from messaging import brands, dispatch, foot
from messaging.channels.email import mail_of
from messaging.delivery import Letter
from messaging.models import Message, MessageState, Template
from profiles.models import Event, Profile
from tests.messaging.conftest import state_of
from tests.messaging.sink import Sink

Write = Callable[..., Template]
Agree = Callable[..., None]
Queue = Callable[..., Message]


@pytest.fixture
def message(ada: Profile, write: Write, agree: Agree, queue: Queue) -> Message:
    """A message to Ada that nothing holds back."""
    write()
    agree(ada)
    return queue(ada)


def test_un_01_un_09_marketing_says_how_to_get_no_more_with_one_click(
    message: Message, sink: Sink, now: datetime, client: Any, ada: Profile
) -> None:
    dispatch.tick(now)
    (mail,) = sink.mails
    (unsubscribe,) = re.findall(r"<(https?://[^>]+)>", str(mail["List-Unsubscribe"]))
    assert mail.get_all("List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"]
    assert len(mail.get_all("List-Unsubscribe") or []) == 1
    assert mail["List-Id"] == "<news.example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    # And the link does what it says.
    answer = client.post(unsubscribe.removeprefix("http://127.0.0.1:8000"), {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert ada.consents.get(topic="news", channel="email").state == "denied"


def test_un_09_transactional_mail_has_no_unsubscribe_header_and_no_such_link(
    ada: Profile, receipts: Topic, write: Write, queue: Queue, sink: Sink, now: datetime
) -> None:
    write("receipt", topic="receipts")
    queue(ada, "receipt")
    dispatch.tick(now)
    (mail,) = sink.mails
    assert [name for name in mail if name.lower().startswith("list-")] == []
    assert mail["Precedence"] is None
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Unsubscribe" not in text
    assert "Choose what you get: http" in text


def test_em_01_em_02_the_mail_is_well_formed_text_first_and_html_last(
    message: Message, sink: Sink, now: datetime
) -> None:
    brands.save(postal_address="Cairn\nSome Street 1\nSome Town", now=now)
    dispatch.tick(now)
    (mail,) = sink.mails
    assert mail.defects == []
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    for name in ("From", "Date", "Message-ID", "Subject", "To", "MIME-Version"):
        assert len(mail.get_all(name) or []) == 1, name
    assert max(len(line) for line in sink.raw[0].split(b"\r\n")) <= 998
    for kind in ("plain", "html"):
        content = mail.get_body((kind,)).get_content()  # type: ignore[union-attr]
        assert "Some Street 1" in content
        assert "/unsubscribe/" in content
        assert "/preferences/" in content
        assert "you agreed to Product news by email" in content


def test_em_03_the_message_id_is_the_same_on_every_try(message: Message, sink: Sink, now: datetime) -> None:
    sink.reply = lambda stage, address: "451 4.3.0 not now" if stage == "data" else None
    dispatch.tick(now)
    first = state_of(message.id)
    assert (first.state, first.attempts) == (MessageState.DEFERRED, 1)
    brands.save(sender_address="news@elsewhere.example", now=now)
    sink.reply = lambda stage, address: None
    dispatch.tick(first.due_at)
    second = state_of(message.id)
    assert second.state == MessageState.SENT
    assert second.message_id == first.message_id == sink.mails[0]["Message-ID"]
    assert sink.mails[0]["From"] == "Cairn <news@elsewhere.example>"


def test_em_04_feedback_ids_name_no_person(message: Message, sink: Sink, now: datetime) -> None:
    dispatch.tick(now)
    feedback = str(sink.mails[0]["Feedback-ID"])
    assert feedback == "c-hello:s-news:examplecom"
    fields = feedback.split(":")
    assert len(fields) <= 4
    assert len(set(fields)) == len(fields)
    assert re.fullmatch(r"[a-z0-9]{5,15}", fields[-1])
    assert str(message.id) not in feedback


@pytest.mark.parametrize("name", ["Eve\r\nBcc: all@example.com", "Eve\nX: y", "Eve\0"])
def test_em_06_a_line_break_in_a_subject_fails_that_message_and_no_other(
    name: str,
    person: Callable[..., Profile],
    ada: Profile,
    write: Write,
    agree: Agree,
    queue: Queue,
    sink: Sink,
    now: datetime,
) -> None:
    if "\0" in name:  # PostgreSQL keeps no NUL: such a name can come by the context alone, and there as text
        name = "Eve\x0b\rBcc: all@example.com"
    eve = person("eve", email="eve@example.com", first_name=name)
    write()
    agree(ada, eve)
    bad, good = queue(eve), queue(ada)
    dispatch.tick(now)
    assert state_of(bad.id).state == MessageState.FAILED
    assert "line break" in state_of(bad.id).reason
    assert state_of(good.id).state == MessageState.SENT
    assert [mail["To"] for mail in sink.mails] == ["ada@example.com"]


def test_em_06_separators_of_unicode_become_spaces(
    person: Callable[..., Profile], write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime
) -> None:
    eve = person("eve", email="eve@example.com", first_name="Eve\u2028One\u2029Two\x85Three")
    write()
    agree(eve)
    queue(eve)
    dispatch.tick(now)
    assert sink.mails[0]["Subject"] == "News for Eve One Two Three"


@pytest.mark.parametrize(
    ("reply", "state", "blocked"),
    [
        ("550 5.1.1 no such user", MessageState.BOUNCED, True),
        ("550 No such user here", MessageState.BOUNCED, True),
        ("550 5.7.1 we do not like you", MessageState.FAILED, False),
        ("552 5.2.2 mailbox full", MessageState.FAILED, False),
        ("550 4.2.2 mailbox full", MessageState.DEFERRED, False),
        ("450 4.2.0 try later", MessageState.DEFERRED, False),
        ("421 4.3.2 closing", MessageState.DEFERRED, False),
    ],
)
def test_bo_what_a_server_answers_about_an_address_decides_what_becomes_of_it(
    reply: str, state: str, blocked: bool, message: Message, sink: Sink, now: datetime, ada: Profile
) -> None:
    sink.reply = lambda stage, address: reply if stage == "rcpt" else None
    dispatch.tick(now)
    found = state_of(message.id)
    assert found.state == state
    assert reply[:3] in found.reason
    assert Suppression.objects.exists() == blocked
    assert Event.objects.filter(profile=ada, type__name="$message_bounced").exists() == blocked
    assert sink.mails == []


def test_one_refusal_does_not_cost_the_others_of_the_batch_their_connection(
    person: Callable[..., Profile], write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime
) -> None:
    people = [person(f"p{n}", email=f"p{n}@example.com") for n in range(6)]
    write()
    agree(*people)
    queued = [queue(one) for one in people]
    sink.reply = lambda stage, address: "550 5.1.1 gone" if stage == "rcpt" and address == "p2@example.com" else None
    dispatch.tick(now)
    states = [state_of(message.id).state for message in queued]
    assert states == ["sent", "sent", "bounced", "sent", "sent", "sent"]
    assert sink.connections == 1


@pytest.mark.parametrize("point", ["mail", "rcpt", "data"])
def test_a_line_that_breaks_before_the_mail_was_said_is_tried_again(
    point: str, message: Message, sink: Sink, now: datetime
) -> None:
    sink.cut_at, sink.cuts_left = point, 1
    dispatch.tick(now)
    found = state_of(message.id)
    assert found.state == MessageState.DEFERRED
    assert "before the mail was handed over" in found.reason
    dispatch.tick(found.due_at)
    assert state_of(message.id).state == MessageState.SENT
    assert len(sink.mails) == 1


@pytest.mark.parametrize(("point", "arrived"), [("body", 0), ("reply", 1)])
def test_fm_04_a_line_that_breaks_after_the_mail_was_said_leaves_it_unknown(
    point: str, arrived: int, message: Message, sink: Sink, now: datetime
) -> None:
    sink.cut_at = point
    dispatch.tick(now)
    found = state_of(message.id)
    assert found.state == MessageState.UNKNOWN
    assert "may have arrived" in found.reason
    sink.cut_at = ""
    for days in range(5):
        dispatch.tick(now + timedelta(days=days))
        dispatch.reap(now + timedelta(days=days))
    assert len(sink.mails) == arrived


def test_fm_04_what_is_needed_is_sent_again_under_the_same_name(
    ada: Profile, receipts: Topic, write: Write, queue: Queue, sink: Sink, now: datetime
) -> None:
    write("receipt", topic="receipts")
    message = queue(ada, "receipt")
    sink.cut_at, sink.cuts_left = "reply", 1
    dispatch.tick(now)
    again = state_of(message.id)
    assert again.state == MessageState.DEFERRED
    dispatch.tick(again.due_at)
    assert state_of(message.id).state == MessageState.SENT
    assert sink.count_by_id == {again.message_id: 2}


def test_a_server_that_is_away_burns_no_tries_and_says_so(
    person: Callable[..., Profile], write: Write, agree: Agree, queue: Queue, now: datetime, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    people = [person(f"p{n}", email=f"p{n}@example.com") for n in range(dispatch.BATCH + 5)]
    write()
    agree(*people)
    for one in people:
        queue(one)
    assert dispatch.tick(now) == dispatch.BATCH  # and then it stops: the next would fare no better
    deferred = Message.objects.filter(state=MessageState.DEFERRED)
    assert deferred.count() == dispatch.BATCH
    assert all("could not be reached" in message.reason for message in deferred)
    assert Message.objects.filter(state=MessageState.QUEUED, attempts=0).count() == 5


def test_em_10_tries_come_later_and_later_and_never_together(message: Message, sink: Sink, now: datetime) -> None:
    sink.reply = lambda stage, address: "451 4.3.0 not now"
    waits, at = [], now
    for _ in range(9):
        dispatch.tick(at)
        found = state_of(message.id)
        waits.append((found.due_at - at).total_seconds())
        at = found.due_at
    for n, wait in enumerate(waits):
        assert 1 <= wait <= min(30 * 2**n, 3600)
    assert len(set(waits)) > 5


def test_em_10_a_mail_that_is_stale_is_dropped_and_not_sent_late(message: Message, sink: Sink, now: datetime) -> None:
    sink.reply = lambda stage, address: "451 4.3.0 not now"
    at = now
    while (found := state_of(message.id)).state in (MessageState.QUEUED, MessageState.DEFERRED):
        at = max(at, found.due_at)
        dispatch.tick(at)
    assert found.state == MessageState.EXPIRED
    assert at == now + timedelta(hours=48)
    assert "could not go out within 2 days" in found.reason
    assert "451 4.3.0 not now" in found.reason
    assert sink.mails == []


_WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=2_000)


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(subject=_WORDS.map(lambda text: " ".join(text.split())[:900] or "x"), text=_WORDS, name=st.text(max_size=40))
def test_em_01_whatever_is_said_makes_a_mail_without_defects(subject: str, text: str, name: str) -> None:
    from email import policy
    from email.parser import BytesParser
    from uuid import UUID

    from messaging.models import Brand
    from messaging.rendering import sender

    letter = Letter(
        id=UUID(int=1),
        channel="email",
        message_id="<1@example.com>",
        sender=sender(Brand(sender_name=name, sender_address="hello@example.com")),
        address="ada@bücher.example",
        subject=subject,
        html=f"<p>{text}</p>",
        text=text,
        headers={"List-Unsubscribe": "<https://example.com/" + "u" * 200 + "/>"},
    )
    message: Any = mail_of(letter).message()
    raw: bytes = message.as_bytes(linesep="\r\n")
    mail = BytesParser(policy=policy.default).parsebytes(raw)
    assert mail.defects == []
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert mail["To"] == "ada@xn--bcher-kva.example"
    assert len(mail.get_all("From") or []) == 1
    assert f"\r\nList-Unsubscribe: {letter.headers['List-Unsubscribe']}\r\n".encode() in raw


@pytest.mark.parametrize(
    ("locale", "chosen", "words"),
    [
        (None, "", ("Choose what you get", "Unsubscribe", "because you agreed to Product news by email.")),
        ("de-AT", "", ("Wählen Sie, was Sie bekommen", "Abbestellen", "weil Sie Product news per E-Mail zugestimmt")),
        ("de-AT", "fr", ("Choisissez ce que vous recevez", "Se désabonner", "avez accepté Product news par e-mail.")),
        ("fr", "en", ("Choose what you get", "Unsubscribe", "because you agreed")),
        ("es_MX", "", ("Elija lo que recibe", "Darse de baja", "aceptó Product news por correo electrónico.")),
        ("tlh", "", ("Choose what you get", "Unsubscribe", "because you agreed")),
    ],
)
def test_the_foot_is_in_the_language_that_the_person_chose_else_that_of_their_profile(
    locale: str | None, chosen: str, words: tuple[str, ...], ada: Profile, write: Write, agree: Agree, queue: Queue,
    folder: Path, now: datetime,
) -> None:  # fmt: skip
    write()
    agree(ada)
    Profile.objects.filter(id=ada.id).update(locale=locale)
    preferences.save(ada.id, now=now, language=chosen)
    queue(ada)
    dispatch.tick(now)
    (message,) = Message.objects.all()
    for said in words:
        assert said in message.html
        assert said in message.text


def test_the_foot_exists_in_every_language_of_the_preference_page_and_for_every_basis(settings: Any) -> None:
    assert set(foot.FEET) == {code for code, _ in settings.LANGUAGES}
    for one in foot.FEET.values():
        assert set(one.whys) == set(Topic.Basis)
        assert all("{brand}" in why and "{topic}" in why for why in one.whys.values())
