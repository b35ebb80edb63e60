"""Lets a manual clock move on by steps, with every loop run until nothing is due at each of them."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connections

from config.celery import app
from foundation import clock, loops
from profiles import partitions

# What happened makes people suspects, suspects change segments, changes move journeys, and those send messages.
FIRST = ("journeys.react", "segments.sweep", "journeys.react", "journeys.advance", "messaging.dispatch")
ROUNDS = 100  # at one moment; of a loop that still finds work then, it is the loop that is wrong
RUNS = 1_000  # of one loop in one round


class Restless(Exception):
    """A loop finds work for ever at one and the same moment."""


class Failed(Exception):
    """A loop raised."""


@dataclass(frozen=True)
class Step:
    """A moment at which everything rests, and how much each loop did to get there."""

    at: datetime
    done: Counter[str]


def moments(start: datetime, until: datetime, step: timedelta) -> Iterator[datetime]:
    """Every `step` after `start`, and `until` itself."""
    at = start + step
    while at < until:
        yield at
        at += step
    if start < until:
        yield until


def go(until: datetime, step: timedelta) -> Iterator[Step]:
    """Moves the clock to `until` and yields each step once everything rests there. Nobody else may run the loops."""
    at = clock.now()
    clock.set_to(at)  # it stands, should it have been running
    yield Step(at, rest(at))
    for moment in moments(at, until, step):
        if (moment.year, moment.month) != (at.year, at.month):
            _turn_the_month(moment)
        clock.set_to(moment)
        at = moment
        yield Step(moment, rest(moment))


def rest(now: datetime, run: Callable[[str, datetime], int] = loops.attempt) -> Counter[str]:
    """Runs every loop at `now`, round after round, until all of a round found nothing to do; how much each did."""
    app.loader.import_default_modules()
    order = _order(loops.names())
    done: Counter[str] = Counter()
    for _ in range(ROUNDS):
        this_round: Counter[str] = Counter()
        for name in order:
            this_round[name] += _to_quiet(name, now, run)
        if not +this_round:
            return done
        done += this_round
    busy = ", ".join(sorted(+this_round))
    raise Restless(f"Nothing came to rest in {ROUNDS} rounds at {now:%Y-%m-%d %H:%M}: {busy} found work in each.")


def _order(names: list[str]) -> list[str]:
    return [name for name in FIRST if name in names] + [name for name in names if name not in FIRST]


def _to_quiet(name: str, now: datetime, run: Callable[[str, datetime], int]) -> int:
    total = 0
    for _ in range(RUNS):
        try:
            did = run(name, now)
        except Exception as error:
            raise Failed(f"{name} failed at {now:%Y-%m-%d %H:%M}: {type(error).__name__}: {error}") from error
        if did == 0:
            return total
        total += did
    raise Restless(f"{name} never rests: it found work in {RUNS} runs at {now:%Y-%m-%d %H:%M}.")


def _turn_the_month(moment: datetime) -> None:
    owner = connections["owner"]
    partitions.ensure(owner, until=moment.date())
    partitions.drop_expired(owner)
    owner.close()
