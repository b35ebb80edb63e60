"""Queueing and taking back."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Barrier, Thread
from uuid import uuid4

import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from consent.models import Topic
from foundation.errors import Invalid
from messaging import outbox
from messaging.models import Message, MessageState, Template
from messaging.outbox import Request
from profiles.models import Profile

Write = Callable[..., Template]


def request(profile: Profile, key: str, **fields: object) -> Request:
    return Request(**{"key": key, "profile_id": profile.id, "template": "hello", "channel": "email", **fields})  # type: ignore[arg-type]


def test_the_same_key_is_the_same_message_and_ids_come_in_order(
    ada: Profile, ben: Profile, write: Write, now: datetime
) -> None:
    write()
    first = outbox.enqueue([request(ada, "b"), request(ben, "a")], now=now)
    again = outbox.enqueue([request(ben, "a"), request(ada, "c"), request(ada, "b")], now=now + timedelta(hours=1))
    assert [again[0], again[2]] == [first[1], first[0]]
    assert Message.objects.count() == 3
    kept = Message.objects.get(id=first[0])
    assert (kept.profile, kept.state, kept.queued_at, kept.due_at) == (ada, MessageState.QUEUED, now, now)


def test_one_key_twice_in_one_call_is_one_message(ada: Profile, write: Write, now: datetime) -> None:
    write()
    first, second = outbox.enqueue([request(ada, "a"), request(ada, "a")], now=now)
    assert first == second


def test_what_a_request_says_is_on_the_message(ada: Profile, write: Write, now: datetime) -> None:
    write()
    enrollment = uuid4()
    (id,) = outbox.enqueue(
        [request(ada, "a", journey="j", enrollment=enrollment, step="s", variant="v", context={"event": {"x": "ä"}})],
        now=now,
    )
    message = Message.objects.get(id=id)
    assert (message.journey, message.enrollment, message.step, message.variant) == ("j", enrollment, "s", "v")
    assert message.context == {"event": {"x": "ä"}}
    assert message.topic.slug == "news"
    assert message.expires_at == now + timedelta(hours=48)
    assert not message.urgent


def test_transactional_messages_go_first_and_live_longer(
    ada: Profile, receipts: Topic, write: Write, now: datetime
) -> None:
    write("receipt", topic="receipts")
    (id,) = outbox.enqueue([request(ada, "a", template="receipt")], now=now)
    message = Message.objects.get(id=id)
    assert message.urgent
    assert message.expires_at == now + timedelta(days=5)


def test_what_cannot_be_queued_is_named_by_its_place(ada: Profile, write: Write, now: datetime) -> None:
    write()
    with pytest.raises(Invalid) as caught:
        outbox.enqueue(
            [request(ada, "a"), request(ada, "b", template="nope"), request(ada, "c", channel="sms")], now=now
        )
    assert [problem.path for problem in caught.value.problems] == ["[1].template", "[2].channel"]
    assert not Message.objects.exists()


def test_many_are_queued_in_a_few_statements(ada: Profile, write: Write, now: datetime) -> None:
    write()
    with CaptureQueriesContext(connections["default"]) as few:
        outbox.enqueue([request(ada, f"f{n}") for n in range(3)], now=now)
    with CaptureQueriesContext(connections["default"]) as many:
        outbox.enqueue([request(ada, f"m{n}") for n in range(500)], now=now)
    assert len(many) == len(few) <= 3
    assert Message.objects.count() == 503


def test_queueing_is_part_of_the_callers_transaction(ada: Profile, write: Write, now: datetime) -> None:
    write()
    with pytest.raises(RuntimeError), transaction.atomic():
        outbox.enqueue([request(ada, "a")], now=now)
        raise RuntimeError
    assert not Message.objects.exists()


def test_cancelling_stops_what_waits_and_nothing_else(ada: Profile, write: Write, now: datetime) -> None:
    write()
    mine, other = uuid4(), uuid4()
    ids = outbox.enqueue(
        [request(ada, f"{n}", enrollment=mine) for n in range(3)] + [request(ada, "o", enrollment=other)], now=now
    )
    Message.objects.filter(id=ids[1]).update(state=MessageState.DEFERRED)
    Message.objects.filter(id=ids[2]).update(state=MessageState.SENDING, sending_at=now)
    assert outbox.cancel([mine], reason="Ada reached the goal.", now=now) == 2
    assert outbox.cancel([mine], reason="Again.", now=now) == 0
    assert outbox.cancel([], reason="", now=now) == 0
    states = [Message.objects.get(id=id) for id in ids]
    assert [message.state for message in states] == ["suppressed", "suppressed", "sending", "queued"]
    assert (states[0].reason, states[0].guardrail, states[0].ended_at) == ("Ada reached the goal.", "wanted", now)


def test_many_who_queue_the_same_at_once_queue_it_once(transactional_db: None, now: datetime) -> None:
    from messaging import templates
    from tests.messaging.conftest import BLOCKS

    Topic.objects.create(slug="news", name="News", description="", purpose="", channels=["email"])
    templates.save("hello", name="Hello", channel="email", topic="news", subject="S", blocks=BLOCKS, now=now)
    ada = Profile.objects.create(external_id="ada", first_seen_at=now, last_seen_at=now)
    together, found = Barrier(6), []

    def put(n: int) -> None:
        keys = [f"k{m}" for m in range(40)]
        together.wait()
        found.append(set(outbox.enqueue([request(ada, key) for key in (keys if n % 2 else keys[::-1])], now=now)))
        connections.close_all()

    threads = [Thread(target=put, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Message.objects.count() == 40
    assert len(found) == 6
    assert all(ids == found[0] for ids in found)
