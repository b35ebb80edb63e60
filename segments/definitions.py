"""Segments as staff define them: saved with a version, previewed before, refreshed on demand, archived when unused."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from foundation import registry, wording
from foundation.errors import Conflict, Invalid, Problem
from segments import building, language, limits, membership, naming
from segments.language import Condition
from segments.models import Cause, Membership, Segment, SegmentVersion
from segments.question import Question
from staff import actors, audit

LIMIT = 10_000
_TAKEN = ("preview",)
# What may be set beside the definition, the name and the status.
FIELDS = (
    "description",
    "family",
    "position",
    "hypothesis",
    "needs",
    "preferred_channels",
    "owner",
    "success_metric",
    "marketing",
    "kind",
)


class Overtaken(Conflict):
    """Somebody else saved a version since the one that a change was made from."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Who would match: how many known people, how many anonymous ones, and some of the known."""

    count: int
    anonymous: int
    sentence: str
    members: list[str]
    as_of_now: list[str] = field(default_factory=list)


# ── Asking ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def preview(definition: Any, *, at: datetime, limit: int = 20, marketing: bool = True) -> Preview:
    """Who would be in a segment of a definition at `at`, without saving it. `members` are external ids, in their order.

    `marketing`: whether the segment would be used for it, as all are by default.
    """
    condition = _read(definition)
    q = Question(at, condition.names())
    holds = limits.within(condition, marketing=marketing).holds(q)
    shown = q.bind(max(0, min(limit, LIMIT)), "bigint")
    counts = (
        "count(*) FILTER (WHERE p.external_id IS NOT NULL)",
        "count(*) FILTER (WHERE p.external_id IS NULL)",
        f"(array_agg(p.external_id ORDER BY p.external_id) FILTER (WHERE p.external_id IS NOT NULL))[:{shown}]",
    )
    [(count, anonymous, members)] = q.rows(counts, holds)
    return Preview(count, anonymous, condition.sentence(), members or [], condition.as_of_now())


def _read(definition: Any) -> Condition:
    """A valid condition, and what it speaks of is there."""
    condition = language.parse(definition)
    naming.refuse_unknown(condition)
    return condition


# ── Saving ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def save(
    slug: str,
    *,
    definition: Any = None,
    name: str | None = None,
    status: str | None = None,
    reason: str = "",
    upon: int | None = None,
    now: datetime,
    **fields: Any,
) -> Segment:
    """Makes or changes a segment; what is not given stays. A changed definition makes a new version.

    `upon`: the number of the version that it was made from; refused where another has come since.

    When it is live its membership follows at once, or with all that is saved `together`, and so does that of the
    segments that use it; no journey begins by that.
    """
    _check(slug, status, fields)
    with transaction.atomic():
        building.hold_alone([], making=True)  # one definition is saved at a time, so that no two close a circle
        segment, made = _row(slug, name, now)
        _refuse_if_overtaken(segment, upon)
        before = _stand(segment)
        said = [getattr(segment, key) for key in (*FIELDS, "name", "status")]
        condition = _changed(segment, definition, made)
        for key, value in fields.items():
            setattr(segment, key, value)
        segment.name = name or segment.name
        segment.status = status or segment.status
        if condition is None and not made and said == [getattr(segment, key) for key in (*FIELDS, "name", "status")]:
            return segment  # nothing is new
        if before[0] == Segment.Status.LIVE != segment.status:
            _refuse_if_used(segment)
        is_back = before[0] == Segment.Status.ARCHIVED != segment.status
        if condition is not None or is_back:  # what others came to use meanwhile may lead back to it
            _refuse_circles(segment, condition or _read(segment.definition))
        segment.save()
        if condition is not None:
            _add_version(segment, condition, reason, now)
        after = _stand(segment)
        _tell(segment, made, before, after, reason)
        is_live = Segment.Status.LIVE in (before[0], after[0])
        if before != after and (is_live or segment.kind == Segment.Kind.STATIC):
            saved = _Saved(segment, frozenset({segment.family, before[2]} - {""}))
            waiting = _waiting.get()
            if waiting is None:
                _follow([saved], now)
            else:
                waiting.append(saved)
    segment.refresh_from_db()
    return segment


