"""Mails that the house sends on its own: what people asked for on their pages, to their own address and nowhere else.

They go through the outbox and its guardrails like all others. Their topic is transactional, since who refused all
messages may still want their link; their templates are written when they are first needed, and staff may reword them.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.utils import translation

from consent import letters, mails, preferences, subjects, topics, visits
from consent.models import Topic
from foundation import clock, registry
from messaging import outbox, templates
from messaging.models import Message, Template
from messaging.outbox import Request
from profiles.models import Profile
from staff import actors

TOPIC = "what-you-asked-for"
# How many of a kind one person gets: a form that anybody can send must fill nobody's inbox.
LIMITS = ((timedelta(hours=1), 3), (timedelta(days=1), 10))
_CHANNEL = "email"
_SHOWN = 5


@registry.mail_link.join
def mail_link(profile: Profile) -> None:
    """Mails them a link to their page; made when the mail is rendered, so that it is fresh when it comes."""
    mail(profile, "link", {}, now=clock.now())


@registry.mail_notice.join
def mail_notice(profile: Profile, kind: str, values: dict[str, Any]) -> None:
    """Mails them what `consent.mails` has to say of this kind, with these values."""
    mail(profile, kind, values, now=clock.now())


@registry.panels.join
def panel(profile: Profile, place: str) -> list[str]:
    """The last messages, and why each came; their subjects only where nobody but the person reads it."""
    if place not in ("messages", "messages in part"):
        return []
    told = ("topic", "channel", "subject", "journey", "sent_at")  # and not all that it said, which is long
    sent_to = Message.objects.filter(profile=profile, sent_at__isnull=False).only(*told)
    rows = sent_to.select_related("topic").order_by("-sent_at")
    sent = [
        letters.Sent(
            topic=row.topic,
            channel=row.channel,
            subject=row.subject if place == "messages" else "",
            journey=row.journey,
            at=row.sent_at,
        )
        for row in rows[:_SHOWN]
        if row.sent_at
    ]
    return [html] if (html := letters.panel(profile.id, sent)) else []


def mail(profile: Profile, kind: str, values: dict[str, Any], *, now: datetime) -> bool:
    """Queues the mail, unless they were sent enough of them of late; whether it was queued. In their language."""
    with transaction.atomic():
        subjects.lock_to_write([profile.id], now)  # who asks twice at once is counted twice
        if _enough(profile, kind, now):
            return False
        request = Request(
            key=f"house:{kind}:{uuid4()}",
            profile_id=profile.id,
            template=_template(kind, _language(profile), now).slug,
            channel=_CHANNEL,
            context=mails.data(**values),
        )
        outbox.enqueue([request], now=now)
    return True


def _enough(profile: Profile, kind: str, now: datetime) -> bool:
    sent = Message.objects.filter(profile=profile, idempotency_key__startswith=f"house:{kind}:")
    return any(sent.filter(queued_at__gt=now - span).count() >= most for span, most in LIMITS)


def _language(profile: Profile) -> str:
    preference = preferences.of([profile.id])[profile.id]
    return visits.language_of(profile, preference) or settings.LANGUAGE_CODE


def _template(kind: str, language: str, now: datetime) -> Template:
    """The template in use; where there is none, it is written."""
    slug = f"house-{kind}-{language}"
    found = Template.objects.filter(slug=slug, version__isnull=False, archived=False).first()
    if found is not None:
        return found
    with actors.acting_as("system"), translation.override(language):
        topic = _topic(now)
        subject, blocks = mails.words(kind)
        return templates.save(
            slug,
            name=f"What they asked for: {kind} ({language})",
            channel=_CHANNEL,
            topic=topic.slug,
            subject=subject,
            blocks=blocks,
            reason="Written when it was first needed.",
            now=now,
        )


def _topic(now: datetime) -> Topic:
    return Topic.objects.filter(slug=TOPIC, archived=False).first() or topics.save(
        TOPIC,
        name="What you asked us for",
        description="Links to your page, confirmations, and answers about your data.",
        purpose="You asked for it, on your page or on one of our forms.",
        basis=Topic.Basis.CONTRACT,
        transactional=True,
        channels=[_CHANNEL],
        now=now,
    )
