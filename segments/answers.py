"""What segments do when people merge or are erased, what they export of a person, and what of theirs uses what."""

from collections.abc import Collection, Sequence
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
    """The segments, but for archived ones, whose definition speaks of it: an event, an attribute, a topic …"""
    return users(kind, [slug]).get(slug, [])


@registry.users.join
def users(kind: str, slugs: Collection[str]) -> dict[str, list[str]]:
    """The same of many at once: each that is used, with the segments that do."""
    found: dict[str, list[str]] = {}
    for row in Segment.objects.exclude(status=Segment.Status.ARCHIVED).order_by("name"):
        for slug in _used(row.definition, kind).intersection(slugs) - ({row.slug} if kind == "segment" else set()):
            found.setdefault(slug, []).append(f"Segment “{row.name}” uses it")
    return found


def _used(definition: Any, kind: str) -> set[str]:
    try:
        condition = language.parse(definition)
    except Invalid:
        return set()
    needs = condition.needs()
    asked = {"event": needs.events, "attribute": needs.attributes, "account": needs.account}
    return set(asked[kind]) if kind in asked else {slug for of, slug, _ in condition.refers() if of == kind}
