"""Kill a worker at any moment: nothing is lost, nothing is sent twice, and what nobody knows is said to be so."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage

import pytest
from django.db import connection

from consent.models import Topic
from messaging import dispatch
from messaging.models import Message, MessageState, Template
from messaging.outcomes import LEASE
from profiles.models import Event, Profile
from tests.messaging.sink import Sink

Write = Callable[..., Template]
Agree = Callable[..., None]
Queue = Callable[..., Message]
Person = Callable[..., Profile]
pytestmark = [pytest.mark.crash]
ROUNDS = 3


class Worker:
    """A real process that dispatches, ready when this returns."""

    def __init__(self, sink: Sink, now: datetime, rounds: int = 1) -> None:
        database = str(connection.settings_dict["NAME"])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.messaging.worker", database, str(sink.port), now.isoformat(), str(rounds)],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)

    def ended(self) -> int:
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.mark.parametrize("needed", [False, True])
def test_fm_04_a_worker_killed_while_the_server_has_the_mail_leaves_it_unknown_and_never_sends_two(
    needed: bool,
    transactional_db: None,
    person: Person,
    receipts: Topic,
    write: Write,
    agree: Agree,
    queue: Queue,
    sink: Sink,
    now: datetime,
) -> None:
    people = [person(f"p{n}", email=f"p{n}@example.com") for n in range(4)]
    write(topic="receipts" if needed else "news")
    agree(*people)
    for one in people:
        queue(one)
    running: list[Worker] = []

    def kill_at_the_second(mail: EmailMessage) -> None:
        if len(sink.raw) == 2:
            while not running:
                time.sleep(0.01)
            running[0].kill()

    sink.on_mail = kill_at_the_second
    running.append(Worker(sink, now))
    assert running[0].ended() == -signal.SIGKILL
    assert len(sink.raw) == 2
    assert set(Message.objects.values_list("state", flat=True)) == {MessageState.SENDING}

    assert dispatch.reap(now + LEASE) == 4
    at = now + LEASE
    for _ in range(4):
        at += timedelta(hours=1)
        dispatch.tick(at)
        dispatch.reap(at)
    states = set(Message.objects.values_list("state", flat=True))
    if needed:  # sent again, under the same name: the other side can tell
        assert states == {MessageState.SENT}
        assert sorted(sink.count_by_id.values()) == [1, 1, 2, 2]
    else:
        assert states == {MessageState.UNKNOWN}
        assert sorted(sink.count_by_id.values()) == [1, 1]
        reasons = set(Message.objects.values_list("reason", flat=True))
        assert reasons == {
            "The worker that was sending it by email died before it could say what became of it."
            " It may have arrived, so it is not sent again on its own."
        }


def test_fm_08_workers_killed_at_random_lose_nothing_and_double_nothing(
    transactional_db: None, person: Person, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime
) -> None:
    chance = random.Random(8)
    people = [person(f"p{n}", email=f"p{n}@example.com") for n in range(120)]
    write()
    agree(*people)
    for one in people:
        queue(one)
    at = now
    for _ in range(ROUNDS):
        workers = [Worker(sink, at, rounds=1_000) for _ in range(2)]
        time.sleep(chance.uniform(0.02, 0.5))
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.ended()
        at += LEASE
        dispatch.reap(at)
    waiting = Message.objects.filter(state__in=[MessageState.QUEUED, MessageState.DEFERRED, MessageState.SENDING])
    while waiting.all().exists():
        at += timedelta(minutes=10)
        dispatch.reap(at)
        dispatch.tick(at)
    rows = {row.message_id: row for row in Message.objects.all()}
    assert {row.state for row in rows.values()} <= {MessageState.SENT, MessageState.UNKNOWN}
    assert set(sink.count_by_id.values()) == {1}
    for message_id in sink.count_by_id:
        assert rows[message_id].state in (MessageState.SENT, MessageState.UNKNOWN)
    sent = {message_id for message_id, row in rows.items() if row.state == MessageState.SENT}
    assert sent <= set(sink.count_by_id)
    assert Event.objects.filter(type__name="$message_sent").count() == len(sent)
    assert all(row.reason for row in rows.values() if row.state == MessageState.UNKNOWN)
    # Each kill leaves at most what was in two workers' hands.
    assert len(rows) - len(sent) <= ROUNDS * 2 * dispatch.BATCH
    assert len(sent) > 0
