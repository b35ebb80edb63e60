"""The loops that keep everything moving: each asks the database what is due, does it, and says how much that was.

    @loop("journeys.react")
    def react(now: datetime) -> int: ...

Beat and `foundation.wake` run a loop by its name as a Celery task, `manage.py tick` runs it in its own process, and a
test calls the function, which stays as it is.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from celery import shared_task
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from foundation import clock, wake

Tick = Callable[[datetime], int]

_TRIES = 5
_TIES = {"40001", "40P01"}  # serialization failure, deadlock: the same again may well go through
_TICKING = 0x0CA1_0001  # the advisory lock that `manage.py tick` holds alone and every worker's run shares
_REMEMBER = """
    INSERT INTO foundation_loop AS l (name, ran_at) VALUES (%s, clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET ran_at = excluded.ran_at
    WHERE l.ran_at IS NULL OR l.ran_at < excluded.ran_at - interval '1 second'
"""
_ticks: dict[str, Tick] = {}
_thorough: set[str] = set()


def loop(name: str, *, until_nothing: bool = False) -> Callable[[Tick], Tick]:
    """Makes a function of `now`, which returns how much it did, the loop and the Celery task `name`.

    `until_nothing`: a run takes what it brings about itself as well, so that it is not to be woken for that.
    """

    def join(tick: Tick) -> Tick:
        if name in _ticks:
            raise ValueError(f"two loops claim the name {name!r}")
        _ticks[name] = tick
        if until_nothing:
            _thorough.add(name)

        @shared_task(name=name)
        def task() -> int:
            return run(name)

        return tick

    return join


def names() -> list[str]:
    return sorted(_ticks)


def run(name: str) -> int:
    """One run as a worker does it, by the clock that counts; how much it did. That it ran is remembered."""
    with _while_nobody_ticks() as free:
        done = attempt(name, clock.now()) if free else 0
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, [name])
    return done


def attempt(name: str, now: datetime) -> int:
    """Runs the loop at `now`, again where PostgreSQL ended a tie between two transactions at our cost.

    A loop commits batch by batch, so that to run it again is to go on. A try that was cut short counts as one thing
    done, since it may have done something.
    """
    for tried in range(_TRIES):
        try:
            with wake.not_for(name if name in _thorough else ""):
                return _ticks[name](now) + tried
        except OperationalError as error:
            lost_a_tie = getattr(error.__cause__, "sqlstate", None) in _TIES
            if not lost_a_tie or connection.in_atomic_block or tried == _TRIES - 1:
                raise
            time.sleep(random.uniform(0.01, 0.05) * 2**tried)  # noqa: S311 (no secret: it parts two who collided)
    raise AssertionError("unreachable")


@contextmanager
def _while_nobody_ticks() -> Iterator[bool]:
    """Whether this run may go ahead: under a manual clock it steps aside while `manage.py tick` runs the loops."""
    if not clock.is_manual():
        yield True
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock_shared(%s)", [_TICKING])
        free: bool = cursor.fetchone()[0]
        try:
            yield free
        finally:
            if free:
                cursor.execute("SELECT pg_advisory_unlock_shared(%s)", [_TICKING])


@contextmanager
def alone(holder: BaseDatabaseWrapper) -> Iterator[None]:
    """Keeps the workers' runs away, once those under way have ended; `holder` is the connection that has the lock."""
    with holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_TICKING])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_TICKING])


def ages() -> dict[str, float]:
    """Seconds since each loop last ran to its end, of those that ever did; in real time, whatever the clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, extract(epoch FROM clock_timestamp() - ran_at)::float FROM foundation_loop"
            " WHERE ran_at IS NOT NULL"
        )
        return dict(cursor.fetchall())