def _check(slug: str, status: str | None, fields: dict[str, Any]) -> None:
    problems = [Problem(key, "A segment has no such field.") for key in fields if key not in FIELDS]
    if slug in _TAKEN:
        problems.append(Problem("slug", f"“{slug}” is an address of its own; choose another."))
    if len(slug) > 100 or not slug.replace("-", "").replace("_", "").isalnum() or not slug.isascii():
        problems.append(Problem("slug", "This must be up to 100 letters, digits, hyphens and underscores."))
    if status is not None and status not in Segment.Status.values:
        problems.append(Problem("status", f"This must be one of {', '.join(Segment.Status.values)}."))
    if fields.get("kind", Segment.Kind.DYNAMIC) not in Segment.Kind.values:
        problems.append(Problem("kind", f"This must be one of {', '.join(Segment.Kind.values)}."))
    if problems:
        raise Invalid(problems)


def _row(slug: str, name: str | None, now: datetime) -> tuple[Segment, bool]:
    segment = Segment.objects.select_for_update().filter(slug=slug).first()
    if segment is not None:
        return segment, False
    return Segment(slug=slug, name=name or wording.spoken(slug), created_at=now), True


def _changed(segment: Segment, definition: Any, made: bool) -> Condition | None:
    """The condition of a definition that is new; None if it is the one that it has."""
    if definition is None:
        if not made:
            return None
        definition = {"any": []}
    if not made and definition == segment.definition and segment.version_id is not None:
        return None
    try:
        condition = _read(definition)
    except Invalid as invalid:
        raise Invalid([Problem(_within(p.path), p.reason) for p in invalid.problems]) from None
    segment.definition = definition
    return condition


def _within(path: str) -> str:
    return f"definition.{path}" if path else "definition"


def _add_version(segment: Segment, condition: Condition, reason: str, now: datetime) -> None:
    last = segment.versions.order_by("-number").values_list("number", flat=True).first() or 0
    segment.version = SegmentVersion.objects.create(
        segment=segment,
        number=last + 1,
        definition=segment.definition,
        sentence=condition.sentence(),
        author=actors.current(),
        reason=reason,
        created_at=now,
    )
    segment.save(update_fields=["version"])


def _tell(segment: Segment, made: bool, before: tuple[Any, ...], after: tuple[Any, ...], reason: str) -> None:
    if made:
        verb, what = "create", f"Segment “{segment.name}” was made"
    elif before[0] != after[0]:
        verb, what = "status", f"Segment “{segment.name}” went from {before[0]} to {after[0]}"
    elif before[-1] != after[-1]:
        verb, what = "define", f"Segment “{segment.name}” got a new definition"
    else:
        verb, what = "update", f"Segment “{segment.name}” was changed"
    audit.record(verb, "segment", segment.slug, f"{what}: {reason}" if reason else f"{what}.")


def _stand(segment: Segment) -> tuple[Any, ...]:
    """All of it that its membership hangs on."""
    return segment.status, segment.kind, segment.family, segment.position, segment.marketing, segment.version_id


@dataclass(frozen=True, slots=True)
class _Saved:
    """A segment that was saved, and the families that it is or was in: its membership is still to follow."""

    segment: Segment
    families: frozenset[str]


_waiting: ContextVar[list[_Saved] | None] = ContextVar("segments_saved_together", default=None)


@contextmanager
def together(*, now: datetime) -> Iterator[None]:
    """What is saved within is asked of everybody at the end, in one go, and all of it stands or none."""
    saved: list[_Saved] = []
    with transaction.atomic():
        token = _waiting.set(saved)
        try:
            yield
        finally:
            _waiting.reset(token)
        _follow(saved, now)


def _follow(saved: Sequence[_Saved], now: datetime) -> None:
    """Has the membership follow what was saved: of these segments, and of all whose answer hangs on them."""
    segments = {one.segment.id: one.segment for one in saved}
    for segment in segments.values():
        if segment.kind == Segment.Kind.STATIC:
            membership.follow_limits(segment, now=now)
    new = [segment for segment in segments.values() if segment.refreshed_at is None]
    others = [segment for segment in segments.values() if segment.refreshed_at is not None]
    for some, cause in ((new, Cause.BUILD), (others, Cause.DEFINITION)):
        if some:
            building.build(some, now=now, cause=cause)
    dependents = {
        found.id: found for one in saved for found in _dependents(one.segment, one.families) if found.id not in segments
    }
    if others and new:  # what is new may use what was changed after it
        dependents |= {one.id: one for one in new}
    if dependents:
        building.build(list(dependents.values()), now=now, cause=Cause.DEFINITION)


