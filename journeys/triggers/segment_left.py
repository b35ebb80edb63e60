"""Somebody leaves a segment, having been in it."""

from journeys.kinds import triggers
from journeys.triggers.segment_entered import SegmentEntered


@triggers.register
class SegmentLeft(SegmentEntered):
    key = "segment_left"
    label = "Somebody leaves a segment"
    icon = "logout"
    about = "They leave a segment."
    example = {"kind": "segment_left", "slug": "active"}
    entered = False
    verb = "left"

    def members(self) -> str:
        return ""
