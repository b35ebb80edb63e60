"""Pulses: added, taken once, by one worker at a time."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from profiles import pulses
from profiles.models import Event, EventType, Pulse
from tests.profiles.told import ago, given, identify, somebody, track

TIME = Pulse.Cause.TIME


def _ids(n: int) -> list[UUID]:
    return [uuid4() for _ in range(n)]


def _touch(ids: list[UUID], now: datetime) -> None:
    for id in ids:  # one by one, so that they wait in this order
        pulses.touch([id], cause=TIME, now=now)


class Worker:
    """Another worker: a thread with a connection and a transaction of its own, which stays open until it is let go."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work, self._go, self._done = work, threading.Event(), threading.Event()
        self.result: Any = None
        self._fails = False
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            with transaction.atomic():
                self.result = self._work()
                self._done.set()
                self._go.wait(30)
                if self._fails:
                    raise RuntimeError("the worker dies")
        except RuntimeError:
            pass
        finally:
            self._done.set()
            connection.close()

    def end(self, *, fails: bool = False) -> None:
        self._fails = fails
        self._go.set()
        self._thread.join(30)

    def start(self) -> "Worker":
        self._thread.start()
        assert self._done.wait(30)
        return self


@contextmanager
def another(work: Callable[[], Any], *, fails: bool = False) -> Iterator[Any]:
    worker = Worker(work).start()
    try:
        yield worker.result
    finally:
        worker.end(fails=fails)


def _claim(limit: int, now: datetime) -> list[UUID]:
    with transaction.atomic():
        return [taken.profile_id for taken in pulses.claim(limit, now=now)]


def test_all_that_waits_for_a_person_is_taken_as_one(db: None, now: datetime) -> None:
    given(track("One", userId="u", timestamp=ago(now, hours=2)), identify(userId="u", traits={"plan": "pro"}), now=now)
    given(track("Two", userId="u"), track("Old", userId="u", historical=True), now=now)
    pulses.touch([somebody("u").pk], cause=TIME, now=now, attributes=["account.seats"])
    [taken] = pulses.claim(10, now=now)
    ids = dict(Event.objects.values_list("type__name", "id"))
    assert taken == pulses.Taken(
        profile_id=somebody("u").pk,
        causes=frozenset({"event", "time", "history"}),
        names=frozenset(EventType.objects.values_list("id", flat=True)),
        attributes=frozenset({"external_id", "plan", "account.seats"}),
        events=(ids["One"], ids["Two"]),
        first_at=now - timedelta(hours=2),
        last_at=now,
        late_names=frozenset({EventType.objects.get(name="Old").id}),
        known_at=now,
    )
    assert pulses.claim(10, now=now) == []


def test_those_who_wait_longest_come_first(db: None, now: datetime) -> None:
    ids = _ids(30)
    _touch([*ids, *ids[:10]], now)
    assert [_claim(10, now) for _ in range(4)] == [ids[:10], ids[10:20], ids[20:], []]
    assert not Pulse.objects.exists()


def test_who_came_by_themselves_and_who_came_with_many_wait_apart(db: None, now: datetime) -> None:
    crowd, [eve] = _ids(pulses.MANY + 1), _ids(1)
    pulses.touch(crowd, cause=TIME, now=now)
    given(*(track("Old", userId=f"u{n}", messageId=f"m{n}") for n in range(2)), historical=True, now=now)
    _touch([eve, crowd[0]], now)
    assert pulses.waiting() == (True, True)
    with transaction.atomic():
        found = [taken.profile_id for taken in pulses.claim(100, crowd=False, now=now)]
    assert found == [eve, crowd[0]]
    assert pulses.waiting() == (False, True), "all of theirs is taken with it"
    found = _claim(100, now)
    assert sorted(found) == sorted([*crowd[1:], *(somebody(f"u{n}").pk for n in range(2))])


def test_a_person_with_many_pulses_is_one_person(db: None, now: datetime) -> None:
    busy, quiet = _ids(2)
    _touch([*[busy] * 50, quiet], now)
    assert _claim(2, now) == [busy, quiet]


def test_two_workers_never_have_the_same_person(transactional_db: None, now: datetime) -> None:
    ids = _ids(20)
    _touch(ids, now)
    with another(lambda: pulses.claim(8, now=now)) as theirs:
        ours = _claim(20, now)
        assert {taken.profile_id for taken in theirs} == set(ids[:8])
        assert ours == ids[8:]
    assert not Pulse.objects.exists()


def test_who_is_locked_by_somebody_else_is_passed_by_and_not_lost(transactional_db: None, now: datetime) -> None:
    ids = _ids(3)
    _touch(ids, now)
    with another(lambda: pulses.lock([ids[0]])):
        assert _claim(10, now) == ids[1:]
        assert _claim(10, now) == []
    assert _claim(10, now) == ids[:1]


