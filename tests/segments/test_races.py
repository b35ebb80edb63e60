"""Two at once, with real threads and commits: no older answer overwrites a newer one, nothing is told twice."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from profiles import pulses
from profiles.models import Pulse
from profiles.pulses import Word
from segments import building, definitions, membership, question, sweep
from segments.membership import Change
from segments.models import Cause, Late, Membership, MembershipChange, Segment
from tests.segments.world import Done, Someone, did, number, settle

pytestmark = pytest.mark.usefixtures("transactional_db")
SIGNED_UP = {"kind": "event", "name": "signed_up"}
PRO = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}


@contextmanager
def workers(count: int) -> Iterator[Callable[..., Future[Any]]]:
    """Threads with connections of their own, closed when they are done."""

    def run(work: Callable[..., Any], *args: Any) -> Any:
        try:
            return work(*args)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        yield lambda work, *args: pool.submit(run, work, *args)


def react(now: datetime) -> list[Change]:
    """What the journeys' loop does: claims, refreshes, commits; until nothing is left."""
    changes: list[Change] = []
    while True:
        with transaction.atomic():
            taken = pulses.claim(100, now=now)
            changes += membership.refresh(taken, now=now)
        if not taken:
            return changes


def do(person: UUID, name: str, at: datetime, cause: Pulse.Cause = Pulse.Cause.EVENT) -> None:
    with transaction.atomic():
        did([(person, Done(name, at))])
        pulses.add([Word(person, cause, names=[number(name)])], now=at)


def members(slug: str) -> set[UUID]:
    return set(Membership.objects.filter(segment__slug=slug).values_list("profile_id", flat=True))


def test_two_workers_change_and_tell_of_a_person_once(now: datetime) -> None:
    people = settle([Someone() for _ in range(30)])
    definitions.save("new", definition=SIGNED_UP, status="live", now=now)
    for one in people:
        for _ in range(3):
            do(one.id, "signed_up", now)
    with workers(4) as start:
        told = [change for future in [start(react, now) for _ in range(4)] for change in future.result()]
    told += react(now)
    assert sorted(change.profile_id for change in told) == sorted(one.id for one in people)
    assert members("new") == {one.id for one in people}
    assert MembershipChange.objects.count() == len(people)


