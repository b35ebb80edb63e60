"""The loops of journeys."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from foundation import clock, wake
from foundation.loops import loop
from journeys import calling, engine, watching
from messaging import dispatch


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

    What is more is another's: people must not wait for messages. Should we die, dispatch comes by.
    """
    with wake.kept("messaging.dispatch") as word:

        def hand_over() -> None:
            if word.take() and dispatch.once(clock.now()):
                word.pass_on()

        yield hand_over


@loop("journeys.watch")
def watch(now: datetime) -> int:
    return watching.tick(now)


@loop("journeys.call")
def call(now: datetime) -> int:
    return calling.tick(now)
