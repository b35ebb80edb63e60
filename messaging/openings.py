"""That a mail was opened, as far as a picture that was fetched can tell."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from messaging import agents, outcomes, seen
from messaging.models import Message, MessageState
from messaging.returns.models import Opening
from messaging.seen import Seen, Visit

PICTURE = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
"""One clear point: 43 bytes, the same for every question."""


def record(id: UUID, visit: Visit) -> None:
    """Keeps that the picture of a message was fetched, if the person still agrees to that."""
    if message := Message.objects.filter(id=id).only("id", "profile_id", "channel").first():
        seen.keep(message.openings, message, visit)


def tick(now: datetime) -> int:
    """Judges what was fetched, and tells what people opened; how many were judged."""
    return seen.until_none(_judge_some, now)


def _judge_some(now: datetime) -> int:
    """Nothing is held meanwhile: two who judge the same find the same, and what is told twice is told once."""
    with transaction.atomic():
        waiting = Opening.objects.filter(kind="").exclude(message__state=MessageState.SENDING)
        rows = list(
            waiting.select_related("message__topic", "message__template")
            .defer("message__html", "message__text")
            .order_by("at", "id")[: seen.BATCH]
        )
        for row in rows:
            row.kind = kind_of(row)
        tell([row for row in rows if row.kind == Opening.Kind.HUMAN], now)
        Opening.objects.bulk_update(rows, ["kind"])
    return len(rows)


def kind_of(opening: Opening) -> str:
    """Who it was, from what is kept; the same whenever it is asked."""
    if opening.network:
        return Opening.Kind.BOT
    return agents.of_opening(opening.agent, opening.method, opening.at, opening.message.sent_at)


def tell(openings: Sequence[Opening], now: datetime) -> None:
    """Tells on what people opened: once a message."""
    told = [Seen(one.message, one.at, outcomes.event(one.message, "opened", one.at)) for one in openings]
    seen.tell(told, MessageState.OPENED, now)
