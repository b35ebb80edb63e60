"""Somebody comes into a segment, from outside it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from journeys import names
from journeys.fields import Slug
from journeys.kinds import Entry, Happened, Trigger, triggers


def key_of(kind: str, slug: str, at: datetime) -> str:
    """The key of an entry: somebody comes into a segment once at a time, so that the moment tells one from the next."""
    return f"{kind}:{slug}:{at.astimezone(UTC).isoformat()}"


@triggers.register
class SegmentEntered(Trigger):
    key = "segment_entered"
    label = "Somebody comes into a segment"
    icon = "login"
    about = "They come into a segment."
    example: ClassVar[Mapping[str, Any]] = {"kind": "segment_entered", "slug": "active"}
    fields = (Slug(name="slug", label="Segment", of="segment"),)
    entered = True
    verb = "came into"

    def sentence(self) -> str:
        name = names.of("segment", self.given["slug"])
        return f"somebody {'comes into' if self.entered else 'leaves'} the segment {name}"

    def entries(self, happened: Happened, at: datetime) -> Iterator[Entry]:
        for change in happened.changes:
            if change.triggers and change.entered is self.entered and change.slug == self.given["slug"]:
                yield Entry(
                    profile_id=change.profile_id,
                    key=key_of(self.key, change.slug, change.at),
                    at=at,
                    reason=f"They {self.verb} the segment {names.of('segment', change.slug)}.",
                    context={"segment": change.slug},
                )

    def members(self) -> str:
        return str(self.given["slug"])
