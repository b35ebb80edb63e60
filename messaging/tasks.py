"""The loops of messaging: each calls one function."""

from datetime import datetime

from foundation.loops import loop
from messaging import dispatch


@loop("messaging.dispatch")
def send(now: datetime) -> int:
    """Judges, renders and hands over what is due."""
    return dispatch.tick(now)


@loop("messaging.reap")
def reap(now: datetime) -> int:
    """Marks what was being sent by workers that died."""
    return dispatch.reap(now)
