"""The loops of messaging: each calls one function."""

from datetime import datetime

from foundation.loops import loop
from messaging import clicks, dispatch


@loop("messaging.dispatch")
def send(now: datetime) -> int:
    """Judges, renders and hands over what is due."""
    return dispatch.tick(now)


@loop("messaging.reap")
def reap(now: datetime) -> int:
    """Marks what was being sent by workers that died."""
    return dispatch.reap(now)


@loop("messaging.clicks")
def tell_clicks(now: datetime) -> int:
    """Tells the clicks of people from those of programs."""
    return clicks.tick(now)
