"""The life of a broadcast: written, started with its audience fixed, paused and gone on with, cancelled, done.

Its messages are queued from the rows of its recipients, batch by batch; what a batch did is true when it commits. So
whatever is killed, whenever: the next round goes on with those who have no message yet, and nobody gets two.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from consent.preferences import is_zone
from foundation import wake, wording
from foundation.errors import Conflict, Invalid, Problem
from foundation.sql import statements
from messaging import outbox
from messaging.broadcasts.models import Broadcast, Recipient
from messaging.domains import policy
from messaging.models import Template
from messaging.outbox import as_json
from segments.models import Segment
from staff import actors, audit

BATCH = 500
LEAST_RATE, MOST_RATE = 60, 10_000_000
AHEAD = timedelta(days=365)
_SOMEDAY = timedelta(days=3_650)
_MINUTE = timedelta(minutes=1)
_sql = statements("messaging", "broadcasts")
States = Broadcast.State


class Pair(Protocol):
    survivor_id: UUID
    absorbed_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who gets what, and when. `segment` and `template` are slugs; `rate` is messages an hour.

    With `local`, everybody gets it when clocks where they are read as `send_at` does in the project's zone; at once,
    where that is over.
    """

    name: str
    segment: str
    template: str
    send_at: datetime | None = None
    local: bool = False
    rate: int | None = None


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def save(id: UUID | None, plan: Plan, *, now: datetime) -> Broadcast:
    """Writes a draft, new or anew; `Invalid` names all that is wrong, `Conflict` if it has been started."""
    segment, template = _checked(plan, now)
    with transaction.atomic():
        row = Broadcast(author=actors.current(), created_at=now) if id is None else _locked(id, States.DRAFT)
        row.name, row.segment, row.template = plan.name.strip(), segment, template
        row.send_at, row.local, row.rate = plan.send_at, plan.local, plan.rate
        row.save(force_insert=id is None)
        did = "wrote" if id is None else "changed"
        audit.record(f"broadcast.{did}", "broadcast", str(row.id), f"{did.capitalize()} the broadcast {row.name}.")
    return row


def delete(id: UUID, *, now: datetime) -> None:
    """Throws a draft away."""
    with transaction.atomic():
        row = _locked(id, States.DRAFT)
        audit.record("broadcast.deleted", "broadcast", str(id), f"Threw the draft {row.name} away.")
        row.delete()


def _checked(plan: Plan, now: datetime) -> tuple[Segment, Template]:
    problems = []
    if not 1 <= len(plan.name.strip()) <= 200 or "\0" in plan.name:
        problems.append(Problem("name", "must have 1 to 200 characters"))
    segment = Segment.objects.filter(slug=plan.segment).first()
    if segment is None:
        problems.append(Problem("segment", f"there is no segment {plan.segment!r}"))
    template = Template.objects.filter(slug=plan.template, one_off=False, archived=False, version__isnull=False).first()
    if template is None:
        problems.append(Problem("template", f"there is no template {plan.template!r} in use"))
    if plan.send_at is not None and plan.send_at > now + AHEAD:
        problems.append(Problem("send_at", "lies more than a year ahead"))
    if plan.local and plan.send_at is None:
        problems.append(Problem("send_at", "say when: a time of day where people are needs a day and a time"))
    if plan.rate is not None and not LEAST_RATE <= plan.rate <= MOST_RATE:
        problems.append(Problem("rate", f"must be from {LEAST_RATE} to {MOST_RATE:,} messages an hour, or empty"))
    if problems or segment is None or template is None:
        raise Invalid(problems)
    return segment, template


