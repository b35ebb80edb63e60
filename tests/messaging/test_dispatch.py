"""The way of a message out of the house."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from messaging import dispatch
from messaging.models import Message, MessageState, Template
from profiles.models import Event, Profile
from tests.messaging.conftest import mails_in, state_of


def test_who_agreed_gets_the_mail_and_it_is_told_as_an_event(
    ada: Profile,
    write: Callable[..., Template],
    agree: Callable[..., None],
    queue: Callable[..., Message],
    folder: Path,
    now: datetime,
) -> None:
    write()
    agree(ada)
    message = queue(ada, journey="onboarding", step="hello")
    assert dispatch.tick(now) == 1
    sent = state_of(message.id)
    assert (sent.state, sent.reason, sent.sent_at) == (MessageState.SENT, "", now)
    (mail,) = mails_in(folder)
    assert mail["To"] == "ada@example.com"
    assert mail["Subject"] == sent.subject == "News for Ada"
    assert mail["Message-ID"] == sent.message_id == f"<{message.id}@example.com>"
    (event,) = Event.objects.filter(profile=ada, type__name="$message_sent")
    assert event.properties == {
        "message": str(message.id), "journey": "onboarding", "step": "hello", "template": "hello",
        "topic": "news", "channel": "email", "variant": "",
    }  # fmt: skip
    assert dispatch.tick(now + timedelta(days=1)) == 0


def test_who_said_nothing_is_not_written_to_and_the_reason_is_a_sentence(
    ben: Profile, write: Callable[..., Template], queue: Callable[..., Message], folder: Path, now: datetime
) -> None:
    write()
    message = queue(ben)
    dispatch.tick(now)
    held = state_of(message.id)
    assert (held.state, held.guardrail) == (MessageState.SUPPRESSED, "consent")
    assert held.reason == "Ben has not agreed to Product news by email."
    assert mails_in(folder) == []
