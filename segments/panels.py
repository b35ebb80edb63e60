"""What the customer's page says of segments: which groups they are in, and by what."""

from typing import Any

from consent import shaping
from foundation import registry
from foundation.errors import Invalid
from profiles.models import Profile
from segments import language
from segments.kinds import Needs
from segments.models import Membership, Segment

_SHOWN = 8


@registry.panels.join
def panel(profile: Profile, place: str) -> list[str]:
    """The groups that they came into last; only where nobody but they themselves reads it."""
    if place != "data":
        return []
    rows = Membership.objects.filter(profile=profile, segment__status=Segment.Status.LIVE).select_related("segment")
    found = [
        shaping.Group(row.segment.name, *_because(row.segment), row.entered_at)
        for row in rows.order_by("-entered_at", "-id")[:_SHOWN]
    ]
    return [html] if (html := shaping.groups(found)) else []


def _because(segment: Segment) -> tuple[shaping.Basis | None, str]:
    """By what people are in it, and the same in a sentence."""
    if segment.kind == Segment.Kind.STATIC:
        return None, ""
    definition: Any = segment.definition
    try:
        condition = language.parse(definition)
    except Invalid:
        return shaping.Basis(), ""
    return _basis(condition.needs()), condition.sentence()


def _basis(needs: Needs) -> shaping.Basis:
    ours = {name for name in needs.events if name.startswith("$")}
    theirs = needs.events - ours
    return shaping.Basis(
        did=theirs | {"*"} if needs.anything else theirs,
        known={name for name in needs.attributes if not name.startswith("consent.")},
        company=needs.account,
        consent=needs.consent,
        messages=any(name.startswith(("$message_", "$feedback")) for name in ours),
        journeys=any(name.startswith("$journey_") for name in ours),
        groups=bool(needs.segments),
    )
