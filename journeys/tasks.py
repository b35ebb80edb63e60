"""The loops of journeys."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from time import monotonic

from foundation import clock, wake
from foundation.loops import loop
from journeys import calling, engine, watching
from messaging import dispatch

PATIENCE = 2.0
"""Seconds that handing over may take before people need not wait for it."""


@loop("journeys.react", until_nothing=True)
def react(now: datetime) -> int:
    with _handing_over() as hand_over:
        return engine.react(now, hand_over)


@loop("journeys.advance", until_nothing=True)
def advance(now: datetime) -> int:
    with _handing_over() as hand_over:
        return engine.advance(now, hand_over)


@contextmanager
def _handing_over() -> Iterator[engine.Then]:
    """Hands over at once what a batch queued, a batch of it, without asking the broker for a worker: we are one.

    What is more is another's, and all of it once a provider has been slow to take something: people must not wait for
    messages. Should we die, dispatch comes by.
    """
    is_slow = False
    with wake.kept("messaging.dispatch") as word:

        def hand_over() -> None:
            nonlocal is_slow
            if not word.take():
                return
            began = monotonic()
            more = is_slow or dispatch.once(clock.now(), patience=PATIENCE)
            is_slow = is_slow or monotonic() - began > PATIENCE
            if more:
                word.pass_on()

        yield hand_over


@loop("journeys.watch")
def watch(now: datetime) -> int:
    return watching.tick(now)


@loop("journeys.call")
def call(now: datetime) -> int:
    return calling.tick(now)
