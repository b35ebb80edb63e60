"""What the builder asks while one edits: how many, who for example, why this person, and what saving would change."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import DatabaseError
from django.db.models import Q

from foundation import wording
from foundation.errors import Invalid
from foundation.rest import bounded
from profiles.models import Identifier, Profile
from segments import language, limits
from segments.language import Condition, Finding, Group
from segments.models import Segment
from segments.question import Question

SECONDS = 5.0
TOO_LONG = (
    f"It takes longer than {SECONDS:g} seconds to ask everybody, so there is no number yet. "
    "It can be saved all the same; a shorter time or fewer conditions make it faster."
)
_SOME = 8
T = TypeVar("T")


@dataclass(frozen=True)
class Counted:
    """How many match, and some of them; or, in `failed`, why that is not known."""

    count: int = 0
    anonymous: int = 0
    everybody: int = 0
    some: list[Profile] = field(default_factory=list)
    failed: str = ""

    @property
    def all(self) -> int:
        return self.count + self.anonymous

    @property
    def said(self) -> str:
        return wording.amount(self.all)

    @property
    def anonymous_said(self) -> str:
        return wording.amount(self.anonymous)

    @property
    def share(self) -> str:
        if not self.everybody:
            return ""
        share = 100 * self.all / self.everybody
        return f"{share:.0f}" if share >= 1 or not self.all else "less than 1"


def in_time(ask: Callable[[], T], otherwise: Callable[[str], T]) -> T:
    """What was asked, or what to say where the database gave up."""
    try:
        with bounded(SECONDS):
            return ask()
    except DatabaseError as error:
        is_slow = getattr(error.__cause__, "sqlstate", "") == "57014"
        return otherwise(TOO_LONG if is_slow else "The database could not answer just now. Try again in a moment.")


def counted(condition: Condition, *, marketing: bool, at: datetime) -> Counted:
    condition = limits.within(condition, marketing=marketing)
    return in_time(lambda: _counted(condition, at), lambda failed: Counted(failed=failed))


def _counted(condition: Condition, at: datetime) -> Counted:
    q = Question(at, condition.names())
    holds = condition.holds(q)
    [(count, anonymous, some)] = q.rows(
        [
            "count(p.external_id)",
            "count(*) FILTER (WHERE p.external_id IS NULL)",
            f"(array_agg(p.id ORDER BY p.last_seen_at DESC, p.id))[:{_SOME}]",
        ],
        holds,
    )
    return Counted(count, anonymous, Profile.objects.count(), _people(some))


def _people(ids: list[UUID] | None) -> list[Profile]:
    found = Profile.objects.in_bulk(ids or [])
    return [found[id] for id in ids or [] if id in found]


# ── One person ───────────────────────────────────────────────────────────────────────────────────────────────────────
def people(term: str) -> list[Profile]:
    """Those whose name, address or own id begins with the term, or who came under the whole of it."""
    term = term.strip()
    if not term or len(term) > 200 or "\x00" in term:
        return []
    return in_time(lambda: _found(term), lambda _: [])


def _found(term: str) -> list[Profile]:
    known = list(Identifier.objects.filter(kind__in=Identifier.Kind, value=term).values_list("profile", flat=True)[:20])
    wanted = (
        Q(pk__in=known)
        | Q(email__istartswith=term)
        | Q(external_id__startswith=term)
        | Q(first_name__istartswith=term)
        | Q(last_name__istartswith=term)
    )
    first, _, last = term.partition(" ")
    if last:
        wanted |= Q(first_name__iexact=first, last_name__istartswith=last)
    return list(Profile.objects.filter(wanted).order_by("-last_seen_at", "pk")[:_SOME])


def person(key: str) -> Profile | None:
    try:
        return Profile.objects.filter(pk=UUID(key)).first()
    except ValueError:
        return None


def explained(condition: Condition, person: Profile, *, at: datetime) -> list[Finding]:
    return in_time(lambda: condition.explain(person.pk, at=at), lambda _: [])


# ── What saving would change ─────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Difference:
    """Who would come and who would go."""

    comes: int = 0
    goes: int = 0
    some_come: list[Profile] = field(default_factory=list)
    some_go: list[Profile] = field(default_factory=list)
    failed: str = ""

    @property
    def comes_said(self) -> str:
        return wording.amount(self.comes)

    @property
    def goes_said(self) -> str:
        return wording.amount(self.goes)


def difference(segment: Segment, definition: Any, *, at: datetime) -> Difference:
    """Between who is in the segment now and who would be; in a family, of those whom none before it takes."""
    condition = limits.within(_in_family(segment, language.parse(definition)), marketing=segment.marketing)
    return in_time(lambda: _difference(segment, condition, at), lambda failed: Difference(failed=failed))


def _difference(segment: Segment, condition: Condition, at: datetime) -> Difference:
    q = Question(at, condition.names())
    holds = condition.holds(q)
    id = q.bind(segment.pk or 0, "bigint")
    member = f"EXISTS (SELECT FROM segments_membership m WHERE m.segment_id = {id} AND m.profile_id = p.id)"
    [row] = q.rows(
        [
            f"count(*) FILTER (WHERE NOT {member})",
            f"count(*) FILTER (WHERE {member})",
            f"(array_agg(p.id ORDER BY p.last_seen_at DESC, p.id) FILTER (WHERE NOT {member}))[:{_SOME}]",
            f"(array_agg(p.id ORDER BY p.last_seen_at DESC, p.id) FILTER (WHERE {member}))[:{_SOME}]",
        ],
        f"{holds} <> {member}",
    )
    return Difference(row[0], row[1], _people(row[2]), _people(row[3]))


def _in_family(segment: Segment, condition: Condition) -> Condition:
    if not segment.family:
        return condition
    before = []
    for other in Segment.objects.filter(family=segment.family, status=Segment.Status.LIVE).exclude(slug=segment.slug):
        if (other.position, other.slug) < (segment.position, segment.slug):
            by_hand = {"kind": "segment", "slug": other.slug}
            try:
                before.append(language.parse(by_hand if other.kind == Segment.Kind.STATIC else other.definition).root)
            except Invalid:
                continue
    return Condition(Group("all", (condition.root, Group("not", (Group("any", tuple(before)),)))))
