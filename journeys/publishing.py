"""Drafts, versions and the state of journeys: the only writer of both. Published means immutable."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max

from foundation.errors import Conflict, Invalid, Problem
from foundation.sql import statements
from foundation.wake import wake
from foundation.wording import plural
from journeys import documents, following, kinds, pausing, resuming, rounds
from journeys import program as programs
from journeys.models import Enrollment, EnrollmentState, Journey, JourneyVersion
from journeys.resuming import CATCH_UP, HOW, SHIFT
from journeys.testing import gate
from journeys.testing.running import Result
from segments.models import Membership
from staff import actors, audit

_sql = statements("journeys", "publishing")
_SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*\Z")


def get(slug: str) -> Journey:
    """The journey of that slug; `Invalid` where there is none."""
    found = Journey.objects.filter(slug=slug).first()
    if found is None:
        raise Invalid.at("slug", f"there is no journey {slug!r}")
    return found


def draft_of(journey: Journey) -> JourneyVersion | None:
    return journey.versions.filter(published_at=None).first()


# ── Saving ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def save(slug: str, *, name: str, document: Any, description: str = "", reason: str = "", now: datetime) -> Journey:
    """Makes a journey or changes its draft. What is live stays as it is until `publish`.

    The document must be sound in itself; that what it names exists is asked when it is published. A document that says
    what the published version says leaves no draft.
    """
    _check(slug, name, description, document)
    with transaction.atomic():
        Journey.objects.bulk_create(
            [Journey(slug=slug, name=name.strip(), description=description, created_at=now)], ignore_conflicts=True
        )
        journey = hold(slug)
        fresh = not journey.versions.exists()
        renamed = (journey.name, journey.description) != (name.strip(), description)
        journey.name, journey.description = name.strip(), description
        journey.save(update_fields=["name", "description"])
        if _draft(journey, document, reason, now) or renamed or fresh:
            verb = "create" if fresh else "change"
            audit.record(
                verb,
                "journey",
                slug,
                f"{'Made' if fresh else 'Changed the draft of'} the journey {journey.name}.",
                reason=reason,
            )
    return journey


def begin(slug: str, *, name: str, document: Any, now: datetime) -> Journey:
    """Makes a journey that is only begun: its draft need not be sound yet. `Conflict` where there is one already."""
    problems = [
        *([] if _SLUG.match(slug) and len(slug) <= 100 else [_BAD_SLUG]),
        *_text("name", name, 200, required=True),
    ]
    if problems:
        raise Invalid(problems)
    with transaction.atomic():
        if Journey.objects.filter(slug=slug).exists():
            raise Conflict(f"There is a journey {slug!r} already.")
        journey = Journey.objects.create(slug=slug, name=name.strip(), created_at=now)
        _draft(journey, document, "", now)
        audit.record("create", "journey", slug, f"Made the journey {journey.name}.")
    return journey


def sketch(journey: Journey, document: Any, *, what: str, now: datetime) -> None:
    """Keeps the draft while somebody draws it, finished or not, of a journey that the caller holds.

    Whatever is missing is asked when it is published.
    """
    if _draft(journey, document, "", now):
        audit.record("change", "journey", journey.slug, f"Changed the draft of the journey {journey.name}: {what}")


def rename(slug: str, *, name: str, description: str, now: datetime) -> Journey:
    """Calls a journey something else; its slug stays, since others rely on it."""
    problems = [*_text("name", name, 200, required=True), *_text("description", description, 5_000, required=False)]
    if problems:
        raise Invalid(problems)
    with transaction.atomic():
        journey = hold(slug)
        if (journey.name, journey.description) != (name.strip(), description):
            before, journey.name, journey.description = journey.name, name.strip(), description
            journey.save(update_fields=["name", "description"])
            audit.record("change", "journey", slug, f"Called the journey {before} {journey.name}.")
    return journey


def _draft(journey: Journey, document: Any, reason: str, now: datetime) -> bool:
    """Keeps the document as the draft; whether that changed anything."""
    draft = draft_of(journey)
    if journey.version is not None and journey.version.document == document:
        return bool(draft and draft.delete()[0])
    if draft is None:
        number = (journey.versions.aggregate(last=Max("number"))["last"] or 0) + 1
        JourneyVersion.objects.create(
            journey=journey, number=number, document=document, author=actors.current(), reason=reason, created_at=now
        )
        return True
    if draft.document == document:
        return False
    draft.document, draft.author, draft.reason, draft.created_at = document, actors.current(), reason, now
    draft.save(update_fields=["document", "author", "reason", "created_at"])
    return True


def _check(slug: Any, name: Any, description: Any, document: Any) -> None:
    problems = [
        *([] if isinstance(slug, str) and _SLUG.match(slug) and len(slug) <= 100 else [_BAD_SLUG]),
        *_text("name", name, 200, required=True),
        *_text("description", description, 5_000, required=False),
        *(Problem(f"document.{problem.path}".rstrip("."), problem.reason) for problem in documents.flaws(document)),
    ]
    if problems:
        raise Invalid(problems)


_BAD_SLUG = Problem("slug", "must be lower-case letters, digits and dashes, at most 100")


def _text(path: str, value: Any, longest: int, *, required: bool) -> list[Problem]:
    if not isinstance(value, str) or (required and not value.strip()) or len(value) > longest or "\x00" in value:
        return [Problem(path, f"must be a text of at most {longest} characters")]
    return []


def hold(slug: str) -> Journey:
    """The journey, held against others who change it; entries go on meanwhile, as they only point at it."""
    found = (
        Journey.objects.select_for_update(of=("self",), no_key=True).select_related("version").filter(slug=slug).first()
    )
    if found is None:
        raise Invalid.at("slug", f"there is no journey {slug!r}")
    return found


# ── Publishing ───────────────────────────────────────────────────────────────────────────────────────────────────────
def publish(
    slug: str,
    *,
    include_members: bool = False,
    plan: Sequence[Mapping[str, Any]] = (),
    reason: str = "",
    despite_tests: bool = False,
    now: datetime,
) -> JourneyVersion:
    """Freezes the draft, compiles it and makes it what people enter; who is on the way follows from where they stand.

    `plan` says what becomes of groups of them otherwise (see `following`). `Conflict` where a step on which people
    stand is gone, or has become another kind of step, and the plan says nothing of them. `include_members` also enters
    those who are in the segment of the trigger now. Without a draft it publishes what is published: nothing
    changes, but that a stopped journey is live again. A paused one stays paused. `Conflict` where a test of it fails,
    unless it is published `despite_tests`, which takes a reason.
    """
    tested, failed = _tested(slug, now)
    with transaction.atomic():
        journey = hold(slug)
        version = draft_of(journey) or journey.version
        if version is None:
            raise Conflict(f"The journey {journey.name} has no draft to publish.")
        _may_restart(journey)
        if version.published_at is None and version.document != tested:
            raise Conflict("Somebody changed the draft while its tests were played. Look at it, and publish it then.")
        gate.pass_by(journey, failed, despite=despite_tests, reason=reason)
        if version.published_at is None:
            _freeze(version, now)
            following.begin(journey, version, plan, now)
        elif journey.status in (Journey.Status.LIVE, Journey.Status.PAUSED) and not include_members:
            return version
        journey.version, journey.watched_since = version, now
        if journey.status != Journey.Status.PAUSED:
            journey.status = Journey.Status.LIVE
        if include_members:
            journey.entering_after = now if members(version.document) else None
            journey.entered_up_to = None
        journey.save(
            update_fields=["version", "status", "watched_since", "entering_after", "entered_up_to", "carrying"]
        )
        rounds.keep(journey, version.document, now)
        summary = f"Published the journey {journey.name} (version {version.number})."
        audit.record(
            "publish",
            "journey",
            slug,
            summary,
            version=version.number,
            reason=reason,
            include_members=include_members,
            plan=[dict(choice) for choice in plan],
            **({"failing_tests": [one.name for one in failed]} if failed else {}),
        )
        wake("journeys.advance")
    return version


def _tested(slug: str, now: datetime) -> tuple[Any, list[Result]]:
    """The document that is to be published, and which of its tests fail; played while nobody waits for the journey."""
    journey = get(slug)
    version = draft_of(journey) or journey.version
    is_live = journey.status in (Journey.Status.LIVE, Journey.Status.PAUSED)
    if version is None or (version.published_at and is_live) or documents.problems(version.document):
        return version and version.document, []  # nothing new, or what is refused for itself
    return version.document, gate.failing(journey, version.document, now=now)


@dataclass(frozen=True, slots=True)
class Plan:
    """What publishing the draft would mean."""

    groups: list[following.Group]
    """Those on the way, by where they stand."""
    members: int
    """How many are in the segments of the triggers, and could enter with the launch."""


def plan(slug: str) -> Plan:
    """What publishing the draft would mean for those on the way; `Conflict` where there is nothing to publish."""
    journey = get(slug)
    version = draft_of(journey) or journey.version
    if version is None:
        raise Conflict(f"The journey {journey.name} has no draft to publish.")
    flaws = documents.flaws(version.document)
    if flaws:
        raise Invalid([Problem(f"document.{flaw.path}".rstrip("."), flaw.reason) for flaw in flaws])
    rows = Membership.objects.filter(segment__slug__in=members(version.document))
    return Plan(following.groups(journey, version), rows.values("profile").distinct().count())


def members(document: Mapping[str, Any]) -> set[str]:
    """The segments whose members may be entered with a launch."""
    given = document["entry"]["trigger"]
    read = (kinds.triggers[one["kind"]](one) for one in (given if isinstance(given, list) else [given]))
    return {slug for slug in (trigger.members() for trigger in read) if slug}


def _may_restart(journey: Journey) -> None:
    if journey.status != Journey.Status.STOPPED:
        return
    left = Enrollment.objects.filter(journey=journey, state=EnrollmentState.ACTIVE).count()
    if left:
        raise Conflict(
            f"{plural(left, 'person is', 'people are')} still being taken off the journey {journey.name}:"
            " try again in a minute."
        )


def _freeze(version: JourneyVersion, now: datetime) -> None:
    found = documents.problems(version.document) or circles(version.journey.slug, version.document)
    if found:
        raise Invalid([Problem(f"document.{problem.path}".rstrip("."), problem.reason) for problem in found])
    version.program = programs.compiled(version.document)
    version.published_at = now
    version.save(update_fields=["program", "published_at"])


def circles(slug: str, document: Mapping[str, Any]) -> list[Problem]:
    """Where a sound document would lead back to its own journey, through those that are live: nobody must go round."""
    starts = _starts(document)
    if not starts:
        return []
    _sql.rows("alone", {})  # two who close a circle at the same moment, each one half of it, take turns
    live = Journey.objects.filter(version__isnull=False).exclude(slug=slug).select_related("version")
    known = {journey.slug: _starts(journey.version.document) for journey in live if journey.version}
    return [
        Problem(path, f"leads back to this journey ({' → '.join([*way, slug])}): people would go round for ever")
        for path, first in starts.items()
        if (way := _way_back(first, slug, known)) is not None
    ]


def _starts(document: Mapping[str, Any]) -> dict[str, str]:
    """The journeys that a document starts, by the path of the step."""
    if documents.flaws(document):
        return {}
    steps = ((path, kinds.steps[step["kind"]].leads_to(step)) for path, step in documents.walk(document))
    return {f"{path}.slug": to for path, to in steps if to}


def _way_back(first: str, slug: str, known: Mapping[str, Mapping[str, str]]) -> list[str] | None:
    """The journeys on the way from `first` to one that starts `slug`; None where there is no such way."""
    if first == slug:
        return []
    ways, seen = [[first]], {first}
    while ways:
        way = ways.pop()
        for to in known.get(way[-1], {}).values():
            if to == slug:
                return way
            if to not in seen:
                seen.add(to)
                ways.append([*way, to])
    return None


# ── Pausing, resuming, stopping ──────────────────────────────────────────────────────────────────────────────────────
def pause(slug: str, *, queue: bool = False, reason: str = "", by_itself: bool = False, now: datetime) -> Journey:
    """Nobody enters, nobody goes on and nothing is sent until `resume`; goals and exits still count.

    Who comes meanwhile is refused, or with `queue` enters when it is resumed. `by_itself`: nobody says so but the
    journey, for the `reason`, which its page shows.
    """
    with transaction.atomic():
        journey = hold(slug)
        if journey.status != Journey.Status.LIVE:
            raise Conflict(f"The journey {journey.name} is {_said(journey)}; only a live one can be paused.")
        journey.status, journey.paused_at, journey.queues_entries = Journey.Status.PAUSED, now, queue
        journey.paused_because = reason if by_itself else ""
        journey.save(update_fields=["status", "paused_at", "paused_because", "queues_entries"])
        done = f"The journey {journey.name} paused itself." if by_itself else f"Paused the journey {journey.name}."
        audit.record("pause", "journey", slug, done, reason=reason, queue=queue)
    return journey


def resume(slug: str, *, how: str = CATCH_UP, shift: bool = False, reason: str = "", now: datetime) -> Journey:
    """Goes on after a pause. Who came meanwhile enters at a ramp, if entries were queued.

    `catch_up`: waits went on meanwhile, and those who are late go on at a ramp. `shift`: waits stood still, and
    everybody goes on as much later as the pause was long. `skip`: waits went on, and what steps would have done during
    the pause is left out. `shift=True` says the same as `how="shift"`.
    """
    how = SHIFT if shift else how
    if how not in HOW:
        raise Invalid.at("how", f"must be one of {', '.join(HOW)}")
    with transaction.atomic():
        journey = hold(slug)
        if journey.status != Journey.Status.PAUSED:
            raise Conflict(f"The journey {journey.name} is {_said(journey)}; only a paused one can be resumed.")
        if journey.carrying is not None and how != CATCH_UP:
            raise Conflict(f"A change of the journey {journey.name} is still being carried out: try again soon.")
        length = now - (journey.paused_at or now)
        journey.status, journey.paused_at = Journey.Status.LIVE, None
        journey.paused_because, journey.watched_since = "", now
        resuming.begin(journey, how, length, now, ramp=following.RAMP)
        journey.save(update_fields=["status", "paused_at", "paused_because", "watched_since", "carrying"])
        audit.record("resume", "journey", slug, f"Resumed the journey {journey.name}.", reason=reason, how=how)
        wake("journeys.advance")
    return journey


def stop(slug: str, *, reason: str = "", now: datetime) -> Journey:
    """Ends it for everybody: nobody enters and nothing is sent from now on; the engine takes people off in batches."""
    with transaction.atomic():
        journey = hold(slug)
        if journey.status not in (Journey.Status.LIVE, Journey.Status.PAUSED):
            raise Conflict(f"The journey {journey.name} is {_said(journey)}; only one that runs can be stopped.")
        journey.status, journey.paused_at, journey.entering_after = Journey.Status.STOPPED, None, None
        journey.paused_because, journey.carrying = "", None
        journey.save(update_fields=["status", "paused_at", "paused_because", "entering_after", "carrying"])
        rounds.drop(journey)
        pausing.turn_away(journey, f"The journey {journey.name} was stopped before they could enter.", now)
        audit.record("stop", "journey", slug, f"Stopped the journey {journey.name}.", reason=reason)
        wake("journeys.advance")
    return journey


def delete(slug: str, *, reason: str = "", now: datetime) -> None:
    """Deletes a journey that was never published; one that was has a story, and can only be stopped."""
    with transaction.atomic():
        journey = hold(slug)
        if journey.version is not None:
            raise Conflict(f"The journey {journey.name} was published, and its story stays: stop it instead.")
        journey.delete()
        audit.record("delete", "journey", slug, f"Deleted the draft of the journey {journey.name}.", reason=reason)


def _said(journey: Journey) -> str:
    return {"draft": "a draft", "live": "live", "paused": "paused", "stopped": "stopped"}[journey.status]
