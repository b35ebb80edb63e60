"""What staff learnt about a segment, as a card of its page with a place to add to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from foundation import wording
from foundation.pages import Part
from segments.editor.history import author
from segments.learnings import LONGEST
from segments.models import Learning, Segment

_SHOWN = 50


@dataclass(frozen=True)
class Note:
    """One learning, with who noted it and when."""

    text: str
    by: str
    when: str


@dataclass(frozen=True, kw_only=True)
class Learnings(Part):
    """The newest first, and a place to add one."""

    template = "segments/learnings.html"
    notes: Sequence[Note]
    may_add: bool
    longest: int = LONGEST


def learnings(segment: Segment, *, may_add: bool) -> Learnings:
    rows = Learning.objects.filter(segment=segment).order_by("-created_at", "-id")[:_SHOWN]
    return Learnings(
        title="What we learnt",
        notes=[Note(row.text, author(row), wording.exact(row.created_at)) for row in rows],
        may_add=may_add,
    )
