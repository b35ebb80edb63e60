"""What segments do when people merge or are erased, what they export of a person, and what of theirs uses what."""

from collections.abc import Sequence
from typing import Any

from foundation import registry
from foundation.errors import Invalid
from foundation.sql import statements
from profiles.merging import Pair
from profiles.models import Profile
from segments import language
from segments.models import Late, Membership, MembershipChange, Segment, Watch

_sql = statements("segments", "people")


@registry.absorb.join
def absorb(merges: Sequence[Pair]) -> None:
    """What was put in by hand moves to the survivor; all else is asked anew, as the merge has touched the survivor."""
    pairs = {
        "survivors": [pair.survivor_id for pair in merges],
        "absorbed": [pair.absorbed_id for pair in merges],
    }
    _sql.run("move_by_hand", pairs)
    _sql.run("tell_moved", pairs)
    _forget(pairs["absorbed"])


@registry.erase.join
def erase(profile: Profile) -> None:
    """Nothing of a person's memberships remains."""
    _forget([profile.pk])


def _forget(people: list[Any]) -> None:
    for model in (Membership, MembershipChange, Late, Watch):
        model.objects.filter(profile_id__in=people).delete()


@registry.export.join
def export(profile: Profile) -> dict[str, Any]:
    """The groups that a person is and was in, in words."""
    now = Membership.objects.filter(profile=profile).select_related("segment").order_by("entered_at")
    history = MembershipChange.objects.filter(profile=profile).select_related("segment").order_by("at", "id")
    return {
        "segments": [
            {"segment": row.segment.name, "since": row.entered_at.isoformat(), "because": row.get_cause_display()}
            for row in now
        ],
        "segment_history": [
            {
                "segment": row.segment.name,
                "entered": row.entered,
                "at": row.at.isoformat(),
                "because": row.get_cause_display(),
            }
            for row in history
        ],
    }


@registry.references.join
def references(kind: str, slug: str) -> list[str]:
    """The segments, but for archived ones, whose definition speaks of a segment, an event or an attribute."""
    asked = {"segment": "segments", "event": "events", "attribute": "attributes", "account": "account"}.get(kind)
    if asked is None:
        return []
    rows = Segment.objects.exclude(status=Segment.Status.ARCHIVED).exclude(slug=slug if kind == "segment" else "")
    return [f"Segment “{row.name}” uses it" for row in rows.order_by("name") if slug in _needs(row.definition, asked)]


def _needs(definition: Any, what: str) -> frozenset[str]:
    try:
        needs: frozenset[str] = getattr(language.parse(definition).needs(), what)
    except Invalid:
        return frozenset()
    return needs
