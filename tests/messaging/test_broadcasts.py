"""Broadcasts: the audience fixed at the start, one message a person, gone on with from rows whatever happens."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from consent import preferences
from foundation import registry
from foundation.errors import Conflict, Invalid
from messaging import dispatch, outbox, templates
from messaging.broadcasts import reach, running
from messaging.broadcasts.models import Broadcast, Recipient
from messaging.broadcasts.running import Plan
from messaging.holdouts import periods
from messaging.models import Message
from profiles import erasing, merging
from profiles.models import Profile
from segments.models import Membership, Segment
from staff.models import AuditEntry
from tests.messaging.conftest import mails_in
from tests.messaging.sides import stand

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def trial(db: None, now: datetime) -> Segment:
    definition = {"kind": "attribute", "name": "plan", "op": "is", "value": "trial"}
    return Segment.objects.create(
        slug="trial", name="On trial", status="live", definition=definition, created_at=now, refreshed_at=now
    )


@pytest.fixture
def member(trial: Segment, person: Callable[..., Profile], agree: Any, now: datetime) -> Callable[..., list[Profile]]:
    """Makes so many people who are in the segment and agreed to news."""

    def make(n: int, **fields: Any) -> list[Profile]:
        begin = Profile.objects.count()
        people = [person(f"p{begin + i}", email=f"p{begin + i}@example.com", **fields) for i in range(n)]
        Membership.objects.bulk_create(
            [Membership(segment=trial, profile=one, entered_at=now, cause="build") for one in people]
        )
        agree(*people)
        return people

    return make


@pytest.fixture
def plan(trial: Segment, write: Any, now: datetime) -> Callable[..., Broadcast]:
    write()

    def make(**fields: Any) -> Broadcast:
        return running.save(
            None, Plan(**{"name": "Spring", "segment": "trial", "template": "hello", **fields}), now=now
        )

    return make


def _of(row: Broadcast) -> Any:
    return Message.objects.filter(idempotency_key__startswith=running.key_of(row.id))


def _state(row: Broadcast) -> str:
    return Broadcast.objects.get(id=row.id).state


# ── From the start to the end ────────────────────────────────────────────────────────────────────────────────────────
def test_everybody_in_the_segment_gets_it_once_and_it_is_done(
    plan: Any, member: Any, trial: Segment, folder: Path, now: datetime
) -> None:
    member(3)
    row = plan()
    running.start(row.id, now=now)
    late = member(1)  # the audience was fixed
    Membership.objects.filter(profile__external_id="p0").delete()  # for those who go, too
    assert running.tick(now) == 3
    assert running.tick(now) == 0
    assert _state(row) == "running"
    dispatch.tick(now)
    assert sorted(str(mail["To"]) for mail in mails_in(folder)) == [f"p{n}@example.com" for n in range(3)]
    running.tick(now + MINUTE)
    found = Broadcast.objects.get(id=row.id)
    assert (found.state, found.audience, found.definition) == ("done", 3, trial.definition)
    assert not _of(row).filter(profile=late[0]).exists()
    assert running.progress(found).counts == (("sent", "", 3),)
    said = list(AuditEntry.objects.filter(kind="broadcast").order_by("id").values_list("summary", flat=True))
    assert said == ["Wrote the broadcast Spring.", "Started the broadcast Spring to 3 people."]


def test_an_end_half_way_through_a_batch_leaves_all_of_it_for_the_next_round(
    plan: Any, member: Any, folder: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    member(7)
    row = plan()
    running.start(row.id, now=now)
    monkeypatch.setattr(running, "BATCH", 2)
    enqueue, done = outbox.enqueue, []

    def die_in_the_second(requests: Any, *, now: datetime) -> Any:
        ids = enqueue(requests, now=now)
        done.append(len(ids))
        if len(done) == 2:
            raise KeyboardInterrupt
        return ids

    monkeypatch.setattr(outbox, "enqueue", die_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        running.tick(now)
    assert _of(row).count() == 2  # what the first batch did stands, and nothing of the second
    assert running.progress(row).waiting == 5
    assert running.tick(now) == 5
    dispatch.tick(now)
    assert len({str(mail["To"]) for mail in mails_in(folder)}) == len(mails_in(folder)) == 7


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_half_way_and_two_at_once_send_each_message_once(
    plan: Any, member: Any, now: datetime, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    import threading

    from django.db import close_old_connections, connections

    member(40)
    row = plan()
    running.start(row.id, now=now)
    monkeypatch.setattr(running, "BATCH", 5)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        ours = cursor.fetchone()[0]
    killed = threading.Event()
    enqueue = outbox.enqueue

    def killed_once(requests: Any, *, now: datetime) -> Any:
        ids = enqueue(requests, now=now)
        if not killed.is_set() and Recipient.objects.filter(queued_at__isnull=False).count() >= 10:
            killed.set()
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                assert cursor.fetchone()[0] != ours
            connection.connection.close()  # its connection is gone with all that it had not committed
        return ids

    monkeypatch.setattr(outbox, "enqueue", killed_once)

    def work() -> None:
        for _ in range(100):
            close_old_connections()
            try:
                running.tick(now)
            except Exception:
                connections["default"].close()
            if not Recipient.objects.filter(queued_at=None).exists():
                break
        connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert killed.is_set()
    assert (_of(row).count(), _of(row).values("profile").distinct().count()) == (40, 40)


# ── Pausing, going on, cancelling ────────────────────────────────────────────────────────────────────────────────────
def test_a_paused_broadcast_sends_nothing_and_goes_on_where_it_was_with_nothing_stale(
    plan: Any, member: Any, folder: Path, now: datetime
) -> None:
    member(4)
    row = plan(rate=120)
    running.start(row.id, now=now)
    running.tick(now)
    assert _of(row).count() == 2
    running.pause(row.id, now=now)
    for after in (1, 100):
        running.tick(now + after * HOUR)
        dispatch.tick(now + after * HOUR)
    assert mails_in(folder) == []
    assert set(_of(row).values_list("state", "reason")) == {("deferred", "The broadcast is paused.")}
    back = now + 100 * HOUR
    running.resume(row.id, now=back)
    for after in range(3):
        running.tick(back + after * MINUTE)
        dispatch.tick(back + after * MINUTE)
    assert len(mails_in(folder)) == 4
    running.tick(back + 3 * MINUTE)
    assert _state(row) == "done"


def test_what_a_pause_overlooked_because_it_was_on_its_way_waits_all_the_same(
    plan: Any, member: Any, folder: Path, now: datetime
) -> None:
    member(1)
    row = plan()
    running.start(row.id, now=now)
    running.tick(now)
    running.pause(row.id, now=now)
    _of(row).update(state="deferred", guardrail="", reason="The server was away.", due_at=now)
    dispatch.tick(now)
    message = _of(row).get()
    assert (message.state, message.guardrail) == ("deferred", "broadcast")
    running.resume(row.id, now=now + MINUTE)
    dispatch.tick(now + MINUTE)
    assert len(mails_in(folder)) == 1


def test_a_cancelled_broadcast_goes_to_nobody_any_more_and_says_so(
    plan: Any, member: Any, folder: Path, now: datetime
) -> None:
    member(4)
    row = plan(rate=120)
    running.start(row.id, now=now)
    running.tick(now)
    dispatch.tick(now)
    running.tick(now + MINUTE)
    running.cancel(row.id, now=now + MINUTE)
    running.tick(now + HOUR)
    dispatch.tick(now + HOUR)
    assert len(mails_in(folder)) == 2
    assert running.progress(row).counts == (("sent", "", 2), ("suppressed", "broadcast", 2))
    for verb in (running.pause, running.resume, running.cancel, running.start):
        with pytest.raises(Conflict, match="cancelled by now"):
            verb(row.id, now=now)


# ── When ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_rate_is_kept_in_every_minute(plan: Any, member: Any, now: datetime) -> None:
    member(7)
    row = plan(rate=180)
    running.start(row.id, now=now)
    counts = []
    for seconds in (0, 20, 59, 61, 100, 125):
        running.tick(now + timedelta(seconds=seconds))
        counts.append(_of(row).count())
    assert counts == [3, 3, 3, 6, 6, 7]


def test_fm_26_fm_27_everybody_gets_it_at_the_time_of_day_where_they_are(plan: Any, member: Any, now: datetime) -> None:
    zones = ["Asia/Tokyo", "America/New_York", "Europe/Berlin", "Mars/Phobos", ""]
    people = {zone: member(1, timezone=zone)[0] for zone in zones}
    chose = member(1, timezone="Asia/Tokyo")[0]
    preferences.save(chose.id, now=now, time_zone="America/New_York")
    row = plan(
        send_at=datetime(2027, 3, 28, 2, 30, tzinfo=UTC), local=True
    )  # as clocks read in the project's zone, UTC
    running.start(row.id, now=now)
    due = dict(Recipient.objects.values_list("profile", "due_at"))
    assert due[people["Asia/Tokyo"].id] == datetime(2027, 3, 27, 17, 30, tzinfo=UTC)
    assert due[people["America/New_York"].id] == due[chose.id] == datetime(2027, 3, 28, 6, 30, tzinfo=UTC)
    # 02:30 does not exist in Berlin on that day: it is 03:30 there.
    assert due[people["Europe/Berlin"].id] == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    assert {due[people[zone].id] for zone in ("Mars/Phobos", "")} == {datetime(2027, 3, 28, 2, 30, tzinfo=UTC)}
    assert running.tick(now) == 0
    assert running.tick(datetime(2027, 3, 27, 18, tzinfo=UTC)) == 1


def test_it_is_sent_at_its_time_and_not_before(plan: Any, member: Any, now: datetime) -> None:
    member(1)
    row = plan(send_at=now + HOUR)
    running.start(row.id, now=now)
    assert running.tick(now + 59 * MINUTE) == 0
    assert _state(row) == "running"
    assert running.tick(now + HOUR) == 1


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("wrong", "path"),
    [({"name": " "}, "name"), ({"segment": "nobody"}, "segment"), ({"template": "nothing"}, "template"),
     ({"rate": 59}, "rate"), ({"local": True}, "send_at"),
     ({"send_at": datetime(2029, 1, 1, tzinfo=UTC)}, "send_at")],
)  # fmt: skip
def test_a_plan_that_is_no_good_is_refused_with_what_is_wrong(wrong: dict[str, Any], path: str, plan: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        plan(**wrong)
    assert [problem.path for problem in refusal.value.problems] == [path]


def test_it_does_not_start_to_nobody_nor_to_a_draft(plan: Any, trial: Segment, member: Any, now: datetime) -> None:
    row = plan()
    with pytest.raises(Conflict, match="Nobody is in the segment On trial"):
        running.start(row.id, now=now)
    member(1)
    Segment.objects.update(status="draft")
    with pytest.raises(Conflict, match="is not live"):
        running.start(row.id, now=now)
    assert not Recipient.objects.exists()


def test_what_a_broadcast_uses_cannot_go_away_and_one_that_lost_it_pauses_and_says_so(
    plan: Any, member: Any, now: datetime
) -> None:
    member(1)
    row = plan(send_at=now + HOUR)
    for kind, slug in (("segment", "trial"), ("template", "hello")):
        assert "The broadcast Spring uses it." in [s for one in registry.references.ask(kind, slug) for s in one]
    with pytest.raises(Conflict):
        templates.archive("hello", now=now)
    running.start(row.id, now=now)
    row.template.archived = True
    row.template.save()
    running.tick(now + HOUR)
    found = Broadcast.objects.get()
    assert (found.state, found.note[:30]) == ("paused", "It paused on its own: [0].temp")
    with pytest.raises(Conflict, match="out of use"):
        running.resume(row.id, now=now)


def test_a_draft_may_be_changed_and_thrown_away_and_what_started_may_not(plan: Any, member: Any, now: datetime) -> None:
    row = plan()
    again = Plan(name="Summer", segment="trial", template="hello", rate=600)
    assert running.save(row.id, again, now=now).name == "Summer"
    member(1)
    running.start(row.id, now=now)
    with pytest.raises(Conflict):
        running.save(row.id, again, now=now)
    with pytest.raises(Conflict):
        running.delete(row.id, now=now)
    draft = plan()
    running.delete(draft.id, now=now)
    assert Broadcast.objects.count() == 1


# ── Who is reached ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_reach_says_how_many_get_it_and_what_keeps_the_others(
    plan: Any, member: Any, trial: Segment, person: Any, agree: Any, now: datetime
) -> None:
    people = member(6)
    agree(people[0], state="denied", at=now + MINUTE)
    Profile.objects.filter(id=people[1].id).update(email=None)
    preferences.save(people[2].id, now=now, paused_until=now + HOUR)
    stand(periods.start("2026-q4", 50, now=now), *zip(people[3:], (True, False, False), strict=True))
    found = reach.of(trial, plan().template, now)
    assert (found.size, found.reached, found.exact) == (6, 2, True)
    assert {key: n for key, _, n in found.held} == {"consent": 1, "address": 1, "paused": 1, "holdout": 1}
    assert not Message.objects.exists()


def test_of_a_large_segment_the_reach_is_an_estimate(
    plan: Any, member: Any, trial: Segment, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    people = member(8)
    Profile.objects.filter(id__in=[one.id for one in people]).update(email=None)
    monkeypatch.setattr(reach, "SAMPLE", 4)
    found = reach.of(trial, plan().template, now)
    assert (found.size, found.asked, found.reached, found.exact) == (8, 4, 0, False)
    assert [n for _, _, n in found.held] == [8]


# ── People who become one, or go ─────────────────────────────────────────────────────────────────────────────────────
def test_whoever_becomes_one_gets_one_and_who_goes_gets_none(
    plan: Any, member: Any, folder: Path, now: datetime
) -> None:
    a, b, c, d = member(4)
    row = plan(rate=60)
    running.start(row.id, now=now)
    running.tick(now)
    (first,) = Recipient.objects.filter(queued_at__isnull=False).values_list("profile", flat=True)
    other = next(one for one in (a, b, c, d) if one.id != first)
    with transaction.atomic():
        merging.merge([merging.Pair(other.id, first)], reason="test", now=now)
    gone = next(one for one in (a, b, c, d) if one.id not in (first, other.id))
    erasing.erase(gone, now=now)
    assert Recipient.objects.count() == 2
    for after in range(1, 6):
        running.tick(now + after * MINUTE)
    assert _of(row).count() == 2
