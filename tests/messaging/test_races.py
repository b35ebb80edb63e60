"""CO-09: an opt-out that committed before the intent is never sent, however the two fall together."""

import os
import random
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction

from consent import ledger, states
from consent.ledger import Choice
from messaging import dispatch
from messaging.models import Message, MessageState, Template
from profiles import erasing, merging
from profiles.merging import Pair
from profiles.models import Profile
from tests.messaging.sink import Sink

Write = Callable[..., Template]
Agree = Callable[..., None]
Queue = Callable[..., Message]
Person = Callable[..., Profile]
# Each of 40 people has an opt-out that races the intent. Five rounds find a broken lock, which loses in each of them;
# CAIRN_ROUNDS=25 makes a thousand of it.
ROUNDS, EACH = int(os.environ.get("CAIRN_ROUNDS", "5")), 40


def _refuse(profile: Profile, now: datetime) -> None:
    choice = Choice(profile_id=profile.id, topic="news", channel="email", state="denied", source="one_click")
    ledger.record([choice], now=now)


def _at_once(*works: Callable[[], Any]) -> None:
    errors: list[BaseException] = []
    together = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> None:
        try:
            together.wait()
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_co_09_an_opt_out_before_the_intent_is_never_sent(
    transactional_db: None,
    person: Person,
    write: Write,
    agree: Agree,
    queue: Queue,
    sink: Sink,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each side notes the moment that its commit had come back; a send whose intent began after that is a breach."""
    write()
    chance = random.Random(9)
    committed: dict[str, float] = {}
    begun: dict[str, float] = {}
    real = states.lock

    def lock(keys: Any, **kwargs: Any) -> Any:
        # Before the lock is asked for: whoever is committed by now must be seen.
        began = time.monotonic()
        begun.update({str(profile): began for profile, _, _ in keys})
        return real(keys, **kwargs)

    monkeypatch.setattr(states, "lock", lock)
    sent_after, both = 0, set()
    for round in range(ROUNDS):
        people = [person(f"r{round}-{n}", email=f"r{round}-{n}@example.com") for n in range(EACH)]
        agree(*people)
        for one in people:
            queue(one)

        def opt_out(people: list[Profile] = people) -> None:
            for one in chance.sample(people, len(people)):
                _refuse(one, now + timedelta(seconds=1))
                committed[str(one.id)] = time.monotonic()
                time.sleep(chance.choice([0, 0, 0, 0.0005]))

        def send(wait: float = chance.uniform(0, 0.25)) -> None:
            time.sleep(wait)
            dispatch.tick(now)

        _at_once(opt_out, send, send)
        for message in Message.objects.filter(profile__in=people):
            refused, asked = committed[str(message.profile_id)], begun[str(message.profile_id)]
            if message.state == MessageState.SENT:
                sent_after += refused < asked
            else:
                assert (message.state, message.guardrail) == (MessageState.SUPPRESSED, "consent"), message.reason
            both.add(message.state)
    assert sent_after == 0
    assert both == {MessageState.SENT, MessageState.SUPPRESSED}  # else nothing was raced
    assert set(sink.count_by_id.values()) == {1}


def test_co_09_an_opt_out_waits_for_an_intent_that_is_being_committed(
    transactional_db: None, ada: Profile, write: Write, agree: Agree, queue: Queue, now: datetime
) -> None:
    write()
    agree(ada)
    queue(ada)
    claims = dispatch._claim(now)
    order: list[str] = []

    def opt_out() -> None:
        _refuse(ada, now + timedelta(seconds=1))
        order.append("refused")
        connections.close_all()

    with transaction.atomic():
        letters = dispatch._intend(claims, now)
        other = threading.Thread(target=opt_out)
        other.start()
        other.join(0.5)
        assert other.is_alive()  # it waits for us
        order.append("intended")
    other.join(5)
    assert order == ["intended", "refused"]
    assert len(letters) == 1


def test_co_09_an_intent_waits_for_an_opt_out_that_is_being_committed(
    transactional_db: None, ada: Profile, write: Write, agree: Agree, queue: Queue, now: datetime, sink: Sink
) -> None:
    write()
    agree(ada)
    message = queue(ada)
    done = []

    def send() -> None:
        done.append(dispatch.tick(now))
        connections.close_all()

    with transaction.atomic():
        _refuse(ada, now + timedelta(seconds=1))
        other = threading.Thread(target=send)
        other.start()
        other.join(0.5)
        assert other.is_alive()
    other.join(5)
    assert Message.objects.get(id=message.id).state == MessageState.SUPPRESSED
    assert sink.mails == []


def test_fm_34_merges_erasures_and_sends_at_once_lose_and_double_nothing(
    transactional_db: None, person: Person, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime
) -> None:
    write()
    known = [person(f"k{n}", email=f"k{n}@example.com") for n in range(30)]
    strangers = [person(email=f"s{n}@example.com") for n in range(30)]
    leaving = [person(f"l{n}", email=f"l{n}@example.com") for n in range(30)]
    agree(*known, *strangers, *leaving)
    for one in (*known, *strangers, *leaving):
        queue(one)

    def merge() -> None:
        for survivor, absorbed in zip(known, strangers, strict=True):
            for _ in range(5):
                try:
                    with transaction.atomic():
                        merging.merge([Pair(survivor.id, absorbed.id)], reason="test", now=now)
                    break
                except Exception:  # a tie that PostgreSQL ended at our cost
                    time.sleep(0.01)

    def erase() -> None:
        for one in leaving:
            erasing.erase(one, now=now)

    def send() -> None:
        dispatch.tick(now)

    _at_once(merge, erase, send, send)
    at = now
    for _ in range(5):
        at += timedelta(minutes=6)
        dispatch.tick(at)
    assert Message.objects.count() == 90
    assert set(Message.objects.values_list("state", flat=True)) <= {"sent", "suppressed"}
    assert set(sink.count_by_id.values()) == {1}
    assert Message.objects.filter(profile=None).count() == 30
    assert Message.objects.filter(profile__in=known).count() == 60
    assert not Message.objects.filter(profile=None, address__gt="").exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM messaging_message WHERE messaging_message::text LIKE '%l1@example.com%'")
        assert cursor.fetchone() == (0,)
