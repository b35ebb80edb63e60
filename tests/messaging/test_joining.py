"""Merges, erasures, exports, and what is said to use what."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from django.db import connection, transaction

from foundation import registry
from messaging import dispatch
from messaging.delivery import Later
from messaging.models import Message, MessageState, Template
from messaging.outcomes import record
from profiles import erasing, merging
from profiles.merging import Pair
from profiles.models import Merge, Profile
from tests.messaging.conftest import mails_in, state_of

Write = Callable[..., Template]
Agree = Callable[..., None]
Queue = Callable[..., Message]


def test_messages_follow_the_survivor_of_a_merge(
    ada: Profile, person: Callable[..., Profile], write: Write, agree: Agree, queue: Queue, folder: Path, now: datetime
) -> None:
    stranger = person(email="ada@home.example")
    write()
    agree(ada, stranger)
    waiting, sent = queue(stranger, at=now + timedelta(hours=1)), queue(stranger)
    dispatch.tick(now)
    with transaction.atomic():
        merging.merge([Pair(ada.id, stranger.id)], reason="test", now=now)
    assert {message.profile for message in Message.objects.all()} == {ada}
    dispatch.tick(now + timedelta(hours=1))
    assert state_of(waiting.id).address == "ada@example.com"
    assert state_of(sent.id).address == "ada@home.example"
    assert len(mails_in(folder)) == 2


def test_er_01_erasing_leaves_that_something_was_sent_and_nothing_of_to_whom_and_what(
    person: Callable[..., Profile], write: Write, agree: Agree, queue: Queue, folder: Path, now: datetime
) -> None:
    canary = person("canary-7731", email="canary-7731@example.com", first_name="Canary-7731")
    write()
    agree(canary)
    sent = queue(canary, context={"event": {"name": "x", "properties": {"to": "canary-7731"}}})
    dispatch.tick(now)
    refused = person("other", email="canary-7731", first_name="Canary-7731")
    agree(refused)
    held = queue(refused)
    dispatch.tick(now)
    waiting = queue(canary, context={"data": {"x": "canary-7731"}})
    erasing.erase(canary, now=now)
    erasing.erase(refused, now=now)
    assert state_of(sent.id).state == MessageState.SENT
    stopped = state_of(waiting.id)
    assert (stopped.state, stopped.profile, stopped.reason) == ("suppressed", None, "The person was erased.")
    assert state_of(held.id).profile is None
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM messaging_message m WHERE m::text ILIKE '%canary-7731%'")
        assert cursor.fetchone() == (0,)
    assert dispatch.tick(now + timedelta(days=1)) == 0


def test_er_01_what_is_being_sent_while_its_person_is_erased_is_never_tried_again(
    ada: Profile, write: Write, agree: Agree, queue: Queue, folder: Path, now: datetime
) -> None:
    write()
    agree(ada)
    message = queue(ada)
    claims = dispatch._claim(now)
    dispatch._intend(claims, now)
    erasing.erase(ada, now=now)
    record({message.id: Later("The server is away.")}, {claim.id: claim.fence for claim in claims}, now)
    assert state_of(message.id).state == MessageState.SUPPRESSED


def test_people_get_what_was_written_to_them(
    ada: Profile, write: Write, agree: Agree, queue: Queue, folder: Path, now: datetime
) -> None:
    write()
    agree(ada)
    queue(ada)
    dispatch.tick(now)
    sections = {name: data for answer in registry.export.ask(ada) for name, data in answer.items()}
    (told,) = sections["messages"]
    assert (told["state"], told["subject"], told["address"]) == ("sent", "News for Ada", "ada@example.com")
    assert "Here is what is new." in told["text"]


def test_a_topic_says_which_templates_need_it(write: Write) -> None:
    write()
    told = [sentence for answer in registry.references.ask("topic", "news") for sentence in answer]
    assert "The template Hello belongs to it." in told


def test_messages_go_back_when_a_merge_is_taken_back(
    ada: Profile, person: Callable[..., Profile], write: Write, agree: Agree, queue: Queue, folder: Path, now: datetime
) -> None:
    """Also those that had come by an earlier merge; what was queued since stays with the survivor."""
    middle, first = person("middle", email="middle@example.com"), person(email="first@example.com")
    write()
    agree(ada, middle, first)
    hers, theirs, earliest = queue(ada), queue(middle), queue(first)
    dispatch.tick(now)
    for survivor, absorbed in ((middle, first), (ada, middle)):
        with transaction.atomic():
            merging.merge([Pair(survivor.id, absorbed.id)], reason="test", now=now)
    since = queue(ada)

    def whose() -> list[str | None]:
        rows = [state_of(message.id).profile for message in (hers, theirs, earliest, since)]
        return [row.email if row else None for row in rows]

    assert whose() == ["ada@example.com"] * 4
    merging.undo(Merge.objects.get(survivor_id=ada.id), now=now)
    assert whose() == ["ada@example.com", "middle@example.com", "middle@example.com", "ada@example.com"]
    merging.undo(Merge.objects.get(survivor_id=middle.id), now=now)
    assert whose() == ["ada@example.com", "middle@example.com", "first@example.com", "ada@example.com"]
    assert set(Message.objects.values_list("came_by", flat=True)) == {None}
