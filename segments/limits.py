"""Who must not be sorted: the restricted are in no segment (CO-10), who objects is in none for marketing (CO-04).

Both are asked about as they stand now, whatever moment a question is about. Whoever is freed comes back.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from consent import limits
from consent.models import Limit
from foundation.sql import statements
from segments.kinds import Answer, Leaf, Needs
from segments.language import Condition, Group
from segments.question import Question

# The value under which pulses tell of a limit that came or went.
NAME = limits.NAME
_SAID = {
    Limit.Kind.RESTRICTED: "What is known of them may only be stored, as they asked, so they are in no segment.",
    Limit.Kind.OBJECTED: "They object to all marketing, so they are in no segment that is used for it.",
}
_sql = statements("segments", "limits")


@dataclass(frozen=True)
class Free(Leaf):
    """That nothing keeps somebody out of a segment. No condition that staff write, but part of every segment's."""

    marketing: bool

    def answer(self, q: Question) -> Answer:
        kinds = q.bind([kind.value for kind in _kinds(self.marketing)], "text[]")
        table = q.table(
            "SELECT l.profile_id AS key FROM consent_limit l"
            f" WHERE l.kind = ANY({kinds}){q.only('l.profile_id')} GROUP BY 1"
        )
        return Answer(f"({table}.key IS NULL)")

    def clause(self) -> str:
        return "whom nothing keeps out of it"

    def needs(self) -> Needs:
        return Needs(attributes=frozenset({NAME}))


def _kinds(marketing: bool) -> list[Limit.Kind]:
    return [Limit.Kind.RESTRICTED, *([Limit.Kind.OBJECTED] if marketing else [])]


def within(condition: Condition, *, marketing: bool) -> Condition:
    """The condition, of those whom nothing keeps out of a segment that is used for `marketing`, or not."""
    return Condition(Group("all", (condition.root, Free(marketing))), condition.definition)


def kept_out(profile_id: UUID, *, marketing: bool = True) -> list[str]:
    """Why this person is in no such segment, in sentences; empty: nothing keeps them out."""
    kinds = limits.of([profile_id]).get(profile_id, set())
    return [_SAID[kind] for kind in _kinds(marketing) if kind in kinds][:1]


# ── Segments filled by hand ──────────────────────────────────────────────────────────────────────────────────────────
def free(profile_ids: Collection[UUID], *, marketing: bool) -> set[UUID]:
    """Of these people those whom nothing keeps out."""
    kinds = {kind.value for kind in _kinds(marketing)}
    found = limits.of(profile_ids)
    return {person for person in profile_ids if kinds.isdisjoint(found.get(person, ()))}


def by_hand(profile_ids: Collection[UUID] | None, segment_id: int | None = None) -> list[tuple[int, str, UUID, bool]]:
    """Who must go from segments that are filled by hand, and who is free to come back: (id, slug, person, comes).

    Of these people, or of all, and of one segment, or of all.
    """
    asked: dict[str, Any] = {"profiles": None if profile_ids is None else list(profile_ids), "segment": segment_id}
    return [(*row, False) for row in _sql.rows("must_go", asked)] + [
        (*row, True) for row in _sql.rows("may_come", asked)
    ]