# ── Starting, pausing, going on, ending ──────────────────────────────────────────────────────────────────────────────
def start(id: UUID, *, now: datetime) -> Broadcast:
    """Fixes the audience as it is now, and begins to queue its messages as they become due."""
    with transaction.atomic():
        row = _locked(id, States.DRAFT)
        _check_can_start(row)
        at = max(row.send_at or now, now)
        row.audience = _sql.run(
            "fix",
            {"broadcast": row.id, "segment": row.segment_id, "at": at, "zones": as_json(_moments(row, at))},
        )
        if not row.audience:
            raise Conflict(f"Nobody is in the segment {row.segment} just now, so there is nobody to send it to.")
        row.state, row.started_at, row.definition = States.RUNNING, now, row.segment.definition
        row.save()
        to = wording.plural(row.audience, "person", "people")
        audit.record("broadcast.started", "broadcast", str(id), f"Started the broadcast {row.name} to {to}.")
        wake.wake("messaging.broadcasts")
    return row


def _check_can_start(row: Broadcast) -> None:
    if row.segment.status != Segment.Status.LIVE:
        raise Conflict(f"The segment {row.segment} is not live, so nobody knows who is in it; make it live first.")
    if row.template.archived or row.template.version_id is None:
        raise Conflict(f"The template {row.template} is out of use; choose another.")
    if row.template.channel == "email":
        policy.check()


def _moments(row: Broadcast, at: datetime) -> list[dict[str, object]]:
    """When it is due in each zone: the first of two equal times on a clock, and past a gap as far as that is wide."""
    if not row.local or row.send_at is None:
        return []
    ours = ZoneInfo(settings.PROJECT_TIME_ZONE)
    reads = row.send_at.astimezone(ours).replace(tzinfo=None)
    names = [name for (name,) in _sql.rows("zones", {"segment": row.segment_id})]
    zones = {name: ZoneInfo(name) if name and is_zone(name) else ours for name in names}
    return [{"name": name, "at": reads.replace(tzinfo=zone)} for name, zone in zones.items()]


def pause(id: UUID, *, now: datetime, note: str = "") -> None:
    """Holds back all that is not being sent yet."""
    with transaction.atomic():
        row = _locked(id, States.RUNNING)
        row.state, row.paused_at, row.note = States.PAUSED, now, note
        row.save()
        _sql.run("hold", {"keys": _keys(row), "reason": "The broadcast is paused.", "until": now + _SOMEDAY})
        audit.record("broadcast.paused", "broadcast", str(id), note or f"Paused the broadcast {row.name}.")


def resume(id: UUID, *, now: datetime) -> None:
    """Goes on with whoever has not got it yet; what waited meanwhile is judged again."""
    with transaction.atomic():
        row = _locked(id, States.PAUSED)
        _check_can_start(row)
        waited = now - row.paused_at if row.paused_at else timedelta(0)
        row.state, row.paused_at, row.note = States.RUNNING, None, ""
        row.save()
        _sql.run("let_go", {"keys": _keys(row), "now": now, "waited": waited})
        audit.record("broadcast.resumed", "broadcast", str(id), f"Went on with the broadcast {row.name}.")
        wake.wake("messaging.broadcasts")
        wake.wake("messaging.dispatch")


def cancel(id: UUID, *, now: datetime) -> None:
    """Ends it: who has not got it does not get it. What was sent stays sent."""
    with transaction.atomic():
        row = _locked(id, States.RUNNING, States.PAUSED)
        row.state, row.ended_at = States.CANCELLED, now
        row.save()
        _sql.run("stop", {"keys": _keys(row), "reason": "The broadcast was cancelled.", "now": now})
        audit.record("broadcast.cancelled", "broadcast", str(id), f"Cancelled the broadcast {row.name}.")


def _locked(id: UUID, *states: str) -> Broadcast:
    row = Broadcast.objects.select_for_update(of=("self",)).select_related("segment", "template").filter(id=id).first()
    if row is None:
        raise Conflict("This broadcast is gone.")
    if row.state not in states:
        raise Conflict(f"The broadcast is {States(row.state).label.lower()} by now.")
    return row


def key_of(broadcast: UUID) -> str:
    """What the keys of its messages begin with."""
    return f"broadcast:{broadcast}:"


def _keys(row: Broadcast) -> str:
    return f"{key_of(row.id)}%"


