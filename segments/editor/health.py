"""What staff should know of segments that are listed: how they move, who uses them, and what looks wrong.

All of it is asked for a page's rows at once, and of members only a bounded sample.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Q

from foundation import registry, wording
from foundation.errors import Invalid
from foundation.sql import statements
from profiles.models import EventType
from segments import language
from segments.models import MembershipChange, Segment

WEEK = timedelta(days=7)
_SAMPLE = 500
_MUCH = 0.8
_FEW = 10  # of fewer people no share says anything
_sql = statements("segments", "catalogue")


@dataclass
class Health:
    """How a segment does: who came and went in a week, who uses it, and each thing that looks wrong, in a sentence."""

    came: int = 0
    went: int = 0
    used_by: list[str] = field(default_factory=list)
    flags: list[tuple[str, str]] = field(default_factory=list)  # (in a word, in a sentence)


def of(segments: Sequence[Segment], now: datetime) -> dict[int, Health]:
    """The health of each of these."""
    found = {segment.pk: Health() for segment in segments}
    _move(found, now)
    alike = overlaps(segments)
    last = _last_seen(segments)
    users = registry.users.ask("segment", [segment.slug for segment in segments])
    for segment in segments:
        health = found[segment.pk]
        health.used_by = [one for said in users for one in said.get(segment.slug, [])]
        if segment.flagged:
            health.flags.append(("Needs attention", segment.flagged))
        if segment.status == Segment.Status.LIVE:
            health.flags += _flags(segment, health, last, now)
            health.flags += [
                ("Overlaps", f"Of its people, {share:.0%} are in “{other}” too.")
                for other, share, of_other in alike.get(segment.pk, [])
                if share >= _MUCH and of_other >= _MUCH
            ][:2]
    return found


def _move(found: dict[int, Health], now: datetime) -> None:
    rows = MembershipChange.objects.filter(segment_id__in=found, at__gt=now - WEEK).values("segment_id")
    for row in rows.annotate(came=Count("id", filter=Q(entered=True)), went=Count("id", filter=Q(entered=False))):
        found[row["segment_id"]].came, found[row["segment_id"]].went = row["came"], row["went"]


def _flags(segment: Segment, health: Health, last: dict[str, datetime | None], now: datetime) -> list[tuple[str, str]]:
    flags = []
    for name in sorted(_events(segment)):
        seen = last.get(name)
        if name in last and seen is not None and seen < now - WEEK:
            flags.append(("Quiet", f"“{wording.spoken(name)}”, which it relies on, was last done {wording.ago(seen)}."))
        elif name not in last and not name.startswith("$"):
            flags.append(("Quiet", f"Nobody has ever done “{wording.spoken(name)}”, which it relies on."))
    before = segment.size - health.came + health.went
    if before >= _FEW and abs(segment.size - before) > before / 2 and segment.created_at < now - WEEK:
        moved = f"from {wording.amount(before)} to {wording.amount(segment.size)}"
        flags.append(("Moved", f"In a week it went {moved} people."))
    if not segment.size:
        flags.append(("Empty", "Nobody is in it."))
    if not health.used_by:
        flags.append(("Unused", "No journey and no other segment uses it."))
    return flags


def _events(segment: Segment) -> frozenset[str]:
    if segment.kind == Segment.Kind.STATIC:
        return frozenset()
    try:
        return language.parse(segment.definition).needs().events
    except Invalid:
        return frozenset()


def _last_seen(segments: Sequence[Segment]) -> dict[str, datetime | None]:
    """When each event that they rely on was last seen, by the name that it has today; only those that were."""
    names = frozenset().union(*(_events(segment) for segment in segments))
    rows = EventType.objects.filter(name__in=names).select_related("renamed_to")
    return {row.name: (row.renamed_to or row).last_seen_at for row in rows}


def overlaps(segments: Sequence[Segment]) -> dict[int, list[tuple[str, float, float]]]:
    """Of each, the live segments that it shares people with: (name, share of its people, share of the other's).

    Worked out from a sample of its newest members.
    """
    large = {segment.pk: segment.size for segment in segments if segment.size >= _FEW}
    if not large:
        return {}
    rows = _sql.rows("overlaps", {"segments": list(large), "sample": _SAMPLE})
    others = Segment.objects.in_bulk({other for _, other, *_ in rows})
    found: dict[int, list[tuple[str, float, float]]] = defaultdict(list)
    for segment, other, shared, sampled in rows:
        share = shared / sampled
        of_other = share * large[segment] / max(1, others[other].size)
        found[segment].append((others[other].name, share, min(1.0, of_other)))
    return found
