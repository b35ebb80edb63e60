"""Whether somebody is in another segment."""

from dataclasses import dataclass

from foundation import wording
from segments import fields
from segments.fields import Look
from segments.kinds import KINDS, Answer, Leaf, Needs
from segments.question import Question


@KINDS.register
@dataclass(frozen=True)
class InSegment(Leaf):
    """Reads the membership as it was at `at`. A segment that is not live has no members."""

    key = "segment"
    label = "Whether they are in another segment"
    group = "Who they are"
    rank = 3
    icon = "donut_small"
    example = {"kind": "segment", "slug": "power-users"}

    slug: str = fields.asks(fields.slug, look=Look("Segment", of="segment"))

    def answer(self, q: Question) -> Answer:
        at = q.moment(q.at)
        slug = q.bind(self.slug, "text")
        segment = f"(SELECT id FROM segments_segment WHERE slug = {slug})"
        # Members of today since before `at` were in it then, too; who has left since was in it if they had come before.
        members = q.table(
            f"SELECT m.profile_id AS key FROM segments_membership m WHERE m.segment_id = {segment}"
            f" AND m.entered_at <= {at}{q.only('m.profile_id')}"
            " UNION "
            "SELECT c.profile_id FROM segments_membershipchange c CROSS JOIN LATERAL ("
            "SELECT b.entered FROM segments_membershipchange b WHERE b.profile_id = c.profile_id"
            f" AND b.segment_id = {segment} AND b.at <= {at} ORDER BY b.at DESC, b.id DESC LIMIT 1) b"
            f" WHERE c.segment_id = {segment} AND c.at > {at} AND NOT c.entered AND b.entered{q.only('c.profile_id')}"
        )
        return Answer(f"({members}.key IS NOT NULL)")

    def clause(self) -> str:
        return f"who are in “{wording.spoken(self.slug)}”"

    def negation(self) -> str:
        return f"who are not in “{wording.spoken(self.slug)}”"

    def refers(self) -> list[tuple[str, str, str]]:
        return [("segment", self.slug, "slug")]

    def needs(self) -> Needs:
        return Needs(segments=frozenset({self.slug}))
