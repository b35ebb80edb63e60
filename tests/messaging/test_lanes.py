"""How fast a way out is used, and when it shuts; nothing else is held back."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent.models import Topic
from foundation.errors import Invalid
from messaging import dispatch, lanes
from messaging.channels.email import Email
from messaging.lanes import Paces, Way
from messaging.models import Lane, Message, MessageState, Pace, Template
from profiles.models import Profile
from tests.messaging.conftest import state_of
from tests.messaging.sink import Sink

Write = Callable[..., Template]
Agree = Callable[..., None]
Queue = Callable[..., Message]
Person = Callable[..., Profile]
SECOND = timedelta(seconds=1)


@pytest.fixture
def crowd(person: Person, write: Write, agree: Agree, receipts: Topic) -> Callable[[str, int], list[Profile]]:
    """People of one provider who agreed to the news; and templates `hello` (news) and `receipt`."""
    write()
    write("receipt", topic="receipts")

    def gather(domain: str, number: int) -> list[Profile]:
        people = [person(f"{domain}-{n}", email=f"p{n}@{domain}") for n in range(number)]
        agree(*people)
        return people

    return gather


def _waiting() -> int:
    return Message.objects.filter(state__in=["queued", "deferred"]).count()


def test_em_09_what_goes_to_one_provider_keeps_its_pace_and_nothing_else_waits(
    crowd: Callable[..., list[Profile]], queue: Queue, sink: Sink, now: datetime
) -> None:
    lanes.set_pace("email", "gmail.com", per_minute=300, now=now)
    slow, quick = crowd("gmail.com", 30), crowd("example.org", 30)
    for one in [*slow, *quick]:
        queue(one)
    went: Counter[int] = Counter()
    for second in range(12):
        before = len([to for (to,) in sink.recipients if to.endswith("gmail.com")])
        dispatch.tick(now + second * SECOND)
        went[second] = len([to for (to,) in sink.recipients if to.endswith("gmail.com")]) - before
        if second == 0:
            assert len([to for (to,) in sink.recipients if to.endswith("example.org")]) == 30
    assert _waiting() == 0
    assert went.total() == 30
    assert all(sum(went[second] for second in range(upto + 1)) <= 5 * (upto + 1) + 1 for upto in range(12))
    assert sum(went[second] for second in range(7)) >= 30  # and no slower than it may be


def test_em_09_those_who_wait_are_told_why_and_keep_their_order(
    crowd: Callable[..., list[Profile]], queue: Queue, sink: Sink, now: datetime
) -> None:
    lanes.set_pace("email", "gmail.com", per_minute=60, now=now)
    first = [queue(one) for one in crowd("gmail.com", 4)]
    dispatch.tick(now)
    held = [state_of(one.id) for one in first if state_of(one.id).state == MessageState.DEFERRED]
    assert {one.reason for one in held} == {
        "By email to gmail.com go at most 60 messages a minute; it waits for its turn."
    }
    assert len({one.due_at for one in held}) == len(held) == 3
    assert {(one.guardrail, one.attempts) for one in held} == {("throughput", 0)}
    late = queue(first[0].profile, at=now + SECOND)
    for second in range(1, 4):
        dispatch.tick(now + second * SECOND)
    assert [state_of(one.id).state for one in first] == [MessageState.SENT] * 4
    assert state_of(late.id).state == MessageState.DEFERRED


def test_em_09_what_people_need_goes_at_once_and_the_rest_waits_for_it(
    crowd: Callable[..., list[Profile]], queue: Queue, sink: Sink, now: datetime
) -> None:
    lanes.set_pace("email", per_minute=60, now=now)
    people = crowd("gmail.com", 10)
    for one in people[:5]:
        queue(one)
    needed = [queue(one, "receipt") for one in people[5:]]
    dispatch.tick(now)
    assert [state_of(one.id).state for one in needed] == [MessageState.SENT] * 5
    assert len(sink.raw) == 5
    dispatch.tick(now + 3 * SECOND)
    assert len(sink.raw) == 5
    for second in range(4, 15):
        dispatch.tick(now + second * SECOND)
    assert len(sink.raw) == 10


def test_em_09_a_way_that_is_new_warms_up_day_by_day(
    crowd: Callable[..., list[Profile]], queue: Queue, sink: Sink, now: datetime
) -> None:
    lanes.set_pace("email", per_minute=6_000, warm_up=[2, 4], warm_up_from=now.date(), now=now)
    messages = [queue(one, expires_at=now + timedelta(days=9)) for one in crowd("gmail.com", 9)]
    sent = []
    for day in range(3):
        for minute in range(3):
            dispatch.tick(now + timedelta(days=day, minutes=minute))
        sent.append(len(sink.raw))
    assert sent == [2, 6, 9]
    assert {state_of(one.id).state for one in messages} == {MessageState.SENT}


def test_fm_36_a_provider_that_refuses_us_shuts_its_lane_and_no_other(
    crowd: Callable[..., list[Profile]], queue: Queue, sink: Sink, now: datetime
) -> None:
    refused = Counter[str]()

    def refuse(stage: str, address: str) -> str | None:
        if address.endswith("gmail.com"):
            refused[address] += 1
            return "421 4.7.28 Our system has detected an unusual rate of mail"
        return None

    sink.reply = refuse
    people = crowd("gmail.com", 60)
    messages = [queue(one) for one in people]
    others = [queue(one) for one in crowd("example.org", 3)]
    needed = queue(people[0], "receipt")
    for minute in range(30):
        dispatch.tick(now + timedelta(minutes=minute))
    assert {state_of(one.id).state for one in others} == {MessageState.SENT}
    assert {state_of(one.id).state for one in messages} == {MessageState.DEFERRED}
    assert state_of(needed.id).state == MessageState.DEFERRED  # its lane was tried apart, and is not shut by ours
    lane = Lane.objects.get(place="gmail.com", urgent=False)
    assert lane.shut_until is not None and "unusual rate" in lane.reason
    # The first few, and then one a time with longer and longer between; nobody's tries are used up.
    assert refused.total() < 25
    assert sum(one.attempts == 0 for one in Message.objects.filter(template__slug="hello")) > 50
    held = next(one for one in Message.objects.all() if one.guardrail == "throughput")
    assert held.reason.startswith("The way out by email to gmail.com is shut for a while, since the other side refused")

    sink.reply = lambda stage, address: None
    at = now + timedelta(minutes=30)
    for minute in range(0, 180, 5):
        dispatch.tick(at + timedelta(minutes=minute))
    assert {state_of(one.id).state for one in [*messages, needed]} == {MessageState.SENT}
    assert not Lane.objects.exclude(shut_until=None).exists()
    assert set(sink.count_by_id.values()) == {1}


def test_a_mail_server_that_is_away_shuts_the_channel_and_is_tried_by_one(
    crowd: Callable[..., list[Profile]], queue: Queue, sink: Sink, now: datetime, settings: Any
) -> None:
    settings.EMAIL_PORT = 9  # nobody listens there
    messages = [queue(one) for one in crowd("gmail.com", 5)]
    dispatch.tick(now)
    assert Lane.objects.get(place="", urgent=False).shut_until == now + timedelta(seconds=30)
    dispatch.tick(now + timedelta(seconds=20))
    assert {state_of(one.id).attempts for one in messages} == {1}
    settings.EMAIL_PORT = sink.port
    for minute in range(1, 4):
        dispatch.tick(now + timedelta(minutes=minute))
    assert {state_of(one.id).state for one in messages} == {MessageState.SENT}


def test_a_shut_lane_is_opened_by_hand(
    crowd: Callable[..., list[Profile]], queue: Queue, sink: Sink, now: datetime
) -> None:
    lanes.trouble("email", "gmail.com", reason="550 5.7.1 Blocked.", now=now)
    (one,) = crowd("gmail.com", 1)
    message = queue(one)
    dispatch.tick(now)
    assert state_of(message.id).state == MessageState.DEFERRED
    lanes.open_up(Lane.objects.get(), now=now)
    dispatch.tick(now)
    assert state_of(message.id).state == MessageState.SENT


def test_a_pace_that_makes_no_sense_is_refused_with_what_to_do(db: None, now: datetime) -> None:
    with pytest.raises(Invalid) as refused:
        lanes.set_pace("email", "googlemail.com", per_minute=0, warm_up=[5], now=now)
    assert {problem.path: problem.reason for problem in refused.value.problems} == {
        "place": "must be left empty, or be gmail.com, which takes in what goes there",
        "per_minute": "must be between 1 and 1,000,000 messages",
        "warm_up_from": "is missing: the first of the days",
    }


def test_domains_with_one_door_are_one_place() -> None:
    assert {Email().place(f"a@{domain}") for domain in ("GMAIL.com", "googlemail.com")} == {"gmail.com"}
    assert Email().place("a@example.org") == "example.org"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    per_minute=st.sampled_from([1, 7, 60, 300, 6_000]),
    arrivals=st.lists(st.tuples(st.integers(0, 20_000), st.booleans()), min_size=1, max_size=60),
)
def test_em_09_no_second_and_no_minute_sees_more_than_the_pace(
    db: None, now: datetime, per_minute: int, arrivals: list[tuple[int, bool]]
) -> None:
    """Whoever comes when: what is not urgent goes no faster than the pace and one second's worth more."""
    Pace.objects.all().delete()
    Lane.objects.all().delete()
    lanes.set_pace("email", per_minute=per_minute, now=now)
    went = []
    for at, waited in sorted(arrivals):
        moment = now + timedelta(milliseconds=at)
        way = Way("email", "", False)
        paces = Paces([way], moment)
        if paces.turn([way], had_one=waited) is None:
            went.append(moment)
        paces.keep()
    for begin in went:
        for length in (1, 10, 60):
            within = [one for one in went if begin <= one < begin + timedelta(seconds=length)]
            assert len(within) <= per_minute * (length + 1) / 60 + 1


def test_what_comes_while_a_way_is_shut_does_not_shut_it_for_longer(db: None, now: datetime) -> None:
    for second in range(5):
        lanes.trouble("email", "gmail.com", reason="Blocked.", now=now + second * SECOND)
    lane = Lane.objects.get()
    assert (lane.times_shut, lane.shut_until) == (1, now + timedelta(seconds=30))
    lanes.trouble("email", "gmail.com", reason="Blocked.", now=now + timedelta(seconds=31))
    lane.refresh_from_db()
    assert (lane.times_shut, lane.shut_until) == (2, now + timedelta(seconds=31 + 60))
