"""The channel `webhook`: signed, to a program that listens, and told apart by what it answers."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from messaging import dispatch, wiring
from messaging.models import MessageState
from profiles.models import Profile
from tests.messaging import by_channel
from tests.receiving import Receiver, is_signed, receiving

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver(settings: Any, now: datetime) -> Iterator[Receiver]:
    """A program that listens, and that the channel is set up for."""
    with receiving() as found:
        settings.OUTGOING_HOSTS = [found.host]
        wiring.save("webhook", {"url": found.url}, now=now)
        yield found


def test_ss_02_a_message_is_posted_signed_and_under_its_own_id(ada: Profile, receiver: Receiver, now: datetime) -> None:
    blocks = [{"kind": "text", "text": "Hi {{ profile.first_name }}, [look](https://example.com/x)."}]
    message = by_channel.said(ada, "webhook", now, subject="Hello", blocks=blocks)
    assert message.state == MessageState.SENT
    (came,) = receiver.received
    assert is_signed(came, wiring.made("webhook", "secret"))
    assert came.headers["webhook-id"] == str(message.id)
    body = json.loads(came.body)
    assert body["to"] == "ada"
    assert (body["type"], body["subject"], body["topic"]) == ("message.send", "Hello", "care-webhook")
    assert body["text"] == "Hi Ada, look (https://example.com/x)."
    assert body["html"].startswith('<p>Hi Ada, <a href="https://example.com/x"')
    assert "/unsubscribe/" in body["unsubscribe"]


def test_ss_02_while_a_secret_is_renewed_both_verify(ada: Profile, receiver: Receiver, now: datetime) -> None:
    old = wiring.made("webhook", "secret")
    wiring.renew("webhook", "secret", now=datetime.now(now.tzinfo))
    by_channel.said(ada, "webhook", now, subject="Hello")
    (came,) = receiver.received
    assert is_signed(came, old)
    assert is_signed(came, wiring.made("webhook", "secret"))


@pytest.mark.parametrize(
    ("status", "state"),
    [(204, MessageState.SENT), (503, MessageState.DEFERRED), (422, MessageState.FAILED), (500, MessageState.DEFERRED)],
)
def test_what_the_program_answers_decides(
    status: int, state: MessageState, ada: Profile, receiver: Receiver, now: datetime
) -> None:
    receiver.says(status)
    message = by_channel.said(ada, "webhook", now, subject="Hello")
    assert message.state == state
    assert not message.reason or str(status) in message.reason


def test_what_is_in_doubt_is_sent_again_under_the_same_id(ada: Profile, receiver: Receiver, now: datetime) -> None:
    receiver.says(500, 200)
    message = by_channel.said(ada, "webhook", now, subject="Hello")
    assert "takes it once, by its id" in message.reason
    dispatch.tick(message.due_at)
    message.refresh_from_db()
    assert message.state == MessageState.SENT
    assert len({came.headers["webhook-id"] for came in receiver.received}) == 1
    assert len(receiver.received) == 2


def test_ss_01_nothing_goes_to_a_place_that_is_not_public(
    ada: Profile, receiver: Receiver, now: datetime, settings: Any
) -> None:
    settings.OUTGOING_HOSTS = []
    settings.OUTGOING_HTTP = True
    message = by_channel.said(ada, "webhook", now, subject="Hello")
    assert message.state == MessageState.FAILED
    assert receiver.received == []


def test_a_test_is_posted_and_says_that_it_is_one(receiver: Receiver, now: datetime) -> None:
    wiring.test("webhook", "", now=now)
    (came,) = receiver.received
    assert json.loads(came.body)["test"] is True


def test_somebody_without_an_id_of_yours_is_not_handed_over(
    person: Callable[..., Profile], receiver: Receiver, now: datetime
) -> None:
    message = by_channel.said(person(), "webhook", now, subject="Hello")
    assert (message.state, message.guardrail) == (MessageState.SUPPRESSED, "address")
