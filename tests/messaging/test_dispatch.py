"""The way of a message out of the house."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from consent.models import Topic
from messaging import dispatch, outbox, outcomes
from messaging.delivery import Accepted, Letter, Line, Outcome
from messaging.models import Message, MessageState, Template
from messaging.outcomes import LEASE
from profiles.models import Event, Profile
from tests.messaging.conftest import mails_in, state_of
from tests.messaging.sink import Sink

Write = Callable[..., Template]
Agree = Callable[..., None]
Queue = Callable[..., Message]
Person = Callable[..., Profile]


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


def test_a_template_that_cannot_be_filled_in_for_one_fails_for_that_one_alone(
    person: Person, write: Write, agree: Agree, queue: Queue, folder: Path, now: datetime
) -> None:
    people = [
        person(f"p{n}", email=f"p{n}@example.com", attributes={} if n == 7 else {"plan": "pro"}) for n in range(20)
    ]
    write(subject="Your plan {{ profile.plan }}")
    agree(*people)
    queued = [queue(one) for one in people]
    dispatch.tick(now)
    states = [state_of(message.id) for message in queued]
    assert [n for n, message in enumerate(states) if message.state != MessageState.SENT] == [7]
    assert states[7].state == MessageState.FAILED
    assert "`profile.plan` has no value for this person" in states[7].reason
    assert len(mails_in(folder)) == 19


def test_tm_02_a_template_that_never_ends_holds_up_nobody(
    ada: Profile, ben: Profile, write: Write, agree: Agree, queue: Queue, folder: Path, now: datetime
) -> None:
    loop = "{% for i in (1..10000) %}{% endfor %}"
    write("bomb", blocks=[{"kind": "text", "text": loop * 500} for _ in range(10)])
    write()
    agree(ada, ben)
    bomb, fine = queue(ada, "bomb"), queue(ben)
    dispatch.tick(now)
    assert state_of(bomb.id).state == MessageState.FAILED
    assert "takes longer than 2 seconds" in state_of(bomb.id).reason
    assert state_of(fine.id).state == MessageState.SENT


def test_the_version_published_last_is_the_one_that_is_sent_and_kept(
    ada: Profile, write: Write, agree: Agree, queue: Queue, folder: Path, now: datetime
) -> None:
    write()
    agree(ada)
    message = queue(ada)
    later = write(subject="Newer")
    dispatch.tick(now)
    sent = state_of(message.id)
    assert (sent.version, sent.subject) == (later.version, "Newer")
    assert "Hello Ada" in sent.html
    assert "Hello Ada" in sent.text


def test_nothing_is_handed_over_before_the_intent_is_committed_and_no_transaction_is_open(
    transactional_db: None, ada: Profile, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime
) -> None:
    write()
    agree(ada)
    message = queue(ada)
    seen = []

    def look(mail: object) -> None:
        # Another connection: it sees what is committed and nothing else.
        found = state_of(message.id)
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND state LIKE 'idle in transaction%%'"
            )
            seen.append((found.state, found.subject, found.address, cursor.fetchone()[0]))
        connections.close_all()

    sink.on_mail = look
    dispatch.tick(now)
    assert seen == [("sending", "News for Ada", "ada@example.com", 0)]


def test_fm_10_two_dispatchers_at_once_send_each_message_once(
    transactional_db: None, person: Person, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime
) -> None:
    people = [person(f"p{n}", email=f"p{n}@example.com") for n in range(160)]
    write()
    agree(*people)
    for one in people:
        queue(one)
    done: list[int] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            done.append(dispatch.tick(now))
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(done) == 160
    assert Message.objects.filter(state=MessageState.SENT).count() == 160
    assert len(sink.mails) == 160
    assert set(sink.count_by_id.values()) == {1}
    assert Event.objects.filter(type__name="$message_sent").count() == 160


def test_fm_01_a_batch_that_was_claimed_and_dropped_is_claimed_again_after_the_lease(
    ada: Profile, write: Write, agree: Agree, queue: Queue, folder: Path, now: datetime
) -> None:
    write()
    agree(ada)
    message = queue(ada)
    assert [claim.id for claim in dispatch._claim(now)] == [message.id]  # and the worker dies
    assert dispatch.tick(now) == 0
    assert dispatch.tick(now + LEASE - timedelta(seconds=1)) == 0
    assert dispatch.tick(now + LEASE) == 1
    found = state_of(message.id)
    assert (found.state, found.attempts) == (MessageState.SENT, 2)


def test_fm_09_a_late_worker_commits_to_nothing_that_was_taken_over(
    ada: Profile, write: Write, agree: Agree, queue: Queue, folder: Path, now: datetime
) -> None:
    write()
    agree(ada)
    queue(ada)
    late = dispatch._claim(now)
    dispatch.tick(now + LEASE)
    assert dispatch._intend(late, now + LEASE) == []
    assert len(mails_in(folder)) == 1


def test_fm_09_the_word_of_a_late_worker_no_longer_counts(
    ada: Profile, write: Write, agree: Agree, queue: Queue, folder: Path, now: datetime
) -> None:
    write()
    agree(ada)
    message = queue(ada)
    claims = dispatch._claim(now)
    fences = {claim.id: claim.fence for claim in claims}
    letters = dispatch._intend(claims, now)
    assert len(letters) == 1
    assert dispatch.reap(now + LEASE - timedelta(seconds=1)) == 0
    assert dispatch.reap(now + LEASE) == 1
    outcomes.record({message.id: Accepted()}, fences, now + LEASE)
    found = state_of(message.id)
    assert found.state == MessageState.UNKNOWN
    assert "died before it could say" in found.reason
    assert not Event.objects.filter(type__name="$message_sent").exists()
    assert dispatch.tick(now + timedelta(days=1)) == 0


def test_fm_03_what_is_needed_is_sent_again_after_its_worker_died(
    ada: Profile, receipts: Topic, write: Write, queue: Queue, folder: Path, now: datetime
) -> None:
    write("receipt", topic="receipts")
    message = queue(ada, "receipt")
    dispatch._intend(dispatch._claim(now), now)  # and the worker dies
    assert dispatch.reap(now + LEASE) == 1
    waiting = state_of(message.id)
    assert waiting.state == MessageState.DEFERRED
    assert "sent again under the same name" in waiting.reason
    dispatch.tick(waiting.due_at)
    (mail,) = mails_in(folder)
    assert mail["Message-ID"] == waiting.message_id
    assert state_of(message.id).state == MessageState.SENT


def test_fm_11_a_message_that_kills_its_workers_is_found_and_harms_no_other(
    ada: Profile, ben: Profile, receipts: Topic, write: Write, queue: Queue, folder: Path, now: datetime
) -> None:
    write("receipt", topic="receipts")
    poison, fine = queue(ada, "receipt"), queue(ben, "receipt")
    at, alone = now, []
    for _ in range(12):
        while claims := dispatch._claim(at):
            if poison.id in {claim.id for claim in claims}:
                if state_of(poison.id).claims > 3:
                    dispatch._process(claims, at)
                    continue
                alone.append(len(claims))
                continue  # the worker dies over it
            dispatch._process(claims, at)
        at += LEASE
    assert alone == [2, 1, 1]
    assert state_of(fine.id).state == MessageState.SENT
    found = state_of(poison.id)
    assert found.state == MessageState.FAILED
    assert "died, 3 times" in found.reason


def test_what_is_needed_goes_before_what_is_not(
    ada: Profile, receipts: Topic, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime
) -> None:
    write()
    write("receipt", topic="receipts", subject="Receipt")
    agree(ada)
    for _ in range(60):
        queue(ada, at=now - timedelta(minutes=1))
    queue(ada, "receipt")
    dispatch.tick(now)
    assert sink.mails[0]["Subject"] == "Receipt"
    assert len(sink.mails) == 61


def test_what_takes_too_long_goes_back_and_is_sent_the_next_time(
    person: Person, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [person(f"p{n}", email=f"p{n}@example.com") for n in range(5)]
    write()
    agree(*people)
    for one in people:
        queue(one)
    monkeypatch.setattr(dispatch, "_PATIENCE", 0.2)
    sink.on_mail = lambda mail: time.sleep(0.15)
    dispatch.tick(now)
    sent = Message.objects.filter(state=MessageState.SENT).count()
    assert 0 < sent < 5
    waiting = Message.objects.filter(state=MessageState.DEFERRED)
    assert [message.attempts for message in waiting] == [0] * (5 - sent)
    at = now
    while waiting.all().exists():
        at += timedelta(seconds=1)
        dispatch.tick(at)
    assert set(sink.count_by_id.values()) == {1}
    assert len(sink.mails) == 5


def test_fm_42_a_worker_that_is_told_to_stop_says_what_it_knows(
    person: Person, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [person(f"p{n}", email=f"p{n}@example.com") for n in range(5)]
    write()
    agree(*people)
    for one in people:
        queue(one)
    handed: list[Letter] = []
    real = dispatch._send

    def stop(line: Line, letter: Letter) -> Outcome:
        if len(handed) == 2:
            raise KeyboardInterrupt
        handed.append(letter)
        return real(line, letter)

    monkeypatch.setattr(dispatch, "_send", stop)
    with pytest.raises(KeyboardInterrupt):
        dispatch.tick(now)
    states = sorted(Message.objects.values_list("state", flat=True))
    assert states == ["deferred", "deferred", "sent", "sent", "unknown"]


def test_co_09_a_goal_that_was_reached_cancels_what_dispatch_is_about_to_send(
    ada: Profile, write: Write, agree: Agree, queue: Queue, folder: Path, now: datetime
) -> None:
    write()
    agree(ada)
    enrollment = uuid4()
    message = queue(ada, enrollment=enrollment)
    claims = dispatch._claim(now)
    outbox.cancel([enrollment], reason="Ada reached the goal.", now=now)
    assert dispatch._intend(claims, now) == []
    found = state_of(message.id)
    assert (found.state, found.reason) == (MessageState.SUPPRESSED, "Ada reached the goal.")


def test_a_batch_takes_few_statements_however_many_messages_are_in_it(
    person: Person, write: Write, agree: Agree, queue: Queue, folder: Path, now: datetime
) -> None:
    write()
    counts = []
    for size in (2, 40):
        people = [person(f"p{size}-{n}", email=f"p{size}-{n}@example.com") for n in range(size)]
        agree(*people)
        for one in people:
            queue(one)
        with CaptureQueriesContext(connections["default"]) as captured:
            dispatch._process(dispatch._claim(now), now)
        counts.append(len(captured))
    assert counts[1] <= counts[0] + 3