@pytest.fixture
def slow_builds(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Builds take half a second between their snapshot and their writes; the event says that one has begun."""
    begun = threading.Event()
    pause = "WITH pause AS MATERIALIZED (SELECT pg_sleep(0.5)), answer AS (SELECT a.* FROM (%s) a, pause)"
    monkeypatch.setattr(building, "_WRITE", building._WRITE.replace("WITH answer AS (%s)", pause))
    ask = question.ask

    def asked(text: str, params: Any) -> Any:
        if "pg_sleep" in text:
            begun.set()
        return ask(text, params)

    monkeypatch.setattr(building, "ask", asked)
    return begun


def test_a_build_does_not_overwrite_what_was_refreshed_meanwhile(now: datetime, slow_builds: threading.Event) -> None:
    ada, ben = settle([Someone(), Someone()])
    segment = definitions.save("new", definition=SIGNED_UP, status="live", now=now)
    react(now)
    do(ben.id, "signed_up", now, Pulse.Cause.HISTORY)
    slow_builds.clear()
    with workers(1) as start:
        build = start(lambda: building.build([segment], now=now, cause=Cause.DEFINITION))
        slow_builds.wait(5)
        threading.Event().wait(0.1)  # the statement has its snapshot
        do(ada.id, "signed_up", now)
        assert react(now) == []  # the segment is the builder's: they are put off
        assert Late.objects.filter(profile_id=ada.id, segment=segment).exists()
        [built] = build.result()
    assert (built.entered, built.left) == (1, 0)
    [change] = react(now)
    assert (change.profile_id, change.entered, change.cause, change.triggers) == (ada.id, True, Cause.EVENT, True)
    assert members("new") == {ada.id, ben.id}
    assert not Late.objects.exists()


def test_a_first_build_misses_nobody_who_comes_meanwhile(now: datetime, slow_builds: threading.Event) -> None:
    [ada] = settle([Someone()])
    with workers(1) as start:
        save = start(lambda: definitions.save("new", definition={"not": SIGNED_UP}, status="live", now=now))
        slow_builds.wait(5)
        threading.Event().wait(0.1)
        [ben] = settle([Someone()])
        do(ben.id, "page", now)
        do(ada.id, "signed_up", now)
        assert react(now) == []
        save.result()
    changes = {(c.profile_id, c.entered) for c in react(now)}
    assert changes == {(ben.id, True), (ada.id, False)}
    assert members("new") == {ben.id}


def test_two_builds_at_once_write_the_difference_once(now: datetime) -> None:
    people = settle([Someone(attributes={"plan": "pro"}) for _ in range(50)])
    segment = definitions.save("pros", definition={"not": PRO}, status="live", now=now)
    Segment.objects.update(definition=PRO)
    with workers(2) as start:
        built = [start(lambda: building.build([segment], now=now, cause=Cause.DEFINITION)) for _ in range(2)]
        entered = sorted(future.result()[0].entered for future in built)
    assert entered == [0, 50]
    assert members("pros") == {one.id for one in people}
    assert MembershipChange.objects.count() == 50


def test_a_build_that_dies_leaves_the_old_membership_whole(now: datetime, slow_builds: threading.Event) -> None:
    [ada, ben] = settle([Someone(attributes={"plan": "pro"}), Someone()])
    segment = definitions.save("pros", definition=PRO, status="live", now=now)
    Segment.objects.update(definition={"not": PRO})
    slow_builds.clear()
    with workers(1) as start:
        build = start(lambda: building.build([segment], now=now, cause=Cause.DEFINITION))
        slow_builds.wait(5)
        threading.Event().wait(0.1)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%pg_sleep%'"
            )
        with pytest.raises(Exception, match=r"terminat|closed|lost"):
            build.result()
    assert members("pros") == {ada.id}
    building.build([segment], now=now, cause=Cause.DEFINITION)
    assert members("pros") == {ben.id}


def test_the_sweep_leaves_those_alone_who_are_about_to_be_asked(now: datetime) -> None:
    [ada] = settle([Someone()])
    definitions.save("new", definition={**SIGNED_UP, "window": {"last": {"days": 7}}}, status="live", now=now)
    react(now)
    later = now + timedelta(hours=1)
    do(ada.id, "signed_up", now, Pulse.Cause.HISTORY)
    assert sweep.tick(later) == 0
    [change] = react(later)
    assert (change.cause, change.triggers) == (Cause.HISTORY, False)


def test_the_sweep_and_a_worker_at_once_tell_of_a_change_once(now: datetime) -> None:
    people = settle([Someone(events=[Done("signed_up", now)]) for _ in range(40)])
    definitions.save("new", definition={**SIGNED_UP, "window": {"last": {"days": 7}}}, status="live", now=now)
    later = now + timedelta(days=8)
    with workers(3) as start:
        futures = [start(sweep.tick, later), start(react, later), start(sweep.tick, later)]
        results = [future.result() for future in futures]
    told = [*results[1], *react(later)]
    assert sorted(change.profile_id for change in told) == sorted(one.id for one in people)
    assert members("new") == set()


def test_the_membership_is_always_that_of_one_definition(now: datetime) -> None:
    pros = settle([Someone(attributes={"plan": "pro"}) for _ in range(8)])
    others = settle([Someone() for _ in range(8)])
    everybody = [one.id for one in (*pros, *others)]
    definitions.save("pros", definition=PRO, status="live", now=now)
    expected = {str(PRO): {one.id for one in pros}, str({"not": PRO}): {one.id for one in others}}
    done = threading.Event()

    def redefine() -> None:
        for n in range(12):
            definitions.save("pros", definition=[{"not": PRO}, PRO][n % 2], now=now)
        done.set()

    def keep_refreshing() -> None:
        while not done.is_set():
            pulses.touch(everybody, cause=Pulse.Cause.MERGE, now=now)
            react(now)

    with workers(3) as start:
        futures = [start(redefine), start(keep_refreshing), start(keep_refreshing)]
        while not done.is_set():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT s.definition::text, s.version_id,"
                    " (SELECT array_agg(profile_id) FROM segments_membership WHERE segment_id = s.id)"
                    " FROM segments_segment s"
                )
                definition, _, found = cursor.fetchone()
            assert set(found or []) == expected[str({"not": PRO} if '"not"' in definition else PRO)]
        for future in futures:
            future.result()
    react(now)
    assert members("pros") == expected[str(PRO)]


def test_who_was_put_off_is_asked_though_the_builder_is_gone(now: datetime) -> None:
    [ada] = settle([Someone(events=[Done("signed_up", now)])])
    segment = definitions.save("new", definition=SIGNED_UP, status="live", now=now)
    Membership.objects.all().delete()
    Late.objects.create(segment=segment, profile_id=ada.id, cause=Cause.EVENT, at=now)
    assert sweep.tick(now) == 1
    [change] = react(now)
    assert (change.profile_id, change.cause) == (ada.id, Cause.EVENT)
