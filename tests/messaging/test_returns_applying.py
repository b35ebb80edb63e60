"""What is done about what was told: once, in any order, and only about what we sent to whom we sent it."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent import suppression
from consent.models import ConsentRecord, ConsentState, Suppression, Topic
from messaging import dispatch
from messaging.models import Lane, Message
from messaging.returns import applying, reports
from messaging.returns.models import Reached, Report
from messaging.returns.reports import Told
from profiles import erasing
from profiles.models import Event, Profile
from tests.messaging.conftest import state_of
from tests.messaging.returning import handed_over

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
NOT_THERE = "550 5.1.1 <ada@example.com>: user unknown"


@pytest.fixture
def sent(ada: Profile, write: Any, agree: Any, queue: Callable[..., Message], now: datetime) -> Message:
    write()
    agree(ada)
    return handed_over(queue(ada), now)


@pytest.fixture
def tell(sent: Message, now: datetime) -> Callable[..., Report]:
    """Tells something of the message, and acts on it."""

    def told(kind: str, *, at: datetime = now + MINUTE, received: datetime | None = None, **more: Any) -> Report:
        received = received or at
        usual = {"named": sent.id, "recipient": "Ada@Example.com", "at": at}
        told = Told(kind=kind, **{"source": "postmark", **usual, **more})
        reports.keep([told], now=received)
        applying.tick(received)
        return Report.objects.get(key=told.key)

    return told


def _told(name: str) -> list[dict[str, Any]]:
    return list(Event.objects.filter(type__name=name).values_list("properties", flat=True))


def _blocks() -> list[tuple[str, str]]:
    return sorted(Suppression.objects.values_list("reason", "scope"))


# ── What it comes to ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_was_delivered_is_told_as_an_event_of_the_person_when_it_happened(
    sent: Message, ada: Profile, tell: Any, now: datetime
) -> None:
    report = tell("delivered", received=now + 5 * MINUTE)
    assert (report.state, report.message_id) == ("applied", sent.id)
    assert state_of(sent.id).state == "delivered"
    event = Event.objects.get(type__name="$message_delivered")
    assert (event.profile_id, event.occurred_at) == (ada.id, now + MINUTE)
    assert event.properties["template"] == "hello"


def test_bo_01_an_address_that_does_not_exist_is_blocked_at_once_for_everything(sent: Message, tell: Any) -> None:
    tell("bounced", said=NOT_THERE, reason="bounced")
    message = state_of(sent.id)
    assert (message.state, _blocks()) == ("bounced", [("hard_bounce", "all")])
    assert message.reason == f"It came back: there is no such address ({NOT_THERE})."
    assert [one["bounce"] for one in _told("$message_bounced")] == ["hard"]


def test_bo_02_five_messages_in_vain_over_two_weeks_block_an_address_and_one_that_comes_through_frees_it(
    ada: Profile, write: Any, queue: Callable[..., Message], now: datetime
) -> None:
    write()
    for n in range(5):
        at = now + 4 * n * DAY
        message = handed_over(queue(ada), at)
        full = Told(
            source="x", kind="bounced", named=message.id, recipient=ada.email or "", said="552 5.2.2 full", at=at
        )
        reports.keep([full, replace(full, kind="deferred", said="452 4.2.2 full")], now=at)
        applying.tick(at)
        assert state_of(message.id).state == "failed"
        assert _blocks() == ([("soft_bounce", "all")] if n == 4 else [])
    assert Suppression.objects.get().note == "5 messages in a row could not be delivered, over 16 days."
    assert len(_told("$message_bounced")) == 5
    last = handed_over(queue(ada), now + 17 * DAY)
    came = Told(source="x", kind="delivered", named=last.id, recipient=ada.email or "", at=now + 17 * DAY)
    reports.keep([came], now=now + 17 * DAY)
    applying.tick(now + 17 * DAY)
    assert _blocks() == []


def test_bo_02_five_in_vain_within_days_block_nothing(
    ada: Profile, write: Any, queue: Callable[..., Message], now: datetime
) -> None:
    write()
    for n in range(7):
        at = now + n * DAY
        message = handed_over(queue(ada), at)
        reports.keep([Told(source="x", kind="deferred", named=message.id, recipient=ada.email or "", at=at)], now=at)
        applying.tick(at)
        assert state_of(message.id).state == "sent"
    assert _blocks() == []
    assert Reached.objects.count() == 7


def test_bo_02_what_a_mail_server_has_not_complained_of_for_days_came_through(
    ada: Profile, write: Any, queue: Callable[..., Message], now: datetime
) -> None:
    write()
    for n in range(6):
        at = now + 10 * n * DAY
        message = handed_over(queue(ada), at)
        full = Told(source="dsn", kind="failed", named=message.id, recipient=ada.email or "", said="5.2.2 full", at=at)
        reports.keep([full], now=at)
        applying.tick(at)
        handed_over(queue(ada), at + DAY)  # and nothing came back of this one
    assert _blocks() == []


def test_bo_02_that_a_mail_server_still_tries_counts_for_nothing(sent: Message, tell: Any) -> None:
    assert tell("delayed", source="dsn", said="4.4.1 no answer").state == "applied"
    assert not Reached.objects.exists()


def test_bo_03_where_several_are_turned_away_that_way_out_is_shut(
    ada: Profile, ben: Profile, cleo: Profile, write: Any, queue: Callable[..., Message], now: datetime
) -> None:
    write()
    Profile.objects.filter(id=cleo.id).update(email="cleo@example.com")
    cleo.refresh_from_db()
    shut = []
    for one in (ada, ben, cleo):
        message = handed_over(queue(one), now)
        turned = Told(source="x", kind="bounced", named=message.id, recipient=one.email or "", said="5.7.1 no", at=now)
        reports.keep([turned], now=now)
        applying.tick(now)
        shut.append(Lane.objects.filter(place="example.com", shut_until__gt=now).exists())
    assert shut == [False, False, True]
    assert _blocks() == []


def test_bo_02_what_a_server_says_at_the_door_counts_too(
    ada: Profile, write: Any, agree: Any, queue: Callable[..., Message], sink: Any, now: datetime
) -> None:
    write()
    agree(ada)
    message = queue(ada)
    sink.reply = lambda stage, address: "552 5.2.2 mailbox full" if stage == "rcpt" else None
    dispatch.tick(now)
    assert (state_of(message.id).state, _blocks()) == ("failed", [])
    assert list(Reached.objects.values_list("message", "came")) == [(message.id, False)]


@pytest.mark.parametrize(
    ("kind", "said", "reason"),
    [("bounced", "550 5.7.1 blocked by Spamhaus", "blocked"), ("bounced", "421 too many messages", ""),
     ("bounced", "554 5.4.14 hop count exceeded", ""), ("bounced", "550 5.3.4 message too big", "other"),
     ("bounced", "", "spam"), ("deferred", "421 4.7.28 rate limit", "")],
)  # fmt: skip
def test_bo_03_bo_04_what_is_wrong_with_us_or_the_message_never_touches_the_address(
    kind: str, said: str, reason: str, sent: Message, tell: Any
) -> None:
    assert tell(kind, said=said, reason=reason).state == "applied"
    assert state_of(sent.id).state == ("failed" if kind == "bounced" else "sent")
    assert _blocks() == []
    assert not ConsentRecord.objects.filter(state="denied").exists()


def test_bo_05_a_complaint_stops_marketing_by_the_channel_and_stands_in_the_ledger(
    sent: Message, ada: Profile, tell: Any
) -> None:
    tell("complained")
    assert state_of(sent.id).state == "complained"
    assert _blocks() == [("complaint", "marketing")]
    record = ConsentRecord.objects.get(topic="*")
    assert (record.channel, record.state, record.source, record.message) == ("email", "denied", "complaint", sent.id)
    assert ConsentState.objects.get(profile=ada, topic="news").state == "denied"
    assert len(_told("$message_complained")) == 1
    before = ConsentRecord.objects.count()
    tell("not-spam")
    assert (ConsentRecord.objects.count(), state_of(sent.id).state) == (before, "complained")


def test_bo_06_who_asks_the_provider_for_no_more_is_heard_and_a_providers_yes_is_no_consent(
    sent: Message, ada: Profile, tell: Any
) -> None:
    tell("unsubscribed")
    state = ConsentState.objects.get(profile=ada, topic="news")
    assert state.state == "denied"
    assert tell("subscribed").state == "ignored"
    state.refresh_from_db()
    assert state.state == "denied"


@pytest.mark.parametrize(
    ("reason", "blocked"),
    [("bounced", ("provider", "all")), ("spam", ("provider", "marketing")), ("unsubscribed", ("provider", "marketing")),
     ("invalid", ("hard_bounce", "all"))],
)  # fmt: skip
def test_bo_07_what_the_provider_does_not_send_we_do_not_try_again(
    reason: str, blocked: tuple[str, str], sent: Message, tell: Any
) -> None:
    tell("rejected", reason=reason)
    assert _blocks() == [blocked]
    assert state_of(sent.id).state in ("failed", "bounced")


def test_bo_08_what_we_do_not_understand_is_kept_and_shown_and_breaks_nothing(sent: Message, tell: Any) -> None:
    report = tell("bounced", said="Ihre Mail mag hier niemand")
    assert (report.state, report.why) == ("quarantined", "We do not know what it means.")
    assert state_of(sent.id).state == "sent"


def test_one_report_that_cannot_be_acted_on_costs_no_other(
    sent: Message, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = suppression.add

    def fail(*args: Any, **more: Any) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(suppression, "add", fail)
    told = [Told(source="x", kind=kind, named=sent.id, recipient=sent.address, said=NOT_THERE, at=now)
            for kind in ("delivered", "bounced")]  # fmt: skip
    reports.keep(told, now=now)
    assert applying.tick(now) == 2
    monkeypatch.setattr(suppression, "add", real)
    assert dict(Report.objects.values_list("kind", "state")) == {"delivered": "applied", "bounced": "quarantined"}
    assert Report.objects.get(kind="bounced").why == "It could not be acted on (RuntimeError)."
    assert state_of(sent.id).state == "delivered"


# ── Only what we sent, to whom we sent it ────────────────────────────────────────────────────────────────────────────
def test_pr_04_a_forged_report_silences_nobody(sent: Message, ben: Profile, tell: Any, now: datetime) -> None:
    forged = [
        tell("bounced", said=NOT_THERE, named=uuid4(), received=now + MINUTE),
        tell("bounced", said=NOT_THERE, recipient="ben@example.com"),
        tell("complained", recipient="ben@example.com"),
        tell("bounced", said=NOT_THERE, recipient=""),
    ]
    applying.tick(now + 30 * MINUTE)
    for report in forged:
        report.refresh_from_db()
    assert [report.state for report in forged] == ["quarantined"] * 4
    assert forged[0].why == "It is about no message that we sent."
    assert _blocks() == []
    assert state_of(sent.id).state == "sent"


def test_pr_04_what_was_never_sent_cannot_have_come_back(ada: Profile, write: Any, queue: Any, now: datetime) -> None:
    write()
    message = queue(ada)
    reports.keep([Told(source="x", kind="complained", named=message.id, at=now)], now=now)
    applying.tick(now)
    assert Report.objects.get().why == "We did not send this message."
    assert state_of(message.id).state == "queued"


def test_a_message_is_found_by_what_the_provider_calls_it_also_if_that_is_not_known_yet(
    sent: Message, now: datetime
) -> None:
    told = Told(source="postmark", kind="delivered", provider_id="abc", recipient="ada@example.com", at=now)
    reports.keep([told], now=now)
    applying.tick(now)
    assert Report.objects.get().state == "waiting"
    Message.objects.filter(id=sent.id).update(provider_id="abc", state="sending")
    assert applying.tick(now + MINUTE) == 1
    assert Report.objects.get().state == "waiting"  # its worker has not said what came of it
    Message.objects.filter(id=sent.id).update(state="sent")
    applying.tick(now + 2 * MINUTE)
    assert state_of(sent.id).state == "delivered"


def test_fm_04_what_nobody_knew_of_is_known_when_it_is_delivered_and_is_not_sent_again(
    sent: Message, tell: Any, now: datetime
) -> None:
    Message.objects.filter(id=sent.id).update(state="unknown", sent_at=None, reason="Nobody knows.")
    tell("delivered")
    assert (state_of(sent.id).state, state_of(sent.id).reason) == ("delivered", "")
    Message.objects.filter(id=sent.id).update(state="deferred", fence=4, due_at=now, reason="It is sent again.")
    tell("opened", recipient=sent.address)  # not agreed to, so nothing
    assert state_of(sent.id).state == "deferred"
    tell("delivered", event_id="again")
    assert (state_of(sent.id).state, state_of(sent.id).fence) == ("delivered", 5)


# ── Times ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("away", "state"),
    [(timedelta(hours=2), "quarantined"), (timedelta(minutes=59), "applied"), (-29 * DAY, "applied"),
     (-31 * DAY, "ignored")],
)  # fmt: skip
def test_pr_06_what_lies_in_the_future_or_long_ago_is_not_acted_on(
    away: timedelta, state: str, sent: Message, tell: Any, now: datetime
) -> None:
    report = tell("bounced", said=NOT_THERE, at=now + away, received=now)
    assert report.state == state
    assert bool(_blocks()) is (state == "applied")


# ── Order ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _all_of(message: Message, now: datetime) -> list[Told]:
    def told(kind: str, after: int, **more: Any) -> Told:
        at = now + after * MINUTE
        return Told(source="x", kind=kind, named=message.id, recipient=message.address, at=at, **more)

    return [
        told("sent", 1),
        told("deferred", 2, said="451 4.2.1 later"),
        told("delivered", 3),
        told("opened", 4),
        told("clicked", 5, url="https://example.com/a"),
        told("bounced", 6, said="552 5.2.2 full"),
        told("bounced", 7, said=NOT_THERE),
        told("bounced", 8, said="550 5.1.1 no such user here"),
        told("complained", 9),
        told("unsubscribed", 10),
        told("rejected", 11, reason="spam"),
        told("bounced", 12, said="550 5.7.1 policy"),
    ]


def _outcome(message: Message) -> tuple[Any, ...]:
    row = state_of(message.id)
    decisions = sorted(ConsentState.objects.values_list("topic", "channel", "state"))
    events = sorted(Event.objects.filter(type__name__startswith="$message_").values_list("message_id", flat=True))
    return row.state, row.reason, _blocks(), decisions, events, sorted(Reached.objects.values_list("came", "at"))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_pr_05_pr_08_whatever_comes_twice_and_in_any_order_comes_to_the_same(
    data: st.DataObject, sent: Message, ada: Profile, agree: Any, now: datetime
) -> None:
    told = data.draw(st.lists(st.sampled_from(_all_of(sent, now)), unique_by=lambda one: one.key, min_size=1))
    shuffled = data.draw(st.permutations(told + data.draw(st.lists(st.sampled_from(told), max_size=4))))
    cuts = random.Random(data.draw(st.integers(0, 999)))
    later = now + 20 * MINUTE
    outcomes = []
    for order, together in ((told, True), (shuffled, False)):
        with transaction.atomic():
            Topic.objects.get_or_create(slug="tracking", defaults={"name": "T", "channels": ["email"]})
            agree(ada, topic="tracking")
            todo = list(order)
            while todo:
                size = len(todo) if together else cuts.randint(1, len(todo))
                reports.keep(todo[:size], now=later)
                applying.tick(later)
                del todo[:size]
            assert not Report.objects.filter(state="waiting").exists()
            outcomes.append(_outcome(sent))
            transaction.set_rollback(True)
    looks = {"opened", "clicked"} & {one.kind for one in told}
    if looks and {"complained", "unsubscribed"} & {one.kind for one in told}:
        # Who takes their consent back is no longer looked at from that moment on, so what was told before decides.
        outcomes = [outcome[2:4] for outcome in outcomes]
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("kinds", [("delivered", "bounced"), ("bounced", "delivered"), ("complained", "delivered")])
def test_pr_05_a_late_word_of_delivery_undoes_nothing(kinds: tuple[str, str], sent: Message, tell: Any) -> None:
    for kind in kinds:
        tell(kind, said=NOT_THERE if kind == "bounced" else "")
    assert state_of(sent.id).state in ("bounced", "complained")
    assert len(_blocks()) == 1


# ── Opens and clicks that a provider saw ─────────────────────────────────────────────────────────────────────────────
def test_co_15_what_a_provider_saw_of_who_did_not_agree_is_not_kept(sent: Message, tell: Any) -> None:
    report = tell("opened", agent="Mozilla/5.0 (Windows NT 10.0)", raw="with an address of the network")
    assert (report.state, report.agent, report.raw) == ("ignored", "", "")
    assert _told("$message_opened") == []


def test_bt_01_what_a_program_opened_moves_nothing(
    sent: Message, ada: Profile, agree: Any, tell: Any, now: datetime
) -> None:
    Topic.objects.create(slug="tracking", name="T", channels=["email"])
    agree(ada, topic="tracking")
    assert tell("opened", agent="Mozilla/5.0").state == "ignored"
    assert state_of(sent.id).state == "sent"
    assert tell("opened", agent="Mozilla/5.0 (Macintosh) AppleWebKit/605", event_id="2").state == "applied"
    assert state_of(sent.id).state == "opened"
    assert len(_told("$message_opened")) == 1


# ── People who go ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_er_01_erasing_leaves_no_report_on_the_person_and_later_ones_do_nothing(
    sent: Message, ada: Profile, tell: Any, now: datetime
) -> None:
    tell("delivered")
    reports.keep([Told(source="x", kind="bounced", recipient="ada@example.com", at=now)], now=now)
    applying.tick(now + 30 * MINUTE)
    assert Report.objects.filter(message=None).count() == 1
    erasing.erase(ada, now=now + 31 * MINUTE)
    assert not Report.objects.exists()
    assert tell("complained", received=now + 32 * MINUTE).why == "The person was erased."
    assert state_of(sent.id).state == "delivered"