# ── Going on ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def tick(now: datetime) -> int:
    """Queues the messages that are due, and ends broadcasts of which nothing is left; how many were queued."""
    done = 0
    for id in list(
        Broadcast.objects.filter(state=States.RUNNING).order_by("started_at", "id").values_list("id", flat=True)
    ):
        while queued := _queue_some(id, now):
            done += queued
        done += _end(id, now)
    return done


def _queue_some(id: UUID, now: datetime) -> int:
    """A batch, or what its rate leaves room for; 0 while another worker is at it."""
    try:
        with transaction.atomic():
            found = Broadcast.objects.select_for_update(skip_locked=True, of=("self",)).select_related("template")
            row = found.filter(id=id, state=States.RUNNING).first()
            return _queue(row, now) if row else 0
    except Invalid as refusal:
        pause(id, now=now, note=f"It paused on its own: {refusal}")
        return 0


def _queue(row: Broadcast, now: datetime) -> int:
    waiting = Recipient.objects.filter(broadcast=row, queued_at=None, due_at__lte=now).order_by("due_at", "id")
    due = list(waiting.values_list("id", "profile_id")[: _room(row, now)])
    requests = [
        outbox.Request(
            key=f"{key_of(row.id)}{id}",
            profile_id=profile,
            template=row.template.slug,
            channel=row.template.channel,
        )
        for id, profile in due
    ]
    outbox.enqueue(requests, now=now)
    Recipient.objects.filter(id__in=[id for id, _ in due]).update(queued_at=now)
    return len(due)


def _room(row: Broadcast, now: datetime) -> int:
    """How many may be queued now: with a rate, a minute's share of it in any minute."""
    if row.rate is None:
        return BATCH
    lately = Recipient.objects.filter(broadcast=row, queued_at__gt=now - _MINUTE).count()
    return max(min(BATCH, row.rate // 60 - lately), 0)


def _end(id: UUID, now: datetime) -> int:
    with transaction.atomic():
        row = Broadcast.objects.select_for_update(skip_locked=True).filter(id=id, state=States.RUNNING).first()
        if row is None or _sql.rows("waits", {"broadcast": id, "keys": _keys(row)})[0][0]:
            return 0
        row.state, row.ended_at = States.DONE, now
        row.save(update_fields=["state", "ended_at"])
        return 1


# ── How it goes ──────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Progress:
    """`counts` are messages by state and by the guardrail that judged last; `waiting` people have none yet."""

    audience: int
    waiting: int
    counts: tuple[tuple[str, str, int], ...]

    def of(self, *states: str) -> int:
        return sum(n for state, _, n in self.counts if state in states)


def progress(row: Broadcast) -> Progress:
    waiting = Recipient.objects.filter(broadcast=row, queued_at=None).count()
    return Progress(row.audience, waiting, tuple(tuple(found) for found in _sql.rows("progress", {"keys": _keys(row)})))


# ── People who become one, or go ─────────────────────────────────────────────────────────────────────────────────────
def absorb(merges: Sequence[Pair]) -> None:
    people = {
        "absorbed": [pair.absorbed_id for pair in merges],
        "survivors": [pair.survivor_id for pair in merges],
    }
    _sql.run("absorb", people)
    Recipient.objects.filter(profile__in=people["absorbed"]).delete()


def erase(profile: UUID) -> None:
    Recipient.objects.filter(profile=profile).delete()


def references(kind: str, slug: str) -> list[str]:
    """Which broadcasts that are not over use a segment or a template."""
    return users(kind, [slug]).get(slug, [])


def users(kind: str, slugs: Collection[str]) -> dict[str, list[str]]:
    """The same of many at once."""
    field = {"segment": "segment__slug", "template": "template__slug"}.get(kind)
    found: dict[str, list[str]] = {}
    if field is None:
        return found
    open_ones = Broadcast.objects.exclude(state__in=[States.DONE, States.CANCELLED]).filter(**{f"{field}__in": slugs})
    for slug, name in open_ones.order_by("name").values_list(field, "name"):
        found.setdefault(slug, []).append(f"The broadcast {name} uses it.")
    return found
