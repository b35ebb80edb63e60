"""What staff learnt about a segment: the only writer of learnings."""

from datetime import datetime

from foundation.errors import Invalid
from segments.models import Learning, Segment
from staff import actors, audit

LONGEST = 2_000


def note(segment: Segment, text: str, *, now: datetime) -> Learning:
    """Keeps what somebody learnt, with who said it and when."""
    text = text.replace("\r\n", "\n").strip()
    if not text or "\x00" in text:
        raise Invalid.at("text", "Write down what was learnt.")
    if len(text) > LONGEST:
        raise Invalid.at("text", f"Keep it to {LONGEST:,} characters.")
    learning = Learning.objects.create(segment=segment, text=text, author=actors.current(), created_at=now)
    audit.record("note", "segment", segment.slug, f"Something was noted on the segment “{segment.name}”.")
    return learning
