"""What the customer's page says of segments: which groups they are in, and by what."""

from typing import Any

from consent import shaping
from foundation import registry
from foundation.errors import Invalid
from profiles.models import Profile
from segments import language
from segments.models import Membership, Segment

_SHOWN = 8


@registry.panels.join
def panel(profile: Profile, place: str) -> list[str]:
    """The groups that they came into last; only where nobody but they themselves reads it."""
    if place != "data":
        return []
    rows = Membership.objects.filter(profile=profile, segment__status=Segment.Status.LIVE).select_related("segment")
    found = [
        shaping.Group(row.segment.name, _because(row.segment), row.entered_at)
        for row in rows.order_by("-entered_at", "-id")[:_SHOWN]
    ]
    return [html] if (html := shaping.groups(found)) else []


def _because(segment: Segment) -> str:
    if segment.kind == Segment.Kind.STATIC:
        return ""
    definition: Any = segment.definition
    try:
        return language.parse(definition).sentence()
    except Invalid:
        return ""
