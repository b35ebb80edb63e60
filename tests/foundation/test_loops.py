from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from celery import current_app
from django.db import OperationalError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django.fixtures import Settings

from foundation import clock, loops

NOON = datetime(2030, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> dict[str, loops.Tick]:
    """The loops that there are; what a test adds is gone after it."""
    mine = dict(loops._ticks)
    monkeypatch.setattr(loops, "_ticks", mine)
    return mine


@pytest.fixture
def another(transactional_db: None) -> Iterator[BaseDatabaseWrapper]:
    """A second connection to the test's database, as another process has one."""
    other = connections["default"].copy()
    other.settings_dict = connection.settings_dict
    yield other
    other.close()


def _fails_with(sqlstate: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$")


def test_a_loop_is_a_celery_task_and_stays_a_function(ticks: dict[str, loops.Tick]) -> None:
    @loops.loop("test.counts")
    def counts(now: datetime) -> int:
        return now.year

    try:
        assert counts(NOON) == 2030
        assert "test.counts" in loops.names()
        assert "test.counts" in current_app.tasks
    finally:
        current_app.tasks.unregister("test.counts")


def test_no_two_loops_share_a_name(ticks: dict[str, loops.Tick]) -> None:
    ticks["test.counts"] = lambda now: 0
    with pytest.raises(ValueError, match=r"two loops claim the name 'test\.counts'"):
        loops.loop("test.counts")(lambda now: 0)


def test_a_run_happens_at_the_moment_that_counts_and_is_remembered(
    transactional_db: None, ticks: dict[str, loops.Tick], settings: Settings
) -> None:
    settings.CAIRN_CLOCK = "manual"
    clock.set_to(NOON)
    asked: list[datetime] = []

    def counts(now: datetime) -> int:
        asked.append(now)
        return 3

    ticks["test.counts"] = counts
    assert "test.counts" not in loops.ages()
    assert loops.run("test.counts") == 3
    assert asked == [NOON]
    assert 0 <= loops.ages()["test.counts"] < 60


def test_a_lost_tie_is_tried_again_and_counts_as_something_done(
    transactional_db: None, ticks: dict[str, loops.Tick]
) -> None:
    states = ["40001", "40P01"]

    def tick(now: datetime) -> int:
        if states:
            _fails_with(states.pop())
        return 0

    ticks["test.ties"] = tick
    assert loops.attempt("test.ties", NOON) == 2
    assert loops.attempt("test.ties", NOON) == 0


def test_a_tie_that_is_never_won_comes_out_at_last(transactional_db: None, ticks: dict[str, loops.Tick]) -> None:
    tries: list[int] = []

    def tick(now: datetime) -> int:
        tries.append(1)
        _fails_with("40001")
        return 0

    ticks["test.ties"] = tick
    with pytest.raises(OperationalError):
        loops.attempt("test.ties", NOON)
    assert len(tries) == 5


@pytest.mark.parametrize("sqlstate", ["53100", "57014"])
def test_what_is_no_tie_is_not_tried_again(transactional_db: None, ticks: dict[str, loops.Tick], sqlstate: str) -> None:
    tries: list[int] = []

    def tick(now: datetime) -> int:
        tries.append(1)
        _fails_with(sqlstate)
        return 0

    ticks["test.fails"] = tick
    with pytest.raises(OperationalError):
        loops.attempt("test.fails", NOON)
    assert len(tries) == 1


def test_inside_somebodys_transaction_a_tie_is_not_tried_again(
    transactional_db: None, ticks: dict[str, loops.Tick]
) -> None:
    tries: list[int] = []

    def tick(now: datetime) -> int:
        tries.append(1)
        _fails_with("40001")
        return 0

    ticks["test.ties"] = tick
    with pytest.raises(OperationalError), transaction.atomic():
        loops.attempt("test.ties", NOON)
    assert len(tries) == 1


def test_workers_step_aside_while_somebody_ticks(
    transactional_db: None, another: BaseDatabaseWrapper, ticks: dict[str, loops.Tick], settings: Settings
) -> None:
    settings.CAIRN_CLOCK = "manual"
    ticks["test.counts"] = lambda now: 1
    with loops.alone(another):
        assert loops.run("test.counts") == 0
        assert "test.counts" in loops.ages(), "it shows that it is alive all the same"
    assert loops.run("test.counts") == 1


def test_who_ticks_waits_for_a_run_under_way(
    transactional_db: None, another: BaseDatabaseWrapper, ticks: dict[str, loops.Tick], settings: Settings
) -> None:
    settings.CAIRN_CLOCK = "manual"
    with another.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")

    def tick(now: datetime) -> int:
        with pytest.raises(OperationalError, match="lock timeout"), loops.alone(another):
            pass
        return 7

    ticks["test.busy"] = tick
    assert loops.run("test.busy") == 7


def test_by_real_time_nobody_steps_aside(
    transactional_db: None, another: BaseDatabaseWrapper, ticks: dict[str, loops.Tick]
) -> None:
    ticks["test.counts"] = lambda now: 1
    with loops.alone(another):
        assert loops.run("test.counts") == 1
