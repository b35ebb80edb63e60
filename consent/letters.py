"""The last messages to a person and why each came, told to them: shown by whoever sends messages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.template.loader import render_to_string

from consent.models import ConsentRecord, State, Subject, Topic
from consent.wordings import channel_name, day, why_it_came


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that went out. `subject` is "" where the page may be read by others."""

    topic: Topic
    channel: str
    subject: str
    journey: str
    at: datetime


def panel(profile_id: UUID, sent: Sequence[Sent]) -> str:
    """The messages as HTML for the person's page, in their language; "" where there are none."""
    if not sent:
        return ""
    agreed = _agreed(profile_id, sent)
    rows = [
        {
            "title": one.subject or one.topic.name,
            "when": day(one.at),
            "by": channel_name(one.channel),
            "why": why_it_came(one.topic, _by_then(agreed, one), one.journey),
        }
        for one in sent
    ]
    return render_to_string("consent/messages.html", {"rows": rows})


def _agreed(profile_id: UUID, sent: Iterable[Sent]) -> list[ConsentRecord]:
    """What they had agreed to that bears on these, the newest first."""
    refs = Subject.objects.filter(profile=profile_id).values("ref")
    about = ConsentRecord.objects.filter(subject_ref__in=refs, state=State.GRANTED)
    return list(about.filter(topic__in={one.topic.slug for one in sent}).order_by("-recorded_at", "-seq"))


def _by_then(agreed: Iterable[ConsentRecord], one: Sent) -> ConsentRecord | None:
    found = (row for row in agreed if (row.topic, row.channel) == (one.topic.slug, one.channel))
    return next((row for row in found if row.recorded_at <= one.at), None)
