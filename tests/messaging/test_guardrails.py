"""The guardrails: what each holds back, in which order, and that none of them lets anything go that another held."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from itertools import combinations
from typing import Any
from uuid import UUID, uuid4

import pytest

from consent import limits as consent_limits
from consent import preferences, states, suppression
from consent.models import ConsentRecord, Preference, Suppression, Topic
from foundation import registry
from messaging import brands, dispatch, judging, lanes, limits
from messaging.broadcasts import running
from messaging.broadcasts.models import Broadcast
from messaging.domains import policy
from messaging.domains.models import SenderDomain
from messaging.holdouts import periods
from messaging.judging import ALLOW, GUARDRAILS, Block, Candidate, Defer, Guardrail, Verdict, judge
from messaging.limits import Most
from messaging.models import Message, MessageState, Template
from profiles.models import Profile
from segments.models import Segment
from tests.messaging import by_channel
from tests.messaging.conftest import state_of
from tests.messaging.sides import stand
from tests.messaging.sink import Sink

Write = Callable[..., Template]
Agree = Callable[..., None]
Queue = Callable[..., Message]
Person = Callable[..., Profile]


@pytest.fixture
def after(queue: Queue, sink: Sink, now: datetime, write: Write) -> Callable[..., Message]:
    """What became of a message to somebody."""

    def send(profile: Profile, template: str = "hello", **fields: Any) -> Message:
        if not Template.objects.filter(slug=template).exists():
            write(template)
        message = queue(profile, template, **fields)
        dispatch.tick(now)
        return state_of(message.id)

    return send


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[UUID, str]]:
    """Enrollments that are over, with the reason: an answer to `still_wanted` such as journeys give."""
    over: dict[UUID, str] = {}

    def answer(messages: Sequence[Message]) -> dict[UUID, str]:
        return {message.id: over[message.enrollment] for message in messages if message.enrollment in over}

    answer.__module__ = "journeys.answers"
    monkeypatch.setattr(registry.still_wanted, "_answers", [answer])
    yield over


# ── Each of them ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_nobody_to_write_to(person: Person, agree: Agree, after: Callable[..., Message]) -> None:
    cleo = person("cleo", first_name="Cleo")
    agree(cleo)
    found = after(cleo)
    assert (found.state, found.guardrail) == (MessageState.SUPPRESSED, "address")
    assert found.reason == "Cleo has no address for email."


@pytest.mark.parametrize("email", ["no address", "a@b", "a@b.example\r\nBcc: x@y.example", "a" * 250 + "@b.example",
                                   "Ada <ada@example.com>", "a@example.com,b@example.com"])  # fmt: skip
def test_an_address_that_is_none_is_not_written_to(
    email: str, person: Person, agree: Agree, after: Callable[..., Message], sink: Sink
) -> None:
    ada = person("ada", email=email, first_name="Ada")
    agree(ada)
    found = after(ada)
    assert (found.state, found.guardrail) == (MessageState.SUPPRESSED, "address")
    assert sink.mails == []


def test_a_bounced_address_gets_nothing_not_even_what_is_needed(
    ada: Profile, receipts: Topic, write: Write, after: Callable[..., Message], now: datetime
) -> None:
    suppression.add("email", "ADA@example.com", Suppression.Reason.HARD_BOUNCE, now, Suppression.Scope.ALL)
    write("receipt", topic="receipts")
    found = after(ada, "receipt")
    assert (found.state, found.guardrail) == (MessageState.SUPPRESSED, "suppression")
    assert found.reason == "The address of Ada is blocked, since mail to it came back: there is no such address."
    assert found.evidence["reason"] == "hard_bounce"


def test_who_complained_gets_only_what_they_need(
    ada: Profile, receipts: Topic, write: Write, agree: Agree, after: Callable[..., Message], now: datetime
) -> None:
    agree(ada)
    suppression.add("email", "ada@example.com", Suppression.Reason.COMPLAINT, now, Suppression.Scope.MARKETING)
    write("receipt", topic="receipts")
    assert after(ada, "receipt").state == MessageState.SENT
    found = after(ada)
    assert (found.state, found.guardrail) == (MessageState.SUPPRESSED, "suppression")
    assert "marked a message as spam" in found.reason


def test_who_declined_is_told_apart_from_who_said_nothing(
    ben: Profile, agree: Agree, after: Callable[..., Message], now: datetime
) -> None:
    agree(ben, state="denied")
    found = after(ben)
    assert (found.guardrail, found.reason) == ("consent", "Ben declined Product news by email.")
    assert found.evidence["since"] == now.isoformat()
    assert found.evidence["record"]


def test_who_declined_everything_declined_this_too_but_not_what_they_need(
    ben: Profile, receipts: Topic, write: Write, agree: Agree, after: Callable[..., Message], now: datetime
) -> None:
    agree(ben, topic="*", state="denied")
    write("receipt", topic="receipts")
    found = after(ben)
    assert found.reason == "Ben declined everything, and so Product news by email."
    assert after(ben, "receipt").state == MessageState.SENT


@pytest.mark.parametrize(
    ("basis", "choice", "sent"),
    [("consent", None, False), ("consent", "granted", True), ("consent", "denied", False),
     ("legitimate_interest", None, True), ("legitimate_interest", "denied", False), ("soft_opt_in", None, True)],
)  # fmt: skip
def test_the_basis_of_a_topic_says_what_silence_means(
    basis: str, choice: str | None, sent: bool, ada: Profile, news: Topic, agree: Agree, after: Callable[..., Message]
) -> None:
    Topic.objects.filter(id=news.id).update(basis=basis)
    if choice:
        agree(ada, state=choice)
    assert (after(ada).state == MessageState.SENT) is sent


def test_a_pause_puts_off_until_its_end_and_no_further_than_the_message_is_good_for(
    ada: Profile, agree: Agree, after: Callable[..., Message], now: datetime, sink: Sink
) -> None:
    agree(ada)
    preferences.save(ada.id, now=now, paused_until=now + timedelta(days=1))
    short = after(ada)
    assert (short.state, short.guardrail, short.due_at) == (MessageState.DEFERRED, "paused", now + timedelta(days=1))
    assert short.reason.startswith("Ada asked for a pause until 25 November 2026")
    assert short.attempts == 0  # waiting is no try
    dispatch.tick(now + timedelta(hours=23))
    assert state_of(short.id).state == MessageState.DEFERRED
    dispatch.tick(now + timedelta(days=1))
    assert state_of(short.id).state == MessageState.SENT

    preferences.save(ada.id, now=now, paused_until=now + timedelta(days=30))
    long = after(ada)
    assert long.due_at == now + timedelta(hours=48)
    dispatch.tick(now + timedelta(hours=48))
    stale = state_of(long.id)
    assert stale.state == MessageState.EXPIRED
    assert "asked for a pause" in stale.reason
    assert len(sink.mails) == 1


def test_CO25_the_end_of_a_pause_brings_one_message_and_no_burst_and_nothing_was_withdrawn(
    ada: Profile, receipts: Topic, agree: Agree, queue: Queue, write: Write, now: datetime, sink: Sink
) -> None:
    agree(ada)
    write()
    write("receipt", topic="receipts")
    limits.save(caps=[], quiet_from=time(22), quiet_to=time(8), now=now)
    end = now.replace(hour=0) + timedelta(days=30)  # in the night
    before = ConsentRecord.objects.count()
    preferences.save(ada.id, now=now, paused_until=end)
    last = end - timedelta(hours=12)
    held = [queue(ada, at=last + timedelta(minutes=n)) for n in range(12)]
    needed = queue(ada, "receipt", at=last)
    for at in (last + timedelta(hours=1), end, end + timedelta(minutes=5), end + timedelta(hours=9)):
        dispatch.tick(at)
    states_now = [state_of(one.id) for one in held]
    assert [one.state for one in states_now] == [*["suppressed"] * 11, "sent"]
    assert state_of(needed.id).state == "sent" and len(sink.mails) == 2
    assert {one.guardrail for one in states_now[:-1]} == {"paused"}
    assert "a newer one stands for all" in states_now[0].reason
    assert ConsentRecord.objects.count() == before and states.of([ada.id], "news", "email")[ada.id].state == "granted"
    later = queue(ada, at=end + timedelta(hours=10))
    dispatch.tick(end + timedelta(hours=10))
    assert state_of(later.id).state == "sent"  # what comes after it goes as ever


def test_what_is_needed_passes_a_pause(
    ada: Profile, receipts: Topic, write: Write, after: Callable[..., Message], now: datetime
) -> None:
    preferences.save(ada.id, now=now, paused_until=now + timedelta(days=1))
    write("receipt", topic="receipts")
    assert after(ada, "receipt").state == MessageState.SENT


def test_what_is_no_longer_wanted_is_dropped_with_the_reason_of_those_who_wanted_it(
    ada: Profile, agree: Agree, after: Callable[..., Message], wanted: dict[UUID, str]
) -> None:
    agree(ada)
    over, going = uuid4(), uuid4()
    wanted[over] = "Ada reached the goal of Onboarding."
    assert after(ada, enrollment=going).state == MessageState.SENT
    found = after(ada, enrollment=over)
    assert (found.state, found.guardrail) == (MessageState.SUPPRESSED, "wanted")
    assert found.reason == "Ada reached the goal of Onboarding."


# ── All of them ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_order_is_that_of_the_design() -> None:
    keys = [guardrail.key for guardrail in judging.in_order()]
    order = ["address", "restricted", "suppression", "consent", "paused", "wanted", "caps", "cooldown", "hours"]
    assert [key for key in keys if key in order] == order
    orders = [guardrail.order for guardrail in judging.in_order()]
    assert len(set(orders)) == len(orders)


def test_the_first_that_holds_back_is_the_one_that_is_named(
    ben: Profile, agree: Agree, after: Callable[..., Message], now: datetime
) -> None:
    suppression.add("email", "ben@example.com", Suppression.Reason.MANUAL, now, Suppression.Scope.ALL)
    agree(ben, state="denied")
    preferences.save(ben.id, now=now, paused_until=now + timedelta(days=1))
    assert after(ben).guardrail == "suppression"


@pytest.fixture
def crowd(
    person: Person,
    receipts: Topic,
    write: Write,
    agree: Agree,
    queue: Queue,
    now: datetime,
    wanted: dict[UUID, str],
    settings: Any,
) -> list[Candidate]:
    """Somebody for every reason, and somebody for none, each with marketing and with something needed."""
    settings.POSTAL_ADDRESS = ""
    limits.save(caps=[Most(1, 48)], template_cooldown=6, quiet_from=time(22), quiet_to=time(8), now=now)
    write()
    write("receipt", topic="receipts")
    people = {
        name: person(name, email=f"{name}@example.com") for name in ("fine", "bounced", "denied", "paused", "over")
    }
    Topic.objects.filter(slug="news").update(min_age=16)
    people["limited"] = person("limited", email="limited@example.com")
    consent_limits.restrict(people["limited"], now=now)
    people |= {"nowhere": person("nowhere"), "silent": person("silent", email="silent@example.com")}
    people |= {name: person(name, email=f"{name}@example.com") for name in ("full", "recent")}
    people["asleep"] = person("asleep", email="asleep@example.com", timezone="America/Los_Angeles")
    for name, ago in (("full", 7), ("recent", 1)):
        Message.objects.filter(id=queue(people[name]).id).update(
            state=MessageState.SENT, sending_at=now - timedelta(hours=ago), sent_at=now - timedelta(hours=ago)
        )
    agree(*(people[name] for name in people if name not in ("denied", "silent")))
    agree(people["denied"], state="denied")
    suppression.add("email", "bounced@example.com", Suppression.Reason.HARD_BOUNCE, now, Suppression.Scope.ALL)
    preferences.save(people["paused"].id, now=now, paused_until=now + timedelta(days=1))
    people |= {name: person(name, email=f"{name}@example.com") for name in ("held", "called_off")}
    people["shut"] = person("shut", email="shut@shut.example")
    lanes.trouble("email", "shut.example", reason="550 5.7.1 no.", now=now)
    agree(*(people[name] for name in ("held", "called_off", "shut")))
    stand(periods.start("2026-q4", 5, now=now), *((one, name == "held") for name, one in people.items()))
    people["young"] = person("young", email="young@example.com", attributes={"birthday": "2020-05-05"})
    agree(people["young"])
    settings.SENDER_DOMAINS = "verified"
    ours = policy.domain_of(brands.current().sender_address)
    SenderDomain.objects.create(name=ours, status=SenderDomain.Status.FAILED, since=now, checked_at=now, next_at=now)
    candidates = []
    for name, profile in people.items():
        profile.attributes = profile.attributes or {"birthday": "1980-05-05"}
        for template in ("hello", "receipt"):
            enrollment = uuid4()
            if name == "over":
                wanted[enrollment] = "It is over."
            message = queue(profile, template, enrollment=enrollment)
            if name == "called_off":
                message.idempotency_key = f"{running.key_of(_called_off(now))}{message.id}"
            consent = states.of([profile.id], message.topic.slug, "email").get(profile.id)
            wishes = preferences.of([profile.id])[profile.id]
            candidates.append(Candidate(message, profile, message.topic, profile.email or "", consent, wishes))
    texted = person("texted", phone="+436601234567", attributes={"birthday": "1980-05-05"})
    message, wishes = by_channel.queued(texted, "sms", now), preferences.of([texted.id])[texted.id]
    candidates.append(Candidate(message, texted, message.topic, texted.phone or "", None, wishes))
    return candidates


def _called_off(now: datetime) -> UUID:
    """A broadcast that was cancelled."""
    segment, _ = Segment.objects.get_or_create(slug="all", defaults={"name": "All", "created_at": now})
    template = Template.objects.get(slug="hello")
    return Broadcast.objects.create(
        name="x", segment=segment, template=template, state="cancelled", author="x", created_at=now, started_at=now
    ).id


@pytest.mark.parametrize("key", GUARDRAILS.keys())
def test_a_guardrail_answers_for_each_it_is_asked_about_and_for_no_other(
    key: str, crowd: list[Candidate], now: datetime
) -> None:
    rail = GUARDRAILS[key]()
    whole = rail.judge(crowd, now)
    assert set(whole) == {one.id for one in crowd}
    assert rail.judge([], now) == {}
    for verdict in whole.values():
        match verdict:
            case Block(reason, evidence):
                assert reason.endswith(".")
                assert isinstance(evidence, Mapping)
            case Defer(until, reason, _):
                assert until > now
                assert reason.endswith(".")
            case _:
                assert verdict == ALLOW

    # Alone or in a crowd, the verdict is the same; only who waits for a way out is told a moment of their own.
    def same(verdict: Verdict) -> Verdict:
        return replace(verdict, until=now) if key == "throughput" and isinstance(verdict, Defer) else verdict

    for one in crowd:
        assert {id: same(found) for id, found in rail.judge([one], now).items()} == {one.id: same(whole[one.id])}


@pytest.mark.parametrize("key", GUARDRAILS.keys())
def test_a_guardrail_holds_somebody_back_and_lets_somebody_go(key: str, crowd: list[Candidate], now: datetime) -> None:
    verdicts = list(GUARDRAILS[key]().judge(crowd, now).values())
    assert ALLOW in verdicts
    assert any(verdict != ALLOW for verdict in verdicts)


def test_a_guardrail_only_subtracts(crowd: list[Candidate], now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    rails = judging.in_order()
    allowed: dict[frozenset[str], set[UUID]] = {}
    for size in (0, 1, 2, 3, len(rails) - 1, len(rails)):
        for some in combinations(rails, size):
            monkeypatch.setattr(judging, "in_order", lambda some=some: list(some))
            judged = judge(crowd, now)
            allowed[frozenset(rail.key for rail in some)] = {id for id, found in judged.items() if not found.guardrail}
    for keys, let_go in allowed.items():
        for rail in rails:
            assert allowed.get(keys | {rail.key}, set()) <= let_go


def test_judging_takes_as_many_statements_for_many_as_for_few(
    crowd: list[Candidate], now: datetime, django_assert_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    judge(crowd, now)
    with CaptureQueriesContext(connection) as few:
        judge(crowd[:1], now)
    with CaptureQueriesContext(connection) as many:
        judge(crowd, now)
    assert len(many) <= len(few) + len(GUARDRAILS.keys())


# ── SE-03: what cannot be looked up lets nothing through ─────────────────────────────────────────────────────────────
class _Broken(Guardrail):
    key, label, order = "broken", "Breaks", 0

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        raise TimeoutError("the look-up took too long")


class _Silent(Guardrail):
    key, label, order = "silent", "Says nothing", 0

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        return {one.id: ALLOW for one in candidates[1:]}


@pytest.mark.parametrize("rail", [_Broken, _Silent])
def test_se_03_a_guardrail_that_fails_lets_nothing_through(
    rail: type[Guardrail],
    ada: Profile,
    ben: Profile,
    write: Write,
    agree: Agree,
    queue: Queue,
    sink: Sink,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write()
    agree(ada, ben)
    queued = [queue(ada), queue(ben)]
    whole = judging.in_order()
    monkeypatch.setattr(judging, "in_order", lambda: [*whole, rail])
    at = now
    for _ in range(20):
        dispatch.tick(at)
        at += timedelta(seconds=30)
    assert sink.mails == []
    for message in queued:
        found = state_of(message.id)
        assert found.state == MessageState.DEFERRED
        assert "could not be judged" in found.reason
    monkeypatch.setattr(judging, "in_order", lambda: whole)
    at += timedelta(hours=2)
    while dispatch.tick(at):
        pass
    assert len(sink.mails) == 2


@pytest.mark.parametrize("place", ["consent.states.lock", "consent.suppression.find", "consent.preferences.of",
                                   "foundation.registry.still_wanted.ask", "messaging.brands.current",
                                   "messaging.limits.caps", "messaging.limits.current"])  # fmt: skip
def test_se_03_a_look_up_that_fails_lets_nothing_through(
    place: str,
    ada: Profile,
    write: Write,
    agree: Agree,
    queue: Queue,
    sink: Sink,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write()
    agree(ada)
    message = queue(ada)

    def fail(*_: Any, **__: Any) -> Any:
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(place, fail)
        dispatch.tick(now)
    assert sink.mails == []
    found = state_of(message.id)
    assert found.state == MessageState.DEFERRED
    dispatch.tick(found.due_at)
    assert len(sink.mails) == 1


def test_a_key_taken_twice_is_refused_at_import() -> None:
    class Again(_Silent):
        key = "consent"

    with pytest.raises(ValueError, match="claim the key 'consent'"):
        GUARDRAILS.keys() and GUARDRAILS.register(Again)


def test_preferences_of_nobody_are_the_normal(ada: Profile) -> None:
    assert preferences.of([ada.id])[ada.id].intensity == Preference.Intensity.NORMAL
