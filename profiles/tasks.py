"""The loops of people and events: the catalogue's numbers, and what is past its time."""

from datetime import datetime

from foundation.loops import loop
from profiles import catalogue, journal, retention, telling


@loop("profiles.observe")
def observe(now: datetime) -> int:
    return catalogue.follow(now) + catalogue.observe(now)


@loop("profiles.forget")
def forget(now: datetime) -> int:
    return journal.write(now) + journal.forget(now) + telling.forget(now) + retention.forget(now)


@loop(telling.LOOP)
def tell(now: datetime) -> int:
    return telling.tick(now)