def test_somebody_who_is_locked_does_not_hide_those_behind(transactional_db: None, now: datetime) -> None:
    locked, free = _ids(30), _ids(3)
    _touch([*locked, *free], now)
    with another(lambda: pulses.lock(locked)):
        assert _claim(2, now) == free[:2]


def test_what_comes_meanwhile_stays_for_the_next_time(transactional_db: None, now: datetime) -> None:
    ids = _ids(2)
    _touch(ids, now)
    with another(lambda: pulses.claim(10, now=now)) as theirs:
        assert len(theirs) == 2
        _touch(ids, now)
        assert _claim(10, now) == []
    assert _claim(10, now) == ids


def test_the_pulses_of_a_worker_that_dies_are_there_again(transactional_db: None, now: datetime) -> None:
    ids = _ids(2)
    _touch(ids, now)
    with another(lambda: pulses.claim(10, now=now), fails=True):
        assert _claim(10, now) == []
    assert _claim(10, now) == ids


def test_four_workers_take_everything_once(transactional_db: None, now: datetime) -> None:
    people = _ids(60)
    pulses.touch([*people, *people, *people], cause=TIME, now=now)
    gate, taken = threading.Barrier(4), []

    def work() -> None:
        try:
            gate.wait()
            while Pulse.objects.exists():
                with transaction.atomic():
                    taken.extend(pulses.claim(7, now=now))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.profile_id for one in taken) == sorted(people)


def test_a_lock_is_one_mans_until_the_transaction_ends(transactional_db: None) -> None:
    one, two = _ids(2)
    with another(lambda: pulses.lock([one])) as theirs, transaction.atomic():
        assert theirs == {one}
        assert pulses.lock([one, two]) == {two}
        assert pulses.lock([two]) == {two}  # ours already
    with transaction.atomic():
        assert pulses.lock([one, two]) == {one, two}
        assert pulses.lock([]) == set()


def test_locking_all_waits_for_whoever_has_one(transactional_db: None) -> None:
    ids = _ids(5)
    order: list[str] = []
    worker = Worker(lambda: pulses.lock(ids[:1])).start()

    def wait_for_it() -> None:
        with transaction.atomic():
            pulses.lock_all(ids)
            order.append("locked")
        connection.close()

    waiting = threading.Thread(target=wait_for_it)
    waiting.start()
    waiting.join(0.3)
    order.append("let go")
    worker.end()
    waiting.join(30)
    assert order == ["let go", "locked"]


def test_the_events_that_may_trigger_come_in_the_order_in_which_they_happened(db: None, now: datetime) -> None:
    given(
        track("Late", userId="u", properties={"n": 2}, messageId="m2"),
        track("Early", userId="v", timestamp=ago(now, hours=3), messageId="m1"),
        track("Between", userId="u", timestamp=ago(now, hours=1), historical=True),
        track("Old", userId="v", timestamp=ago(now, days=3)),
        now=now,
    )
    found = pulses.triggering(pulses.claim(10, now=now))
    assert [(e.name, e.message_id, e.profile_id, e.occurred_at, e.properties) for e in found] == [
        ("Early", "m1", somebody("v").pk, now - timedelta(hours=3), {}),
        ("Late", "m2", somebody("u").pk, now, {"n": 2}),
    ]
    assert [e.id for e in found] == list(
        Event.objects.filter(message_id__in=["m1", "m2"]).order_by("message_id").values_list("id", flat=True)
    )
    assert pulses.triggering([]) == []


@pytest.mark.parametrize("attributes", [(), ("plan", "account.seats")])
def test_touching_says_why(db: None, now: datetime, attributes: tuple[str, ...]) -> None:
    ids = _ids(3)
    assert pulses.touch(ids, cause=TIME, now=now, attributes=attributes) == 3
    assert pulses.touch([], cause=TIME, now=now) == 0
    assert [(p.cause, tuple(p.attributes), p.at) for p in Pulse.objects.all()] == [("time", attributes, now)] * 3


def test_taking_does_not_grow_with_what_waits(transactional_db: None, now: datetime) -> None:
    pulses.touch(_ids(20_000), cause=TIME, now=now)
    with connection.cursor() as cursor:
        params: dict[str, Any] = {"crowd": True, "after": 0, "window": 40, "had": [], "limit": 10, "seed": 1}
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {pulses._sql['lock_oldest']}", params)
        plan = cursor.fetchone()[0]
    assert _rows_read(plan) <= 41


def _rows_read(plan: Any) -> int:
    node = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]

    def deepest(node: dict[str, Any]) -> float:
        own = node["Actual Rows"] * node["Actual Loops"] if node.get("Relation Name") == "profiles_pulse" else 0
        return max([own, *(deepest(child) for child in node.get("Plans", []))])

    return int(deepest(node))
