"""Saying something to somebody by a channel, all the way: written, queued, judged, rendered, handed over."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from consent.models import Topic
from messaging import dispatch, outbox, templates
from messaging.models import Message
from messaging.outbox import Request
from profiles.models import Profile

WORDS: list[dict[str, Any]] = [
    {"kind": "text", "text": "Hello {{ profile.first_name | default: 'there' }}, it is done."}
]


def topic_of(channel: str) -> Topic:
    """A topic that goes by it until people say no."""
    found, _ = Topic.objects.get_or_create(
        slug=f"care-{channel.replace('_', '-')}",
        defaults={
            "name": "How you get on",
            "description": "Help.",
            "purpose": "To help.",
            "basis": Topic.Basis.LEGITIMATE_INTEREST,
            "channels": [channel],
        },
    )
    return found


def write(channel: str, now: datetime, **fields: Any) -> str:
    """A template for the channel; its slug."""
    slug: str = fields.pop("slug", f"done-by-{channel.replace('_', '-')}")
    topic = fields.pop("topic", None) or topic_of(channel).slug
    usual = {"name": "Done", "subject": "", "blocks": WORDS}
    templates.save(slug, channel=channel, topic=topic, now=now, **{**usual, **fields})
    return slug


def queued(profile: Profile, channel: str, now: datetime, **fields: Any) -> Message:
    slug = write(channel, now, **fields)
    (id,) = outbox.enqueue(
        [Request(key=f"test:{uuid4()}", profile_id=profile.id, template=slug, channel=channel)], now=now
    )
    return Message.objects.get(id=id)


def said(profile: Profile, channel: str, now: datetime, **fields: Any) -> Message:
    """The message as it is after dispatch has come by."""
    message = queued(profile, channel, now, **fields)
    dispatch.tick(now)
    message.refresh_from_db()
    return message
