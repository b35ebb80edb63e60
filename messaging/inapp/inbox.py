"""Inboxes: what lies in them, and what their owners did with it, which comes back as events. Their only writer."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from foundation.sql import statements
from messaging import outcomes
from messaging.inapp import nodes
from messaging.models import InboxMessage, Message, MessageState
from profiles import ingest
from profiles.models import Profile

ACTS = ("seen", "read", "clicked", "dismissed")
MOST_A_MINUTE = 120
MOST = 50
# What each act says of those before it: what was clicked was read, and what was read was seen.
_COLUMNS = {
    "seen": ("seen_at",),
    "read": ("seen_at", "read_at"),
    "clicked": ("seen_at", "read_at", "clicked_at"),
    "dismissed": ("seen_at", "dismissed_at"),
}
_EVENTS = {"seen_at": "delivered", "read_at": "opened"}
_STATES = (MessageState.DELIVERED, MessageState.OPENED, MessageState.CLICKED)
_sql = statements("messaging", "inapp")


def place(message: UUID, *, look: str, until: datetime, now: datetime) -> bool:
    """Puts a message into its person's inbox; False where there is nobody any more."""
    _sql.run("place", {"message": message, "look": look, "until": until, "now": now})
    return InboxMessage.objects.filter(message=message).exists()


def lying(profile: Profile, *, now: datetime) -> QuerySet[InboxMessage]:
    """What lies in somebody's inbox: not over, and not taken out."""
    return InboxMessage.objects.filter(
        message__profile=profile, expires_at__gt=now, dismissed_at=None, placed_at__lte=now
    ).order_by("-placed_at", "-message_id")


def unread(profile: Profile, *, now: datetime) -> int:
    return lying(profile, now=now).filter(read_at=None).count()


def shown(profile: Profile, *, now: datetime, limit: int = MOST) -> list[dict[str, Any]]:
    """The newest, as a page can show them."""
    return [_told(item) for item in lying(profile, now=now).select_related("message__topic")[:limit]]


def _told(item: InboxMessage) -> dict[str, Any]:
    message = item.message
    return {
        "id": str(message.id),
        "look": item.look,
        "topic": message.topic.slug,
        "title": message.subject,
        "text": message.text,
        "content": nodes.of(message.html),
        "at": item.placed_at.isoformat(),
        "expires_at": item.expires_at.isoformat(),
        "seen": item.seen_at is not None,
        "read": item.read_at is not None,
    }


def act(profile: Profile, message: UUID, what: str, *, now: datetime, link: str = "") -> bool:
    """Keeps what somebody did with a message of theirs, and tells of it once; False where it is not in their inbox."""
    with transaction.atomic():
        item = (
            InboxMessage.objects.select_related("message__topic", "message__template")
            .filter(message=message, message__profile=profile, expires_at__gt=now)
            .first()
        )
        if item is None:
            return False
        _write([item], what, link, now)
    return True


def read_all(profile: Profile, *, now: datetime) -> int:
    """All that lies there is read; how many were not."""
    with transaction.atomic():
        items = list(
            lying(profile, now=now).filter(read_at=None).select_related("message__topic", "message__template")[:500]
        )
        if items:
            _write(items, "read", "", now)
    return len(items)


def _write(items: Sequence[InboxMessage], what: str, link: str, now: datetime) -> None:
    """Events first: they lock the person, as merges and erasures do before they come to messages."""
    columns = _COLUMNS[what]
    told = [
        event
        for item in items
        for column in columns
        if column in _EVENTS
        and getattr(item, column) is None
        and (event := outcomes.event(item.message, _EVENTS[column], now))
    ]
    if what == "clicked":
        told += [event for item in items if (event := _clicked(item.message, link, now))]
    ingest.emit(told, now=now)
    ids = [item.message_id for item in items]
    InboxMessage.objects.filter(message__in=ids).update(**{name: Coalesce(F(name), Value(now)) for name in columns})
    reached = {"seen": 0, "read": 1, "clicked": 2}.get(what)
    if reached is not None:
        before = [MessageState.SENT, MessageState.UNKNOWN, *_STATES[:reached]]
        _sql.run("moved_on", {"ids": ids, "state": str(_STATES[reached]), "from": [str(one) for one in before]})


def _clicked(message: Message, link: str, now: datetime) -> ingest.Ours | None:
    """At most one a minute and link, however often somebody presses."""
    told = outcomes.event(message, "clicked", now)
    if told is None:
        return None
    address = link.partition("#")[0].partition("?")[0][:500]  # what follows may name the person
    which = hashlib.sha256(link.encode("utf-8", "replace")).hexdigest()[:8]
    return ingest.Ours(
        told.profile_id,
        told.name,
        {**told.properties, "url": address},
        now,
        f"{told.message_id}:{which}:{now:%Y%m%d%H%M}",
    )


def spend(profile: Profile, *, now: datetime) -> bool:
    """Counts one more question of somebody's page; False where that is too many in this minute."""
    [(asked,)] = _sql.rows("spend", {"profile": profile.id, "now": now})
    return int(asked) <= MOST_A_MINUTE


def empty(profile: Profile) -> None:
    """Takes out all of somebody who is erased."""
    InboxMessage.objects.filter(Q(message__profile=profile)).delete()


def ends(now: datetime, days: int) -> datetime:
    return now + timedelta(days=days)
