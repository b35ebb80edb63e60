"""Queueing messages, and taking them back: what journeys and the API call, in their own transactions."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction

from consent.models import Topic
from foundation import wake
from foundation.errors import Conflict, Invalid, Problem
from foundation.sql import statements
from messaging.delivery import Letter
from messaging.models import TEST, Message, MessageState, Template
from profiles.models import Profile
from staff import actors, audit

TRANSACTIONAL_STALE_AFTER = timedelta(days=5)
_sql = statements("messaging", "outbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A message that somebody wants sent. `key` makes it the same message, however often it is asked for.

    `context` is what the template may use beside the person: `event` and `data`. Without `expires_at` it is stale
    after what the settings say. Where a cap leaves one place, the higher `priority` gets it.
    """

    key: str
    profile_id: UUID
    template: str
    channel: str
    journey: str = ""
    enrollment: UUID | None = None
    step: str = ""
    variant: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None
    priority: int = 0


def enqueue(requests: Sequence[Request], *, now: datetime) -> list[UUID]:
    """Queues them in the caller's transaction, in a few statements, and wakes dispatch once it commits.

    Returns the ids in the order of the requests; what was queued before keeps its id. `Invalid` for a template that
    does not exist, or that is for another channel.
    """
    if not requests:
        return []
    templates = _templates(requests)
    rows = [_row(request, templates[request.template], now) for request in requests]
    _sql.run("enqueue", {"requests": as_json(rows), "now": now})
    ids: dict[str, UUID] = dict(_sql.rows("queued_as", {"keys": [request.key for request in requests]}))
    wake.wake("messaging.dispatch")
    return [ids[request.key] for request in requests]


def place_test(letter: Letter, profile: Profile, topic: Topic, template: Template, *, now: datetime) -> Message:
    """A message with which staff try a template on somebody: sent already, and counted by nothing."""
    return Message.objects.create(
        id=letter.id,
        idempotency_key=f"{TEST}{letter.id}",
        profile=profile,
        channel=letter.channel,
        topic=topic,
        template=template,
        state=MessageState.SENT,
        reason=f"A test, by {actors.current().partition(':')[2] or 'staff'}.",
        address=letter.address,
        subject=letter.subject,
        html=letter.html,
        text=letter.text,
        due_at=now,
        queued_at=now,
        ended_at=now,
    )


class To(NamedTuple):
    """Somebody among many who are sent the same; `key` makes it the same message, however often it is asked for."""

    key: str
    profile_id: UUID
    enrollment: UUID
    variant: str = ""
    context: Mapping[str, Any] = {}


def enqueue_for(
    people: Sequence[To],
    *,
    template: str,
    channel: str,
    journey: str = "",
    step: str = "",
    priority: int = 0,
    now: datetime,
) -> None:
    """Queues one message for many as `enqueue` does, in one statement; what was queued before stays as it is."""
    if not people:
        return
    asked = Request(key="", profile_id=people[0].profile_id, template=template, channel=channel)
    found = _templates([asked])[template]
    params = {
        "keys": json.dumps([one.key for one in people]),
        "profiles": [one.profile_id for one in people],
        "enrollments": [one.enrollment for one in people],
        "variants": json.dumps([one.variant for one in people] if any(one.variant for one in people) else []),
        "contexts": as_json([one.context for one in people] if any(one.context for one in people) else []),
        "template": found.id,
        "topic": found.topic_id,
        "channel": channel,
        "journey": journey,
        "step": step,
        "urgent": found.topic.transactional,
        "priority": priority,
        "expires": now + _stale_after(found.topic),
        "now": now,
    }
    _sql.run("enqueue_for", params)
    wake.wake("messaging.dispatch")


OVER = (MessageState.UNKNOWN, MessageState.FAILED, MessageState.EXPIRED)
"""The states from which a message can be sent again by hand."""


def send_again(id: UUID, *, now: datetime) -> None:
    """Queues once more what failed, was stale, or may not have arrived; under the same Message-ID, and judged anew."""
    with transaction.atomic():
        message = Message.objects.select_for_update(of=("self",)).select_related("topic").get(id=id)
        if message.state not in OVER or message.profile_id is None:
            raise Conflict("It cannot be sent again: it is under way, it was sent, or nobody is there to send it to.")
        message.state, message.reason, message.guardrail, message.evidence = MessageState.QUEUED, "", "", {}
        message.due_at, message.expires_at, message.ended_at = now, now + _stale_after(message.topic), None
        message.attempts = message.claims = 0
        message.fence += 1
        message.save()
        audit.record("message.sent_again", "message", str(id), "Had a message sent again.")
        wake.wake("messaging.dispatch")


def as_json(value: Any) -> str:
    """JSON for the database, moments to the microsecond."""
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def cancel(enrollments: Collection[UUID], *, reason: str, now: datetime) -> int:
    """Stops what is queued or put off for these enrollments; how many that were. What is being sent goes on."""
    if not enrollments:
        return 0
    return _sql.run("cancel", {"enrollments": list(enrollments), "reason": reason, "now": now})


def _templates(requests: Sequence[Request]) -> dict[str, Template]:
    slugs = {request.template for request in requests}
    rows = Template.objects.filter(slug__in=slugs, version__isnull=False, archived=False)
    found = {row.slug: row for row in rows.select_related("topic")}
    problems = []
    for place, request in enumerate(requests):
        template = found.get(request.template)
        if template is None:
            problems.append(
                Problem(f"[{place}].template", f"there is no template {request.template!r}; write it first")
            )
        elif template.channel != request.channel:
            wrong = f"the template {request.template} is for {template.channel}, not for {request.channel}"
            problems.append(Problem(f"[{place}].channel", wrong))
    if problems:
        raise Invalid(problems)
    return found


def _row(request: Request, template: Template, now: datetime) -> dict[str, Any]:
    topic = template.topic
    return {
        "id": uuid4(),
        "key": request.key,
        "profile_id": request.profile_id,
        "channel": request.channel,
        "topic_id": topic.id,
        "template_id": template.id,
        "journey": request.journey,
        "enrollment": request.enrollment,
        "step": request.step,
        "variant": request.variant,
        "context": request.context,
        "urgent": topic.transactional,
        "priority": request.priority,
        "expires_at": request.expires_at or now + _stale_after(topic),
    }


def _stale_after(topic: Topic) -> timedelta:
    return TRANSACTIONAL_STALE_AFTER if topic.transactional else timedelta(hours=settings.MESSAGE_STALE_HOURS)