def _dependents(segment: Segment, families: Iterable[str]) -> list[Segment]:
    """The live segments whose answer hangs on this one, near or far: they use it, or stand in a family with it."""
    live = list(Segment.objects.filter(status=Segment.Status.LIVE).exclude(id=segment.id))
    families = set(families)
    reached, slugs, grown = {one.id: one for one in live if one.family in families}, {segment.slug}, True
    slugs |= {one.slug for one in reached.values()}
    while grown:
        found = [one for one in live if one.id not in reached and not _uses(one.definition).isdisjoint(slugs)]
        family = {one.family for one in found} - {""}
        found += [one for one in live if one.id not in reached and one not in found and one.family in family]
        reached |= {one.id: one for one in found}
        slugs |= {one.slug for one in found}
        grown = bool(found)
    return list(reached.values())


def _uses(definition: Any) -> frozenset[str]:
    try:
        return language.parse(definition).needs().segments
    except Invalid:
        return frozenset()


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────────────────────
def _refuse_circles(segment: Segment, condition: Condition) -> None:
    """A segment must not hang on itself, by way of others or of those before them in their families."""
    rows = {one.slug: one for one in Segment.objects.exclude(status=Segment.Status.ARCHIVED)}
    rows[segment.slug] = segment
    uses = {slug: set(_uses(one.definition)) for slug, one in rows.items()}
    uses[segment.slug] = set(condition.needs().segments)
    for slug, one in rows.items():
        before = [o for o in rows.values() if one.family and o.family == one.family and _place(o) < _place(one)]
        uses[slug] = uses[slug].union(*(uses[o.slug] for o in before))
    circle = _circle(segment.slug, uses)
    if circle:
        raise Invalid.at(
            "definition", f"This closes a circle: {' uses '.join(circle)}. A segment cannot hang on itself."
        )


def _place(segment: Segment) -> tuple[int, str]:
    return segment.position, segment.slug


def _circle(start: str, uses: dict[str, set[str]]) -> list[str]:
    """A way that `start` leads to and that comes back to where it began, both ends named; empty if there is none."""
    done: set[str] = set()

    def follow(way: list[str]) -> list[str]:
        for following in sorted(uses.get(way[-1], ())):
            if following in way:
                return [*way[way.index(following) :], following]
            if following not in done and (circle := follow([*way, following])):
                return circle
        done.add(way[-1])
        return []

    return follow([start])


def _refuse_if_overtaken(segment: Segment, upon: int | None) -> None:
    if upon is not None and segment.version is not None and segment.version.number != upon:
        raise Overtaken(
            f"“{segment.name}” was changed meanwhile: this was made from version {upon}, and now it is at version"
            f" {segment.version.number}. Look at what was changed before you save."
        )


def _refuse_if_used(segment: Segment) -> None:
    users = [sentence for answers in registry.references.ask("segment", segment.slug) for sentence in answers]
    if users:
        raise Conflict(f"“{segment.name}” is in use: {'; '.join(users)}. Take it out there first.")


def archive(slug: str, *, reason: str = "", now: datetime) -> Segment:
    """Takes a segment out of use; its members go, its history stays. Refused while something uses it."""
    segment = Segment.objects.filter(slug=slug).first()
    if segment is None:
        raise Invalid.at("slug", f"There is no segment “{slug}”.")
    _refuse_if_used(segment)
    return save(slug, status=Segment.Status.ARCHIVED, reason=reason, now=now)


# ── Refreshing ───────────────────────────────────────────────────────────────────────────────────────────────────────
def refresh(segment: Segment, now: datetime) -> tuple[int, int, int]:
    """Asks a live segment of everybody now; how many came, went and are in it.

    What it finds is what time or waiting data would have brought about, so journeys hear of it.
    """
    if segment.status != Segment.Status.LIVE:
        raise Conflict(f"“{segment.name}” is not live: it has no members that could be refreshed.")
    [built] = building.build([segment], now=now, cause=Cause.TIME, hand_on=True)
    if built.failed:
        raise Conflict(f"“{segment.name}” could not be refreshed. {built.failed}")
    audit.record("refresh", "segment", segment.slug, f"Segment “{segment.name}” was refreshed.")
    return built.entered, built.left, Membership.objects.filter(segment=segment).count()
