"""Items in, and what is written of them: once each, as a set, in one transaction."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from profiles import erasing, people
from profiles.ingest import Ours, Receipt, emit
from profiles.models import (
    Account,
    Claim,
    Event,
    EventDay,
    EventType,
    IdentityConflict,
    Merge,
    Profile,
    Pulse,
    RejectedEvent,
)
from tests.profiles.told import ago, alias, events_of, given, group, identify, somebody, state, track

HOUR = timedelta(hours=1)


# ── Once ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_that_comes_again_does_nothing(db: None, now: datetime) -> None:
    batch = [
        identify(userId="u", traits={"plan": "pro"}, messageId="1"),
        track(userId="u", messageId="2", timestamp=ago(now, hours=2)),
        group("g", userId="u", messageId="3"),
        alias("x", "u", messageId="4"),
        {"type": "page", "userId": "u", "messageId": "5"},
        track(userId="u", event="$no", messageId="6"),
    ]
    assert given(*batch, now=now, sent_at=now) == Receipt(5, 0, [(5, _OURS)])
    before = state()
    # A client that tries again stamps another sending time, so that the corrected times would differ.
    again = given(*batch, now=now + HOUR, sent_at=now - HOUR)
    assert (again.stored, again.repeated, [place for place, _ in again.rejected]) == (0, 5, [5])
    assert state() == before


_OURS = "event: begins with $, as only Cairn's own events do; choose another name"


def test_the_first_of_two_with_one_message_id_counts(db: None, now: datetime) -> None:
    receipt = given(track("First", userId="u", messageId="m"), track("Second", userId="u", messageId="m"), now=now)
    assert (receipt.stored, receipt.repeated) == (1, 1)
    assert given(track("Third", userId="u", messageId="m"), now=now).repeated == 1
    assert events_of("u") == ["First"]


@pytest.mark.parametrize(
    "late",
    [
        identify(userId="u", traits={"plan": "trial"}),
        group("other", userId="u"),
        alias("x", "u"),
        {"type": "screen", "userId": "u"},
    ],
)
def test_a_message_id_is_one_whatever_the_type_of_the_call(db: None, now: datetime, late: dict[str, Any]) -> None:
    given(track(userId="u", messageId="m"), now=now)
    before = state()
    assert given({**late, "messageId": "m"}, now=now + HOUR).repeated == 1
    assert state() == before


def test_two_that_send_the_same_at_once_store_it_once(transactional_db: None, now: datetime) -> None:
    batch = [track(userId=f"u{n % 7}", anonymousId=f"a{n % 5}", messageId=f"m{n}") for n in range(60)]
    receipts = _at_once(*[lambda order=order: given(*batch[::order], now=now) for order in (1, -1, 1, -1)])
    assert sum(receipt.stored for receipt in receipts) == 60
    assert (Event.objects.count(), Claim.objects.count(), Profile.objects.count()) == (60, 60, 7)
    assert sum(EventDay.objects.values_list("n", flat=True)) == 60


def test_two_that_bring_the_same_new_people_at_once_make_them_once(transactional_db: None, now: datetime) -> None:
    def batch(sender: int) -> Callable[[], Receipt]:
        calls = [
            call
            for n in range(15)
            for call in (
                track(anonymousId=f"a{n}"),
                identify(userId=f"u{n}", anonymousId=f"a{n}", traits={f"by{sender}": n}),
                group(f"g{n % 3}", userId=f"u{n}", traits={f"by{sender}": n}),
                alias(f"old{n}", f"u{n}"),
            )
        ]
        return lambda: given(*calls[:: (1 if sender % 2 else -1)], now=now)

    _at_once(*[batch(sender) for sender in range(4)])
    assert Profile.objects.exclude(external_id=None).count() == 15
    assert Event.objects.count() == 60
    assert sum(EventDay.objects.values_list("n", flat=True)) == 60
    for n in range(15):
        assert somebody(f"u{n}") == somebody(f"a{n}") == somebody(f"old{n}")
        assert set(somebody(f"u{n}").attributes) == {"by0", "by1", "by2", "by3"}
    assert Account.objects.count() == 3


def _at_once(*works: Callable[[], Any]) -> list[Any]:
    """Does each in a thread and connection of its own, all let go together."""
    gate = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(place: int) -> None:
        try:
            gate.wait()
            results[place] = works[place]()
        except BaseException as error:  # shown by the test, in its own thread
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


# ── As a set ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _mixed(people: int, salt: str, now: datetime) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []
    for n in range(people):
        user, device = f"{salt}-u{n}", f"{salt}-a{n}"
        calls += [
            track(anonymousId=device, timestamp=ago(now, days=n % 40)),
            identify(userId=user, traits={"plan": "pro", "n": n}),
            identify(userId=user, anonymousId=device, traits={"email": f"u{n}@example.com"}),
            group(f"{salt}-g{n % 5}", userId=user, traits={"seats": n}),
            {"type": "page", "userId": user, "name": "Home"},
            track(userId=user, event="$refused"),
        ]
    return calls


def test_a_large_batch_takes_as_many_statements_as_a_small_one(db: None, now: datetime) -> None:
    counts = []
    for people_of_batch, salt in ((2, "a"), (84, "b")):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            receipt = given(*_mixed(people_of_batch, salt, now), now=now)
        assert receipt.stored == 5 * people_of_batch
        counts.append(len(queries))
    assert counts[1] <= counts[0]


def test_a_batch_of_tracks_takes_few_statements(db: None, now: datetime) -> None:
    given(track(userId="u"), now=now)
    for size in (1, 500):
        with CaptureQueriesContext(connection) as queries:
            given(*[track(userId=f"{size}-{n % 50}") for n in range(size)], now=now)
        assert len(queries) <= 14


def test_a_bad_item_costs_no_other(db: None, now: datetime) -> None:
    receipt = given(
        track(userId="u"), 5, {"type": "nope"}, track(userId="u", event="a\x00"), track(userId="u"), now=now
    )
    assert receipt.stored == 2
    assert [place for place, _ in receipt.rejected] == [1, 2, 3]
    kept = RejectedEvent.objects.order_by("position")
    assert [(row.position, row.type, row.name, row.payload) for row in kept] == [
        (1, "", "", "5"),
        (2, "nope", "", '{"type":"nope"}'),
        (3, "track", "a", '{"type":"track","event":"a\\u0000","userId":"u"}'),
    ]
    assert [row.reason for row in kept] == [reason for _, reason in receipt.rejected]
    assert {row.source for row in kept} == {"key:Test"}
    assert {row.received_at for row in kept} == {now}


def test_what_was_refused_can_come_again_mended_under_its_id(db: None, now: datetime) -> None:
    given(track(userId="u", event="$x", messageId="m"), now=now)
    assert given(track(userId="u", event="x", messageId="m"), now=now).stored == 1


def test_nothing_of_a_batch_is_there_when_it_fails(db: None, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state()
    with pytest.raises(RuntimeError), transaction.atomic():
        given(*_mixed(3, "x", now), now=now)
        raise RuntimeError("the process ends here")
    assert state() == before
    assert Claim.objects.count() == 0


# ── Events, days and pulses ──────────────────────────────────────────────────────────────────────────────────────────


def test_events_are_stored_and_counted_by_day_in_utc(db: None, now: datetime) -> None:
    times = ["2026-11-22T23:59:59.999999Z", "2026-11-23T00:00:00Z", "2026-11-24T01:30:00+02:00"]
    given(*[track(userId="u", timestamp=time, properties={"n": 1.50}) for time in times], now=now)
    given(track(userId="u", timestamp="2026-11-23T12:00:00Z"), now=now)
    days = EventDay.objects.order_by("day").values_list("day", "n", "first_at", "last_at")
    assert [(str(day), n, first.isoformat(), last.isoformat()) for day, n, first, last in days] == [
        ("2026-11-22", 1, "2026-11-22T23:59:59.999999+00:00", "2026-11-22T23:59:59.999999+00:00"),
        ("2026-11-23", 3, "2026-11-23T00:00:00+00:00", "2026-11-23T23:30:00+00:00"),
    ]
    event = Event.objects.earliest("occurred_at")
    assert (event.received_at, event.properties, event.profile) == (now, {"n": 1.5}, somebody("u"))


def test_a_person_is_first_and_last_seen_by_when_it_happened(db: None, now: datetime) -> None:
    given(track(userId="u", timestamp=ago(now, hours=3)), track(userId="u", timestamp=ago(now, hours=5)), now=now)
    given(track(userId="u", timestamp=ago(now, hours=4)), now=now)
    assert (somebody("u").first_seen_at, somebody("u").last_seen_at) == (now - 5 * HOUR, now - 3 * HOUR)
    given(identify(userId="u"), now=now)
    assert somebody("u").last_seen_at == now


def test_a_person_gets_one_pulse_a_batch_with_all_that_is_fresh_and_one_with_what_is_not(
    db: None, now: datetime
) -> None:
    given(
        track("One", userId="u", timestamp=ago(now, hours=3)),
        track("Two", userId="u", timestamp=ago(now, hours=1)),
        track("Old", userId="u", timestamp=ago(now, days=2)),
        identify(userId="u", traits={"plan": "pro", "email": "u@example.com"}),
        now=now,
    )
    names = dict(EventType.objects.values_list("name", "pk"))
    ids = dict(Event.objects.values_list("type__name", "id"))
    fresh, old = Pulse.objects.order_by("cause")
    assert (fresh.cause, old.cause) == (Pulse.Cause.EVENT, Pulse.Cause.HISTORY)
    assert set(fresh.names) == {names["One"], names["Two"]}
    assert set(fresh.attributes) == {"external_id", "plan", "email"}
    assert set(fresh.events) == {ids["One"], ids["Two"]}
    assert (fresh.first_at, fresh.last_at, fresh.at) == (now - 3 * HOUR, now - HOUR, now)
    assert (old.names, old.attributes, old.events) == ([names["Old"]], [], [])
    assert (old.first_at, old.last_at, old.at) == (now - 48 * HOUR, now - 48 * HOUR, now)


@pytest.mark.parametrize(
    ("items", "causes"),
    [
        ([track(userId="u")], ["event"]),
        ([track(userId="u", timestamp="2026-11-20T10:00:00Z")], ["history"]),
        ([track(userId="u", historical=True)], ["history"]),
        ([identify(userId="u", traits={"a": 1})], ["attribute"]),
        ([identify(userId="u", traits={"a": 1}, historical=True)], ["history"]),
        ([identify(userId="u", traits={"a": 1}), track(userId="u", historical=True)], ["attribute", "history"]),
        ([identify(userId="u", traits={"a": 1}, historical=True), track(userId="u")], ["event", "history"]),
        ([identify(userId="u", traits={"a": 1}), track(userId="u")], ["event"]),
    ],
)
def test_the_cause_of_a_pulse_says_whether_anything_may_be_triggered(
    db: None, now: datetime, items: list[Any], causes: list[str]
) -> None:
    given(*items, now=now)
    assert sorted(pulse.cause for pulse in Pulse.objects.all()) == causes


def test_history_as_a_whole_triggers_nothing(db: None, now: datetime) -> None:
    given(track(userId="u"), identify(userId="v", traits={"a": 1}), now=now, historical=True)
    assert {(pulse.cause, tuple(pulse.events)) for pulse in Pulse.objects.all()} == {("history", ())}


def test_a_value_that_is_said_again_is_no_news(db: None, now: datetime) -> None:
    given(identify(userId="u", traits={"plan": "pro", "n": 1, "email": "u@example.com"}), now=now)
    Pulse.objects.all().delete()
    given(identify(userId="u", traits={"plan": "pro", "n": 1, "email": "u@example.com"}), now=now + HOUR)
    assert not Pulse.objects.exists()
    given(identify(userId="u", traits={"n": True}), now=now + HOUR)
    assert Pulse.objects.get().attributes == ["n"]


def test_whoever_takes_pulses_is_woken_once_it_is_committed(
    transactional_db: None, now: datetime, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from celery import current_app

    settings.CAIRN_WAKE_UPS = True
    sent: list[tuple[str, int]] = []
    monkeypatch.setattr(current_app, "send_task", lambda task, **_: sent.append((task, _seen_from_outside())))
    given(track(userId="u"), group("g", userId="v"), now=now)
    assert set(sent) == {("journeys.react", 1)}
    sent.clear()
    given(group("g", userId="v", traits={"seats": 5}), now=now)  # only the company has changed
    assert set(sent) == {("journeys.react", 1)}


def _seen_from_outside() -> int:
    found: list[int] = []

    def look() -> None:
        found.append(Event.objects.count())
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return found[0]


# ── Values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_last_write_wins_by_time_key_by_key(db: None, now: datetime) -> None:
    given(identify(userId="u", traits={"plan": "pro", "seats": 5, "email": "new@example.com"}), now=now)
    late = {"plan": "trial", "city": "Bern", "email": "old@example.com", "phone": "1"}
    given(identify(userId="u", traits=late, timestamp=ago(now, hours=1)), now=now)
    ada = somebody("u")
    assert ada.attributes == {"plan": "pro", "seats": 5, "city": "Bern"}
    assert (ada.email, ada.phone) == ("new@example.com", "1")
    given(identify(userId="u", traits={"plan": None}), now=now + HOUR)
    given(identify(userId="u", traits={"plan": "pro"}), now=now)
    assert somebody("u").attributes["plan"] is None


def test_traits_named_like_our_own_columns_are_attributes(db: None, now: datetime) -> None:
    odd = {"id": "x", "external_id": "y", "attributes": 1, "attribute_times": 2, "account_id": 3, "last_seen_at": "z"}
    given(identify(userId="u", traits=odd), group("g", userId="u", traits={**odd, "created_at": "w"}), now=now)
    assert somebody("u").attributes == odd
    assert Account.objects.get().attributes == {**odd, "created_at": "w"}
    assert (somebody("u").external_id, Account.objects.get().external_id) == ("u", "g")


def test_a_group_ties_the_person_and_fills_the_company(db: None, now: datetime) -> None:
    given(group("acme", userId="u", traits={"name": "Acme", "seats": 5}), now=now)
    given(group("acme", userId="v", traits={"seats": 3}, timestamp=ago(now, hours=1)), now=now)
    account = Account.objects.get()
    assert (account.external_id, account.name, account.attributes) == ("acme", "Acme", {"seats": 5})
    assert {somebody("u").account, somebody("v").account} == {account}
    given(group("late", userId="u", timestamp=ago(now, hours=1)), now=now)
    assert somebody("u").account == account
    given(group("next", userId="u"), now=now + HOUR)
    assert somebody("u").account == Account.objects.get(external_id="next")


def test_a_company_that_changes_is_news_for_all_its_people(db: None, now: datetime) -> None:
    given(*[group("acme", userId=f"u{n}", traits={"seats": 5}) for n in range(3)], track(userId="other"), now=now)
    Pulse.objects.all().delete()
    given(group("acme", userId="u0", traits={"seats": 5}), now=now + HOUR)
    assert not Pulse.objects.exists()
    given(group("acme", userId="u0", traits={"seats": 6}), now=now + HOUR)
    assert {p.profile_id for p in Pulse.objects.all()} == {somebody(f"u{n}").pk for n in range(3)}
    assert {(p.cause, *p.attributes) for p in Pulse.objects.all()} == {("attribute", "account.seats")}


def test_who_changes_company_is_looked_at_for_the_values_of_both(db: None, now: datetime) -> None:
    given(group("one", userId="u", traits={"seats": 5}), group("two", userId="v", traits={"plan": "pro"}), now=now)
    Pulse.objects.all().delete()
    given(group("two", userId="u"), now=now + HOUR)
    assert set(Pulse.objects.get().attributes) == {"account.name", "account.seats", "account.plan"}


# ── The catalogue ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_names_are_found_by_what_arrives(db: None, now: datetime) -> None:
    given(track("Visited", userId="u"), {"type": "page", "userId": "u"}, track(userId="u", event="$no"), now=now)
    assert set(EventType.objects.values_list("name", "status")) == {("Visited", "new"), ("page", "new")}


def test_a_blocked_name_is_refused_and_what_must_be_there_is_asked_for(db: None, now: datetime) -> None:
    given(track("Blocked", userId="u"), track("Strict", userId="u"), now=now)
    EventType.objects.filter(name="Blocked").update(status="blocked")
    EventType.objects.filter(name="Strict").update(required=["a", "b"])
    receipt = given(
        track("Blocked", userId="u"),
        track("Strict", userId="u", properties={"a": 0, "b": ""}),
        track("Strict", userId="u", properties={"a": None}),
        now=now,
    )
    assert receipt.stored == 1
    assert receipt.rejected == [
        (0, "event: Blocked is blocked in the data catalogue."),
        (2, "properties: Strict must have a, b, as the data catalogue says."),
    ]
    assert set(RejectedEvent.objects.values_list("name", flat=True)) == {"Blocked", "Strict"}


def test_a_former_name_is_stored_under_the_name_of_today(db: None, now: datetime) -> None:
    given(track("New name", userId="u"), now=now)
    today = EventType.objects.get(name="New name")
    EventType.objects.create(name="Old name", renamed_to=today, first_seen_at=now, last_seen_at=now)
    given(track("Old name", userId="u"), now=now)
    assert events_of("u") == ["New name", "New name"]
    EventType.objects.filter(name="New name").update(status="blocked")
    assert given(track("Old name", userId="u"), now=now).rejected


# ── The erased ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ER03_what_comes_late_does_not_bring_the_erased_back(db: None, now: datetime) -> None:
    given(identify(userId="canary-user", anonymousId="canary-device", messageId="1"), now=now - HOUR)
    people.erase(somebody("canary-user"), now=now)
    late = [
        track(userId="canary-user", timestamp=ago(now, minutes=1)),
        track(anonymousId="canary-device", timestamp=ago(now, days=30)),
        identify(userId="canary-user", traits={"email": "c@example.com"}, timestamp=ago(now, hours=0)),
        alias("canary-device", "somebody-else", timestamp=ago(now, hours=2)),
        track(userId="somebody-else", timestamp=ago(now, hours=2)),
    ]
    receipt = given(*late, now=now + HOUR)
    assert [place for place, _ in receipt.rejected] == [0, 1, 2, 3]
    assert receipt.stored == 1
    assert [p.external_id for p in Profile.objects.all()] == ["somebody-else"]
    assert not RejectedEvent.objects.filter(payload__contains="canary").exists()
    assert RejectedEvent.objects.filter(reason__contains="erased").count() == 4


def test_ER02_who_comes_back_after_an_erasure_is_somebody_new(db: None, now: datetime) -> None:
    given(identify(userId="u", traits={"plan": "pro"}), now=now - HOUR)
    before = somebody("u")
    erasing.erase(before, now=now)
    assert given(track(userId="u"), now=now + HOUR).stored == 1
    assert somebody("u").pk != before.pk
    assert somebody("u").attributes == {}
    # Even now that they are back, what is from before their erasure stays away.
    assert given(track(userId="u", timestamp=ago(now, hours=1)), now=now + HOUR).rejected


# ── Our own ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_our_own_events_go_the_same_way(db: None, now: datetime) -> None:
    given(track(userId="u"), now=now - HOUR)
    Pulse.objects.all().delete()
    ada = somebody("u")
    ours = [Ours(ada.pk, "$message_sent", {"channel": "email"}, now, f"sent:{n}") for n in (1, 2, 1)]
    emit(ours, now=now)
    emit(ours[:1], now=now + HOUR)
    events = Event.objects.filter(type__name="$message_sent")
    assert [(e.message_id, e.properties, e.occurred_at) for e in events.order_by("id")] == [
        ("sent:1", {"channel": "email"}, now),
        ("sent:2", {"channel": "email"}, now),
    ]
    assert EventDay.objects.get(type__name="$message_sent").n == 2
    pulse = Pulse.objects.get()
    assert (pulse.cause, set(pulse.events)) == ("event", {e.pk for e in events})
    assert somebody("u").last_seen_at == now - HOUR  # it is not they who did it


def test_our_own_events_follow_a_merge_and_pass_over_the_erased(db: None, now: datetime) -> None:
    given(track(anonymousId="x"), track(userId="u"), track(userId="gone"), now=now)
    absorbed, gone = somebody("x"), somebody("gone")
    given(alias("x", "u"), now=now)
    erasing.erase(gone, now=now)
    emit([Ours(id, "$message_sent", {}, now, f"m:{id}") for id in (absorbed.pk, gone.pk)], now=now)
    assert [e.profile for e in Event.objects.filter(type__name="$message_sent")] == [somebody("u")]


def test_emitting_nothing_does_nothing(db: None, now: datetime, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        emit([], now=now)
    assert given(now=now) == Receipt(0, 0, [])


# ── Months ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("year", [1970, 1999, 2020, 2024, 2026])
def test_there_is_a_month_for_whenever_it_was(db: None, now: datetime, year: int) -> None:
    happened = datetime(year, 1, 1, tzinfo=UTC)
    assert given(track(userId="u", timestamp=happened.isoformat()), now=now).stored == 1
    assert Event.objects.get().occurred_at == happened


def test_events_before_the_first_month_share_one_partition(db: None, now: datetime) -> None:
    given(track(userId="u", timestamp="1984-01-01T00:00:00Z"), track(userId="u"), now=now)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM profiles_event ORDER BY occurred_at")
        assert [name for (name,) in cursor.fetchall()] == ["profiles_event_older", "profiles_event_2026_11"]


def test_conflicts_and_merges_are_none_of_an_ordinary_batch(db: None, now: datetime) -> None:
    given(*[track(userId=f"u{n}", anonymousId="shared") for n in range(3)], now=now)
    assert not IdentityConflict.objects.exists() and not Merge.objects.exists()
    assert Profile.objects.count() == 3
