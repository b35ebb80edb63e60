"""What we see of a message ourselves: that a link was followed, or its picture fetched. Raw facts first, judged later.

Only of people who agree to be tracked at that moment: who took it back leaves nothing, also by earlier mails (CO-15).
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from foundation import wake
from foundation.sql import statements
from messaging import tracking
from messaging.models import Message, MessageState
from messaging.returns import applying, soft
from profiles import ingest

BATCH = 200
_MOST = 50  # of one kind and place that are kept: whoever has an address of ours may ask for it for ever
_sql = statements("messaging", "clicks")


class Visit(NamedTuple):
    """A request as it is kept: when, how, by what program, from which network of scanners; no address of anybody."""

    at: datetime
    method: str
    agent: str
    network: str = ""


class Seen(NamedTuple):
    """What a person did with a message, and the event that tells of it; None if they were erased."""

    message: Message
    at: datetime
    event: ingest.Ours | None


def keep(facts: Any, message: Message, visit: Visit) -> None:
    """Adds to the facts of a message (those of a link, or its openings), if the person still agrees to that."""
    if message.profile_id is None or not tracking.agreed([(message.profile_id, message.channel)]):
        return
    if facts.all()[:_MOST].count() == _MOST:
        return
    agent = visit.agent.replace("\0", "")[:300]
    facts.create(at=visit.at, method=visit.method[:10], agent=agent, network=visit.network)
    wake.wake("messaging.clicks")


def until_none(judge: Callable[[datetime], int], now: datetime) -> int:
    """Judges batch after batch; how many were judged."""
    done = 0
    while judged := judge(now):
        done += judged
    return done


def tell(seen: Sequence[Seen], state: MessageState, now: datetime) -> None:
    """Tells on what people did: as events, as their messages' state, and as proof that mail gets there."""
    # Each did it by themselves, just now, however many are told of at once.
    ingest.emit([one.event for one in seen if one.event], crowd=False, now=now)
    soft.note([(one.message, True, one.at) for one in seen], now)
    applying.move_on({one.message.id for one in seen}, state, now)


def fall_back(messages: Collection[UUID]) -> None:
    """What no person opened or followed after all is what else was told of it."""
    if messages:
        _sql.run("fallen_back", {"ids": sorted(messages)})
