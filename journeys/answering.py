"""What journeys answer to the apps below: is a message still wanted, who uses this, what of a merge or an erasure."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from foundation import clock, registry
from foundation.sql import statements
from journeys import calling, documents, ending, numbers, work
from journeys import program as programs
from journeys.fields import said
from journeys.models import (
    CALLED_OFF,
    Appointment,
    Assignment,
    Enrollment,
    Journey,
    JourneyVersion,
    QueuedEntry,
    Refusal,
    Task,
    Transition,
)
from journeys.walking import Traveller, read
from messaging import outbox
from messaging.models import Message
from profiles.merging import Pair
from profiles.models import Profile

_sql = statements("journeys", "answering")


# ── Is it still wanted? ──────────────────────────────────────────────────────────────────────────────────────────────
@registry.still_wanted.join
def still_wanted(messages: Sequence[Message], now: datetime | None = None) -> dict[UUID, str]:
    """Messages whose journey does not run, was called off for the person, or whose goal or exit came true meanwhile.

    Asked in the transaction that commits the intent to send: what the engine has not looked at yet is seen here.
    """
    of_journeys = [message for message in messages if message.enrollment]
    if not of_journeys:
        return {}
    found = {row[0]: row for row in _sql.rows("standing", {"enrollments": [m.enrollment for m in of_journeys]})}
    # A message is only taken up once it is due, so that this is never before the moment that counts.
    at = now or max(clock.now(), *(message.due_at for message in of_journeys))
    reasons = {id: reason for id, row in found.items() if (reason := _ended(*row[1:5]))}
    reasons |= _meanwhile(read(row[5:] for id, row in found.items() if id not in reasons), at)
    gone = "The journey no longer knows this person."
    return {
        message.id: reasons.get(message.enrollment, gone)
        for message in of_journeys
        if message.enrollment in reasons or message.enrollment not in found
    }


def _ended(name: str, status: str, ended_by: str, reason: str) -> str:
    if status == Journey.Status.STOPPED:
        return f"The journey {name} was stopped."
    if status == Journey.Status.PAUSED:
        return registry.NotNow(f"The journey {name} is paused.")
    return reason if ended_by in CALLED_OFF else ""


def _meanwhile(travellers: Sequence[Traveller], at: datetime) -> dict[UUID, str]:
    """Of those whose message would go out: for whom the goal or the exit holds now."""
    known = programs.of({one.version_id for one in travellers})
    reasons: dict[UUID, str] = {}
    for version_id, group in ending.by_version(travellers).items():
        program = known.get(version_id)
        if program and program.goal and program.goal.exit:
            met = ending.reached(program.goal, group, at)
            reasons |= {one.id: f"They reached the goal: {said(program.goal.condition)}." for one, _ in met}
        if program and program.exit:
            left = ending.holding(program.exit, group, at)
            reasons |= dict.fromkeys(left, f"The exit condition came true: {said(program.exit)}.")
    return reasons


# ── Who uses this? ───────────────────────────────────────────────────────────────────────────────────────────────────
@registry.references.join
def references(kind: str, slug: str) -> list[str]:
    """Journeys whose live version or draft relies on a segment, template, team or journey."""
    return users(kind, [slug]).get(slug, [])


@registry.users.join
def users(kind: str, slugs: Collection[str]) -> dict[str, list[str]]:
    """The same of many at once: each that is used, with the journeys that do."""
    rows = JourneyVersion.objects.filter(Q(published_at=None) | Q(pk__in=Journey.objects.values("version")))
    found: dict[str, dict[str, None]] = {}
    for version in rows.select_related("journey").order_by("journey__slug", "number"):
        draft = " (in its draft)" if version.published_at is None else ""
        for slug in _used(version, kind).intersection(slugs):
            found.setdefault(slug, {})[f"The journey {version.journey.name} uses it{draft}."] = None
    return {slug: list(sentences) for slug, sentences in found.items()}


def _used(version: JourneyVersion, kind: str) -> set[str]:
    if documents.flaws(version.document):
        return set()
    return {use.slug for use in documents.uses(version.document) if use.kind == kind}


@registry.known.join
def known(kind: str, slugs: Collection[str]) -> set[str] | None:
    """Of these journeys those that there are."""
    return set(Journey.objects.filter(slug__in=slugs).values_list("slug", flat=True)) if kind == "journey" else None


# ── One person ───────────────────────────────────────────────────────────────────────────────────────────────────────
@registry.absorb.join
def absorb(merges: Sequence[Pair]) -> None:
    """Moves journeys to those who live on. Of two enrollments on the way in one journey the one further ahead stays."""
    params = {"survivors": [pair.survivor_id for pair in merges], "absorbed": [pair.absorbed_id for pair in merges]}
    _sql.rows("hold", params)
    now = clock.now()
    ended = [id for (id,) in _sql.rows("end_the_one_behind", {**params, "now": now})]
    outbox.cancel(ended, reason="Two people turned out to be one, who was further ahead already.", now=now)
    work.call_off(ended, now=now)
    calling.call_off(ended, now=now)
    for statement in (
        "tell_apart",
        "move",
        "move_tasks",
        "move_refusals",
        "drop_refusals",
        "move_assignments",
        "drop_assignments",
        "drop_appointments",
        "move_queued",
        "drop_queued",
    ):
        _sql.run(statement, params)


@registry.erase.join
def erase(profile: Profile) -> None:
    """Takes the person out of every journey, story and all; what they count for stays, as nobody's."""
    # Held first: who walks with one of them now writes on its story until then.
    list(Enrollment.objects.filter(profile=profile).order_by("pk").select_for_update(of=("self",)).values_list("pk"))
    numbers.keep(profile.pk)
    Transition.objects.filter(enrollment__profile=profile).delete()
    Enrollment.objects.filter(profile=profile).delete()
    Refusal.objects.filter(profile=profile).delete()
    Appointment.objects.filter(profile=profile).delete()
    QueuedEntry.objects.filter(profile=profile).delete()
    Assignment.objects.filter(profile=profile).update(profile=None)


@registry.export.join
def export(profile: Profile) -> dict[str, Any]:
    """The person's journeys, step by step, and those that they did not enter."""
    enrollments = Enrollment.objects.filter(profile=profile).select_related("journey").order_by("entered_at")
    refusals = Refusal.objects.filter(profile=profile).select_related("journey").order_by("at")
    tasks = Task.objects.filter(profile=profile).order_by("created_at")
    return {
        "tasks": [
            {"at": one.created_at.isoformat(), "what": one.title, "state": one.get_state_display(), "note": one.note}
            for one in tasks
        ],
        "journeys": [_told(one) for one in enrollments],
        "journeys_not_entered": [
            {"journey": one.journey.name, "last": one.at.isoformat(), "times": one.times, "reason": one.reason}
            for one in refusals
        ],
    }


def _told(one: Enrollment) -> dict[str, Any]:
    return {
        "journey": one.journey.name,
        "state": one.get_state_display(),
        "entered_at": one.entered_at.isoformat(),
        "ended_at": one.ended_at.isoformat() if one.ended_at else None,
        "reason": one.reason,
        "reached_the_goal_at": one.converted_at.isoformat() if one.converted_at else None,
        "steps": list(_steps(one)),
    }


def _steps(one: Enrollment) -> Iterator[dict[str, str]]:
    for told in one.transitions.order_by("id"):
        answer = told.get_answer_display()
        yield {"at": told.at.isoformat(), "step": told.step, "what": answer, "arm": told.arm, "why": told.reason}
