"""Limits: caps, cooldowns and hours, against plain references; who gets the last place; and that workers keep them."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, connections, transaction
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from consent import preferences
from consent.models import Preference, Topic
from foundation.errors import Invalid
from messaging import brands, dispatch, limits
from messaging.guardrails import caps
from messaging.guardrails.hours import next_within
from messaging.limits import Most
from messaging.models import Cap, Limits, Message, MessageState, Template
from profiles.models import Account, Profile
from staff.models import AuditEntry, User
from tests.messaging.conftest import state_of
from tests.messaging.sink import Sink

Write = Callable[..., Template]
Agree = Callable[..., None]
Queue = Callable[..., Message]
Person = Callable[..., Profile]
HOUR = timedelta(hours=1)


@pytest.fixture
def got(queue: Queue) -> Callable[..., Message]:
    """Somebody got a message some time ago."""

    def make(profile: Profile, at: datetime, template: str = "hello", state: str = "sent") -> Message:
        message = queue(profile, template, at=at)
        Message.objects.filter(id=message.id).update(state=state, sending_at=at, sent_at=at)
        return message

    return make


def _states(*messages: Message) -> list[str]:
    return [state_of(message.id).state for message in messages]


# ── Caps ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_out_of_the_box_nothing_is_limited(
    ada: Profile, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime
) -> None:
    write()
    agree(ada)
    for _ in range(30):
        queue(ada)
    while dispatch.tick(now):
        pass
    assert len(sink.mails) == 30
    assert limits.sentences() == []


def test_a_cap_puts_off_until_the_oldest_leaves_the_window_and_then_lets_it_go(
    ada: Profile, write: Write, agree: Agree, queue: Queue, got: Any, sink: Sink, now: datetime
) -> None:
    write()
    agree(ada)
    limits.save(caps=[Most(2, 24)], now=now)
    first, second = got(ada, now - 20 * HOUR), got(ada, now - 3 * HOUR)
    message = queue(ada)
    dispatch.tick(now)
    found = state_of(message.id)
    assert (found.state, found.guardrail, found.due_at) == ("deferred", "caps", now + 4 * HOUR)
    assert found.reason == "Ada has had 2 messages in 1 day, and that is the most."
    assert found.evidence["used"] == [str(first.id), str(second.id)]
    dispatch.tick(now + 4 * HOUR - timedelta(seconds=1))
    assert _states(message) == ["deferred"]
    dispatch.tick(now + 4 * HOUR)
    assert _states(message) == ["sent"]


@pytest.mark.parametrize(
    ("state", "counts"),
    [(state, state not in ("suppressed", "failed", "expired")) for state in MessageState.values],
)
def test_em_11_what_was_committed_to_counts_and_what_surely_never_went_does_not(
    state: str,
    counts: bool,
    ada: Profile,
    write: Write,
    agree: Agree,
    queue: Queue,
    got: Any,
    sink: Sink,
    now: datetime,
) -> None:
    write()
    agree(ada)
    limits.save(caps=[Most(1, 24)], now=now)
    other = got(ada, now - HOUR, state=state)
    Message.objects.filter(id=other.id).update(due_at=now + 9 * HOUR)  # where it is tried again, that is later
    message = queue(ada)
    dispatch.tick(now)
    assert _states(message) == ["deferred" if counts else "sent"]


def test_em_11_what_is_tried_again_keeps_its_place_and_does_not_stand_in_its_own_way(
    ada: Profile, write: Write, agree: Agree, queue: Queue, got: Any, sink: Sink, now: datetime
) -> None:
    write()
    agree(ada)
    limits.save(caps=[Most(1, 24)], now=now)
    tried = got(ada, now - HOUR, state="deferred")
    Message.objects.filter(id=tried.id).update(sent_at=None, due_at=now)
    later = queue(ada)
    dispatch.tick(now)
    assert _states(tried, later) == ["sent", "deferred"]


@pytest.mark.parametrize(
    ("most", "intensity", "comes_to"),
    [(1, "less", 1), (2, "less", 1), (3, "less", 1), (5, "less", 2), (3, "normal", 3), (3, "more", 6), (1, "more", 2)],
)
def test_a_cap_is_scaled_by_what_the_person_asked_for(
    most: int, intensity: str, comes_to: int, ada: Profile, write: Write, agree: Agree, queue: Queue, sink: Sink,
    now: datetime,
) -> None:  # fmt: skip
    write()
    agree(ada)
    limits.save(caps=[Most(most, 24)], now=now)
    preferences.save(ada.id, now=now, intensity=intensity)
    for _ in range(8):
        queue(ada)
    dispatch.tick(now)
    assert len(sink.mails) == comes_to


def test_transactional_messages_pass_all_limits_and_use_up_none(
    ada: Profile, receipts: Topic, write: Write, agree: Agree, queue: Queue, got: Any, sink: Sink, now: datetime
) -> None:
    write()
    write("receipt", topic="receipts")
    agree(ada)
    limits.save(caps=[Most(1, 24)], topic_cooldown=24, quiet_from=time(9), quiet_to=time(10), now=now)
    needed = [queue(ada, "receipt") for _ in range(3)]
    dispatch.tick(now - HOUR / 2)  # at a quiet hour
    assert _states(*needed) == ["queued"] * 3  # not due yet
    dispatch.tick(now)
    assert _states(*needed) == ["sent"] * 3
    wanted = queue(ada)
    dispatch.tick(now)
    assert _states(wanted) == ["sent"]


def test_a_cap_of_one_topic_counts_and_holds_back_that_topic_alone(
    ada: Profile, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime
) -> None:
    Topic.objects.create(slug="tips", name="Tips", description="Tips.", purpose="To help.", channels=["email"])
    write()
    write("tip", topic="tips")
    agree(ada)
    agree(ada, topic="tips")
    limits.save(caps=[Most(1, 24, topic="tips"), Most(5, 24, channel="email")], now=now)
    tips = [queue(ada, "tip"), queue(ada, "tip")]
    news = [queue(ada), queue(ada)]
    dispatch.tick(now)
    assert sorted(_states(*tips)) == ["deferred", "sent"]
    assert _states(*news) == ["sent", "sent"]


def test_a_cap_of_a_company_counts_all_its_people_and_says_so(
    ada: Profile, ben: Profile, cleo: Profile, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime
) -> None:
    acme = Account.objects.create(external_id="acme", name="Acme", created_at=now)
    Profile.objects.filter(id__in=[ada.id, ben.id]).update(account=acme)
    Profile.objects.filter(id=cleo.id).update(email="cleo@example.com")
    write()
    agree(ada, ben, cleo)
    limits.save(caps=[Most(1, 24, counts="account")], now=now)
    preferences.save(ben.id, now=now, intensity="more")  # asked for more, and not for all of Acme
    first = queue(ada, priority=1)
    dispatch.tick(now)
    second, alone = queue(ben), queue(cleo)
    dispatch.tick(now + HOUR)
    assert _states(first, second, alone) == ["sent", "deferred", "sent"]
    assert state_of(second.id).reason.startswith("Acme, the company of Ben")
    assert state_of(second.id).due_at == now + 24 * HOUR


def test_the_last_place_goes_to_the_higher_priority_then_to_what_is_stale_sooner_and_the_others_say_so(
    ada: Profile, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime
) -> None:
    for slug in ("hello", "important", "urgent"):
        write(slug)
    agree(ada)
    limits.save(caps=[Most(1, 24)], now=now)
    plain = queue(ada)
    soon = queue(ada, "urgent", priority=5, expires_at=now + 30 * HOUR)
    sooner = queue(ada, "important", priority=5, expires_at=now + 26 * HOUR)
    dispatch.tick(now)
    assert _states(plain, soon, sooner) == ["deferred", "deferred", "sent"]
    for lost in (plain, soon):
        found = state_of(lost.id)
        assert found.reason == "Ada gets at most 1 message in 1 day, and “Important” went first."
        assert found.evidence["lost_to"] == [str(sooner.id)]
        assert found.due_at == now + caps.SOON
    dispatch.tick(now + caps.SOON)
    assert state_of(soon.id).due_at == now + 24 * HOUR
    dispatch.tick(now + 24 * HOUR)
    assert _states(plain, soon) == ["deferred", "sent"]


def test_a_place_is_not_used_up_by_what_a_later_check_holds_back(
    ada: Profile, write: Write, agree: Agree, queue: Queue, got: Any, sink: Sink, now: datetime
) -> None:
    write()
    write("other")
    agree(ada)
    got(ada, now - HOUR, "other")
    limits.save(caps=[Most(2, 24)], template_cooldown=12, now=now)
    first, second = queue(ada, "other", priority=9), queue(ada)
    dispatch.tick(now)
    assert _states(first, second) == ["deferred", "sent"]


def test_what_is_put_off_is_stale_when_it_would_have_been_anyway(
    ada: Profile, write: Write, agree: Agree, queue: Queue, got: Any, sink: Sink, now: datetime
) -> None:
    write()
    agree(ada)
    limits.save(caps=[Most(1, 240)], now=now)
    got(ada, now - HOUR)
    message = queue(ada, expires_at=now + 5 * HOUR)
    dispatch.tick(now)
    dispatch.tick(now + 5 * HOUR)
    found = state_of(message.id)
    assert found.state == MessageState.EXPIRED
    assert "that is the most" in found.reason


@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_caps_and_cooldowns_hold_over_any_days_whatever_is_queued_when(
    data: st.DataObject,
    ada: Profile,
    ben: Profile,
    write: Write,
    agree: Agree,
    queue: Queue,
    folder: Any,
    now: datetime,
) -> None:
    """In no window of any cap did anybody get more; and what is put off goes, once a reference says that it may."""
    with transaction.atomic():
        acme = Account.objects.create(external_id="acme", name="Acme", created_at=now)
        Profile.objects.filter(id__in=[ada.id, ben.id]).update(account=acme)
        write()
        write("other")
        agree(ada, ben)
        most, hours = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 30))
        company, cooldown = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 12))
        limits.save(caps=[Most(most, hours), Most(company, hours, "account")], template_cooldown=cooldown, now=now)
        for _ in range(data.draw(st.integers(2, 8))):
            at = now + data.draw(st.integers(0, 30)) * HOUR
            queue(
                data.draw(st.sampled_from([ada, ben])), data.draw(st.sampled_from(["hello", "other"])), at=at,
                expires_at=now + timedelta(days=60), priority=data.draw(st.integers(0, 1)),
            )  # fmt: skip
        at, window = now, timedelta(hours=hours)
        for _ in range(400):
            while dispatch.tick(at):
                pass
            waiting = Message.objects.filter(state__in=["queued", "deferred"]).order_by("due_at").first()
            if waiting is None:
                break
            at = max(waiting.due_at, at)
        sent = list(Message.objects.filter(state="sent").order_by("sending_at"))
        assert len(sent) == Message.objects.count()
        whose: list[tuple[list[Message], int]] = [
            ([m for m in sent if m.profile_id == one.id], most) for one in (ada, ben)
        ]
        for messages, limit in [*whose, (sent, company)]:
            for first, beyond in zip(messages, messages[limit:], strict=False):
                assert _left_at(beyond) - _left_at(first) >= window
        for messages, _ in whose:
            for slug in ("hello", "other"):
                alike = [m for m in messages if m.template.slug == slug]
                assert all(_left_at(b) - _left_at(a) >= cooldown * HOUR for a, b in pairwise(alike))
        transaction.set_rollback(True)


def test_em_11_twenty_workers_and_a_cap_of_two_make_exactly_two(
    transactional_db: None, ada: Profile, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    write()
    agree(ada)
    limits.save(caps=[Most(2, 24)], now=now)
    monkeypatch.setattr(dispatch, "BATCH", 1)  # each worker holds another of them
    for _ in range(20):
        queue(ada)
    claims = [dispatch._claim(now) for _ in range(20)]
    assert all(len(held) == 1 for held in claims)
    together, errors = threading.Barrier(20), []

    def work(held: Any) -> None:
        try:
            together.wait(30)
            dispatch._process(held, now)
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(held,)) for held in claims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert len(sink.mails) == 2
    assert Message.objects.filter(state="sent").count() == 2
    assert Message.objects.filter(state="deferred", guardrail="caps").count() == 18


def test_what_a_person_got_is_found_by_its_index(ada: Profile, write: Write, queue: Queue, now: datetime) -> None:
    from messaging import history

    write()
    one = queue(ada)
    old = [
        Message(
            idempotency_key=f"old:{n}", profile=ada, channel="email", topic=one.topic, template=one.template,
            state="sent", due_at=now, queued_at=now, sending_at=now - n * HOUR,
        )
        for n in range(2_000)
    ]  # fmt: skip
    Message.objects.bulk_create(old)
    with connection.cursor() as cursor:
        # That it can be used is asked here, not what the planner thinks of tables that are as small as a test's.
        for other in ("seqscan", "hashjoin", "mergejoin"):
            cursor.execute(f"SET LOCAL enable_{other} = off")
        params: dict[str, Any] = {"ids": [ada.id], "since": now - 24 * HOUR}
        for statement in ("sent_to_people", "sent_to_companies"):
            cursor.execute("EXPLAIN " + history._sql[statement], params)
            plan = "\n".join(row[0] for row in cursor.fetchall())
            # Where a person has few messages, the index of the foreign key alone costs the same.
            assert "messages_of_a_person" in plan or "messaging_message_profile_id" in plan


def _left_at(message: Message) -> datetime:
    assert message.sending_at is not None
    return message.sending_at


# ── Cooldown ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("limit", "held"), [("topic_cooldown", ["other", "hello"]), ("template_cooldown", ["hello"])])
def test_a_cooldown_runs_since_the_last_of_its_kind(
    limit: str, held: list[str], ada: Profile, write: Write, agree: Agree, queue: Queue, got: Any, sink: Sink,
    now: datetime,
) -> None:  # fmt: skip
    write()
    write("other")
    agree(ada)
    given: dict[str, Any] = {limit: 6}
    limits.save(**given, now=now)
    got(ada, now - 2 * HOUR)
    messages = {slug: queue(ada, slug) for slug in ("other", "hello")}
    dispatch.tick(now)
    for slug, message in messages.items():
        found = state_of(message.id)
        assert found.state == ("deferred" if slug in held else "sent")
        if slug in held:
            assert (found.guardrail, found.due_at) == ("cooldown", now + 4 * HOUR)
            assert found.reason.endswith("within 6 hours.")


def test_of_two_at_once_a_cooldown_lets_one_go(
    ada: Profile, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime
) -> None:
    write()
    agree(ada)
    limits.save(template_cooldown=6, now=now)
    first, second = queue(ada), queue(ada, priority=1)
    dispatch.tick(now)
    assert _states(first, second) == ["deferred", "sent"]
    assert state_of(first.id).evidence["lost_to"] == [str(second.id)]


# ── Hours ────────────────────────────────────────────────────────────────────────────────────────────────────────────
BERLIN, APIA = "Europe/Berlin", "Pacific/Apia"
_MINUTES = st.integers(0, 24 * 60 - 1).map(lambda n: time(n // 60, n % 60))
_ZONES = st.sampled_from([BERLIN, APIA, "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])
_ANY = st.one_of(
    st.integers(0, 60 * 24 * 4).map(lambda m: datetime(2027, 3, 26, tzinfo=UTC) + timedelta(minutes=m)),
    st.integers(0, 60 * 24 * 4).map(lambda m: datetime(2027, 10, 29, tzinfo=UTC) + timedelta(minutes=m)),
    st.integers(0, 60 * 24 * 4).map(lambda m: datetime(2011, 12, 28, tzinfo=UTC) + timedelta(minutes=m)),
    st.integers(0, 60 * 24 * 366).map(lambda m: datetime(2027, 1, 1, tzinfo=UTC) + timedelta(minutes=m)),
)


def _by_looking_at_the_clock(opens: time, closes: time, zone: ZoneInfo, now: datetime) -> datetime:
    """Minute by minute."""
    at = now
    while True:
        reads = at.astimezone(zone).time()
        if (opens <= reads < closes) if opens < closes else (reads >= opens or reads < closes):
            return at
        at += timedelta(minutes=1)


@given(opens=_MINUTES, closes=_MINUTES, zone=_ZONES, now=_ANY)
@example(time(2, 30), time(9), BERLIN, datetime(2027, 3, 28, 0, 0, tzinfo=UTC))  # FM-26: 02:30 is skipped
@example(time(2, 30), time(2, 45), BERLIN, datetime(2027, 10, 31, 0, 0, tzinfo=UTC))  # FM-27: 02:30 comes twice
@example(time(2, 30), time(2, 45), BERLIN, datetime(2027, 10, 31, 0, 50, tzinfo=UTC))
@example(time(1, 0), time(2, 30), BERLIN, datetime(2027, 10, 31, 0, 45, tzinfo=UTC))  # turned back into the window
@example(time(8), time(20), APIA, datetime(2011, 12, 30, 9, 0, tzinfo=UTC))  # FM-29: 30 December is skipped
@settings(max_examples=400)
def test_fm_26_27_29_the_next_good_hour_is_the_one_that_a_clock_on_the_wall_shows(
    opens: time, closes: time, zone: str, now: datetime
) -> None:
    if opens == closes:
        return
    assert next_within(opens, closes, ZoneInfo(zone), now) == _by_looking_at_the_clock(
        opens, closes, ZoneInfo(zone), now
    )


def test_fm_26_a_time_that_is_skipped_is_the_next_that_there_is() -> None:
    at = next_within(time(2, 30), time(9), ZoneInfo(BERLIN), datetime(2027, 3, 28, 0, 10, tzinfo=UTC))
    assert at == datetime(2027, 3, 28, 1, 0, tzinfo=UTC)  # 03:00, there


def test_fm_29_a_day_that_is_skipped_is_the_next_day() -> None:
    at = next_within(time(8), time(20), ZoneInfo(APIA), datetime(2011, 12, 30, 9, 0, tzinfo=UTC))
    assert at.astimezone(ZoneInfo(APIA)) == datetime(2011, 12, 31, 8, 0, tzinfo=ZoneInfo(APIA))


@pytest.mark.parametrize(
    ("profile_zone", "chosen_zone", "opens_at"),
    [
        ("America/New_York", "", 13),  # 08:00 there
        ("America/New_York", BERLIN, 10),  # what they chose counts: it is eleven there, and it goes at once
        ("Mars/Phobos", "", 10),  # FM-29: no such zone: the project's
        ("../../etc", "", 10),
        (None, "Asia/Tokyo", 10),
        (None, "Australia/Sydney", 21),
    ],
)
def test_fm_29_quiet_hours_are_those_where_the_person_is(
    profile_zone: str | None, chosen_zone: str, opens_at: int, ada: Profile, write: Write, agree: Agree, queue: Queue,
    sink: Sink, now: datetime,
) -> None:  # fmt: skip
    write()
    agree(ada)
    limits.save(quiet_from=time(21), quiet_to=time(8), now=now)
    Profile.objects.filter(id=ada.id).update(timezone=profile_zone)
    preferences.save(ada.id, now=now, time_zone=chosen_zone)
    message = queue(ada)
    dispatch.tick(now)
    found = state_of(message.id)
    assert (found.state == "sent") == (opens_at == 10)
    if opens_at != 10:
        assert (found.guardrail, found.due_at) == ("hours", now.replace(hour=opens_at))
        assert found.evidence["hours"] == "08:00 to 21:00"
        dispatch.tick(found.due_at)
        assert _states(message) == ["sent"]


def test_hours_that_the_person_chose_count_in_place_of_quiet_hours(
    ada: Profile, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime
) -> None:
    write()
    agree(ada)
    limits.save(quiet_from=time(21), quiet_to=time(8), now=now)
    preferences.save(ada.id, now=now, hours_from=time(22), hours_to=time(2))
    message = queue(ada)
    dispatch.tick(now)
    found = state_of(message.id)
    assert (found.state, found.due_at) == ("deferred", now.replace(hour=22))
    assert found.reason == (
        "It is 10:00 where Ada is, who likes to be written to from 22:00 to 02:00; next on 24 November at 22:00."
    )
    dispatch.tick(found.due_at)
    assert _states(message) == ["sent"]


def test_em_10_a_retry_at_a_quiet_hour_waits_for_a_good_one(
    ada: Profile, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime
) -> None:
    write()
    agree(ada)
    limits.save(quiet_from=time(21), quiet_to=time(8), now=now)
    message = queue(ada)
    Message.objects.filter(id=message.id).update(state="deferred", attempts=3, due_at=now.replace(hour=3, day=25))
    dispatch.tick(now.replace(hour=3, day=25))
    assert state_of(message.id).due_at == now.replace(hour=8, day=25)


# ── Setting them ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_limits_are_changed_all_or_nothing_and_told_in_words(db: None, news: Topic, now: datetime) -> None:
    limits.save(
        caps=[Most(3, 168, topic="news"), Most(1, 24, counts="account", channel="email")],
        topic_cooldown=36, quiet_from=time(21, 30), quiet_to=time(8), now=now,
    )  # fmt: skip
    said = [
        "at most 3 messages about Product news to a person in 7 days",
        "at most 1 message by email to a company in 1 day",
        "36 hours between two messages of the same topic",
        "quiet from 21:30 to 08:00 where the person is",
    ]
    assert limits.sentences() == said
    assert AuditEntry.objects.get(verb="limits.changed").summary.endswith(f"They are now: {'; '.join(said)}.")
    limits.save(topic_cooldown=36, now=now)
    assert AuditEntry.objects.filter(verb="limits.changed").count() == 1
    with pytest.raises(Invalid) as refused:
        limits.save(
            caps=[Most(0, 24), Most(1, 9_999), Most(1, 1, "planet"), Most(1, 1, channel="owl"), Most(1, 1, topic="no")],
            template_cooldown=-1, quiet_to=time(21, 30), now=now,
        )  # fmt: skip
    assert [problem.path for problem in refused.value.problems] == [
        "caps[0].most", "caps[1].hours", "caps[2].counts", "caps[3].channel", "caps[4].topic", "template_cooldown",
        "quiet_to",
    ]  # fmt: skip
    assert limits.sentences() == said


@pytest.mark.parametrize(
    "wrong", [{"most": 0, "hours": 1}, {"most": 1, "hours": 0}, {"most": 1, "hours": 2161}], ids=str
)
def test_the_database_keeps_caps_sound(wrong: dict[str, int], db: None, now: datetime) -> None:
    row = limits.save(now=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        Cap.objects.create(limits=row, **wrong)
    with pytest.raises(IntegrityError), transaction.atomic():
        Limits.objects.filter(pk=1).update(quiet_from=time(1), quiet_to=None)


def test_what_waits_for_a_limit_is_looked_at_again_when_limits_change(
    ada: Profile, write: Write, agree: Agree, queue: Queue, got: Any, sink: Sink, now: datetime
) -> None:
    write()
    agree(ada)
    limits.save(caps=[Most(1, 240)], now=now)
    got(ada, now - HOUR)
    message = queue(ada)
    dispatch.tick(now)
    limits.save(caps=[], now=now + HOUR)
    dispatch.tick(now + HOUR)
    assert _states(message) == ["sent"]


# ── CO-16 ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_co_16_marketing_waits_until_the_brand_has_a_postal_address(
    ada: Profile, receipts: Topic, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime, settings: Any
) -> None:
    settings.POSTAL_ADDRESS = ""
    write()
    write("receipt", topic="receipts")
    agree(ada)
    wanted, needed = queue(ada), queue(ada, "receipt")
    dispatch.tick(now)
    assert _states(wanted, needed) == ["deferred", "sent"]
    assert state_of(wanted.id).reason.startswith("The brand has no postal address")
    brands.save(postal_address="1 Some Street", now=now + timedelta(minutes=1))
    dispatch.tick(now + timedelta(minutes=1))
    assert _states(wanted) == ["sent"]
    assert "1 Some Street" in state_of(wanted.id).text


def test_scaling_never_leaves_nothing() -> None:
    for most in range(1, 50):
        for intensity in Preference.Intensity.values:
            assert caps.scaled(most, Preference(intensity=intensity)) >= 1


# ── The staff's screen ───────────────────────────────────────────────────────────────────────────────────────────────
_PAGE = "/admin/messaging/limits/1/change/"


def _form(*caps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    usual = {"topic_cooldown": "0", "template_cooldown": "0", "quiet_from": "", "quiet_to": ""}
    existing = sum("id" in cap for cap in caps)
    counts = {"TOTAL": len(caps), "INITIAL": existing, "MIN_NUM": 0, "MAX_NUM": 1000}
    rows = {f"caps-{n}-{name}": value for n, cap in enumerate(caps) for name, value in {"limits": "1", **cap}.items()}
    return {**usual, **fields, **{f"caps-{name}_FORMS": value for name, value in counts.items()}, **rows}


@pytest.fixture
def publisher(db: None, client: Client) -> Client:
    user = User.objects.create_user("pub", is_staff=True)
    user.groups.add(Group.objects.get(name="publisher"))
    client.force_login(user)
    return client


def test_a_publisher_sets_limits_on_one_page_and_the_trail_tells_it(publisher: Client, news: Topic) -> None:
    assert "whatever people agreed to goes out at once" in publisher.get(_PAGE).content.decode()
    caps = {"most": "2", "hours": "24", "counts": "person", "channel": "email", "topic": str(news.id)}
    answer = publisher.post(_PAGE, _form(caps, topic_cooldown="12", quiet_from="21:00", quiet_to="08:00"))
    assert answer.status_code == 302, answer.context["errors"]
    said = [
        "at most 2 messages about Product news by email to a person in 1 day",
        "12 hours between two messages of the same topic",
        "quiet from 21:00 to 08:00 where the person is",
    ]
    assert limits.sentences() == said
    assert AuditEntry.objects.get(verb="limits.changed").actor == "user:pub"
    page = publisher.get(_PAGE).content.decode()
    assert "At most 2 messages about Product news by email to a person in 1 day." in page
    held = {"id": str(Cap.objects.get().id), **caps}
    more = {"most": "5", "hours": "168", "counts": "account", "channel": "", "topic": ""}
    assert publisher.post(_PAGE, _form({**held, "most": "3"}, more)).status_code == 302
    assert limits.sentences() == [
        "at most 3 messages about Product news by email to a person in 1 day",
        "at most 5 messages to a company in 7 days",
    ]
    first, second = Cap.objects.order_by("id")
    gone = {"id": str(first.id), **caps, "DELETE": "on"}
    assert publisher.post(_PAGE, _form(gone, {"id": str(second.id), **more})).status_code == 302
    assert limits.sentences() == ["at most 5 messages to a company in 7 days"]


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (_form(quiet_from="21:00"), "needs a beginning and an end, or neither"),
        (_form(quiet_from="21:00", quiet_to="21:00"), "must not be the same as the beginning"),
        (_form(topic_cooldown="9999"), "must be between 0 (none) and 2,160 hours (90 days)"),
        (_form({"most": "0", "hours": "24", "counts": "person"}), "greater than or equal to 1"),
        (_form({"most": "1", "hours": "24", "counts": "person", "channel": "owl"}), "is not one of the available"),
    ],
)
def test_wrong_limits_are_refused_with_a_sentence(form: dict[str, Any], sentence: str, publisher: Client) -> None:
    answer = publisher.post(_PAGE, form)
    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert limits.sentences() == []


def test_who_only_reads_limits_changes_none(db: None, client: Client) -> None:
    user = User.objects.create_user("author", is_staff=True)
    user.groups.add(Group.objects.get(name="author"))
    client.force_login(user)
    assert client.get(_PAGE).status_code == 200
    assert client.post(_PAGE, _form(topic_cooldown="5")).status_code == 403
    assert limits.sentences() == []


def test_the_page_of_a_message_names_the_sends_that_used_the_cap_up(
    publisher: Client, ada: Profile, write: Write, agree: Agree, queue: Queue, got: Any, sink: Sink, now: datetime
) -> None:
    write()
    agree(ada)
    used = got(ada, now - HOUR)
    limits.save(caps=[Most(1, 24)], now=now)
    message = queue(ada)
    dispatch.tick(now)
    page = publisher.get(f"/admin/messaging/message/{message.id}/change/").content.decode()
    for part in ("Has not had enough for now", "that is the most", "What used it up", f"/message/{used.id}/change/"):
        assert part in page
    assert "lost_to" not in page
