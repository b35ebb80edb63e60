"""Tasks that journeys give to teams: given, finished with an outcome, called off. The only writer of their table."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from foundation import registry
from foundation.errors import Conflict, Invalid
from foundation.sql import statements
from journeys.models import Task
from messaging.duties import Duty
from messaging.models import Message
from profiles import ingest
from staff import actors, audit

DONE = "$task_done"
_sql = statements("journeys", "work")


@dataclass(frozen=True, slots=True)
class Given:
    """A task to be given; the same enrollment and step are the same task."""

    enrollment: UUID
    step: str
    profile_id: UUID
    title: str
    due_at: datetime | None


def give(tasks: Sequence[Given], *, team: str, outcomes: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Gives these to the team of that slug, in the caller's transaction; those that it was given already stay."""
    if not tasks:
        return
    rows = [
        {
            "enrollment": str(one.enrollment),
            "step": one.step,
            "profile": str(one.profile_id),
            "title": one.title,
            "due": one.due_at and one.due_at.isoformat(),
        }
        for one in tasks
    ]
    kept = [{"key": one["key"], "label": str(one.get("label") or one["key"])} for one in outcomes]
    params = {"rows": json.dumps(rows), "team": team, "outcomes": json.dumps(kept), "now": now}
    if not _sql.rows("team", {"team": team}):
        raise Conflict(f"There is no team {team!r} any more.")
    _sql.run("give", params)


@registry.duties.join
def give_message(duty: Duty) -> bool:
    """Makes a task of a message that went to a team; False where there is no such team or nobody whom it is about."""
    with transaction.atomic():
        _sql.rows("team", {"team": duty.team})
        params = {"message": duty.message, "team": duty.team, "title": duty.title[:500], "details": duty.details}
        _sql.run("give_message", {**params, "now": duty.at})
        return Task.objects.filter(message=duty.message).exists()


def finish(task_id: UUID, *, outcome: str = "", note: str = "", now: datetime) -> Task:
    """Says that it is done, and with which of its outcomes; whoever waits for it on the journey goes on by that arm.

    `Invalid` for an outcome that is none of its own; `Conflict` where it is not open any more.
    """
    with transaction.atomic():
        task = (
            Task.objects.select_for_update(of=("self",)).select_related("team", "enrollment__journey").get(pk=task_id)
        )
        if task.state != Task.State.OPEN:
            raise Conflict(f"This task is not open any more: {task.get_state_display().lower()}.")
        _check(task, outcome)
        if len(note) > 2_000 or "\x00" in note:
            raise Invalid.at("note", "must be a text of at most 2000 characters")
        task.state, task.outcome, task.note = Task.State.DONE, outcome, note
        task.ended_at, task.ended_by = now, actors.current()
        task.save(update_fields=["state", "outcome", "note", "ended_at", "ended_by"])
        journey = task.enrollment.journey.slug if task.enrollment else ""
        if not _is_test(task):
            ingest.emit([_event(task, journey, now)], now=now)
        said = f" ({task.outcome_label})" if outcome else ""
        audit.record("finish", "task", str(task.pk), f"Finished a task of the team {task.team.name}{said}.")
    return task


def _is_test(task: Task) -> bool:
    """Whether staff tried a template with it."""
    message = Message.objects.filter(id=task.message).first() if task.message else None
    return message is not None and message.is_test


def _check(task: Task, outcome: str) -> None:
    known = [one["key"] for one in task.outcomes]
    if known and outcome not in known:
        raise Invalid.at("outcome", f"must be one of {', '.join(known)}")
    if outcome and not known:
        raise Invalid.at("outcome", "this task has no outcomes: it is done or not")


def _event(task: Task, journey: str, now: datetime) -> ingest.Ours:
    return ingest.Ours(
        profile_id=task.profile_id,
        name=DONE,
        properties={"journey": journey, "step": task.step, "team": task.team.slug, "outcome": task.outcome},
        occurred_at=now,
        message_id=f"{DONE}:{task.pk}",
    )


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a task that is done."""

    outcome: str
    label: str
    at: datetime


def done(step: str, enrollments: Collection[UUID]) -> dict[UUID, Done]:
    """Of these enrollments, whose task of that step is done: with what, and when."""
    rows = Task.objects.filter(enrollment_id__in=enrollments, step=step, state=Task.State.DONE)
    return {
        task.enrollment_id: Done(task.outcome, task.outcome_label, task.ended_at)
        for task in rows
        if task.ended_at and task.enrollment_id
    }


def have(step: str, enrollments: Collection[UUID]) -> set[UUID]:
    """Those of these enrollments to which that step has given a task."""
    rows = Task.objects.filter(enrollment_id__in=enrollments, step=step)
    return set(rows.values_list("enrollment_id", flat=True))


def expire(step: str, enrollments: Collection[UUID], *, now: datetime) -> int:
    """Closes those that nobody finished in time."""
    rows = Task.objects.filter(enrollment_id__in=enrollments, step=step, state=Task.State.OPEN)
    return rows.update(state=Task.State.EXPIRED, ended_at=now)


def call_off(enrollments: Collection[UUID], *, now: datetime) -> int:
    """Closes all that is open of these enrollments, which were taken off their journeys."""
    rows = Task.objects.filter(enrollment_id__in=enrollments, state=Task.State.OPEN)
    return rows.update(state=Task.State.CALLED_OFF, ended_at=now)
