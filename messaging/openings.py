"""That a mail was opened, as far as a picture that was fetched can tell: raw facts first, who it was afterwards.

Only of people who agree to be tracked at that moment: who took it back leaves nothing, also by earlier mails (CO-15).
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from foundation import wake
from messaging import agents, outcomes, tracking
from messaging.models import Message, MessageState
from messaging.returns import applying, soft
from messaging.returns.models import Opening
from profiles import ingest

PICTURE = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
"""One clear point: 43 bytes, the same for every question."""

_BATCH = 200
_MOST = 50  # of one message that are kept: whoever has its address may fetch the picture for ever


def record(id: UUID, *, method: str, agent: str, now: datetime) -> None:
    """Keeps that the picture of a message was fetched, if the person still agrees to that."""
    message = Message.objects.filter(id=id, profile__isnull=False).only("id", "profile_id", "channel").first()
    if message is None or message.profile_id is None:
        return
    if not tracking.agreed([(message.profile_id, message.channel)]):
        return
    if Opening.objects.filter(message=message)[:_MOST].count() == _MOST:
        return
    Opening.objects.create(message=message, at=now, method=method[:10], agent=agent.replace("\0", "")[:300])
    wake.wake("messaging.clicks")


def tick(now: datetime) -> int:
    """Judges what was fetched, and tells what people opened; how many were judged."""
    done = 0
    while judged := _judge_some(now):
        done += judged
    return done


def _judge_some(now: datetime) -> int:
    """Nothing is held meanwhile: two who judge the same find the same, and what is told twice is told once."""
    with transaction.atomic():
        waiting = Opening.objects.filter(kind="").exclude(message__state=MessageState.SENDING)
        rows = list(
            waiting.select_related("message__topic", "message__template")
            .defer("message__html", "message__text")
            .order_by("at", "id")[:_BATCH]
        )
        for row in rows:
            row.kind = kind_of(row)
        tell([row for row in rows if row.kind == Opening.Kind.HUMAN], now)
        Opening.objects.bulk_update(rows, ["kind"])
    return len(rows)


def kind_of(opening: Opening) -> str:
    """Who it was, from what is kept; the same whenever it is asked."""
    return agents.of_opening(opening.agent, opening.method, opening.at, opening.message.sent_at)


def tell(openings: list[Opening], now: datetime) -> None:
    """Tells on what people opened: once a message, as an event, as its state, and as proof that mail gets there."""
    ingest.emit([event for one in openings if (event := outcomes.event(one.message, "opened", one.at))], now=now)
    soft.note([(one.message, True, one.at) for one in openings], now)
    applying.move_on({one.message_id for one in openings}, MessageState.OPENED, now)
