"""The loops of messaging: each calls one function."""

from datetime import datetime

from foundation.loops import loop
from messaging import clicks, dispatch, openings
from messaging.broadcasts import running
from messaging.domains import health, keeping
from messaging.returns import applying, reports


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
    """Tells the clicks and openings of people from those of programs."""
    return clicks.tick(now) + openings.tick(now)


@loop("messaging.broadcasts")
def go_on_with_broadcasts(now: datetime) -> int:
    """Queues the messages of broadcasts that are due."""
    return running.tick(now)


@loop("messaging.returns")
def act_on_returns(now: datetime) -> int:
    """Acts on what was told of messages."""
    return applying.tick(now)


@loop("messaging.domains")
def look_at_domains(now: datetime) -> int:
    """Looks at the sender domains whose time has come, and at how their mail is taken."""
    return keeping.tick(now) + health.tick(now)


@loop("messaging.forget")
def forget(now: datetime) -> int:
    """Drops what was told of messages and is past its time."""
    return reports.forget(now)
