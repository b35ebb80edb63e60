"""The loops of journeys."""

from datetime import datetime

from foundation.loops import loop
from journeys import calling, engine, watching


@loop("journeys.react", until_nothing=True)
def react(now: datetime) -> int:
    return engine.react(now)


@loop("journeys.advance", until_nothing=True)
def advance(now: datetime) -> int:
    return engine.advance(now)


@loop("journeys.watch")
def watch(now: datetime) -> int:
    return watching.tick(now)


@loop("journeys.call")
def call(now: datetime) -> int:
    return calling.tick(now)
