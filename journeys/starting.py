"""Puts one person on a journey, because a program or a member of staff says so."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import transaction

from foundation.errors import Conflict
from journeys import ending, entering
from journeys.kinds import Entry
from journeys.models import Enrollment, Journey
from journeys.walking import Walk
from profiles import pulses
from profiles.models import Profile
from staff import actors, audit

_WORDS = {"api": "the API", "manual": "hand"}


def start(
    journey: Journey,
    profile: Profile,
    *,
    by: str,
    context: Mapping[str, Any] | None = None,
    key: str = "",
    now: datetime,
) -> Enrollment:
    """Enters the person as of now and leads them to where they wait; `by` is `api` or `manual`.

    `context` is what templates may use as `data`; `key` makes the same call the same entry. `Conflict`, with the
    reason, where the journey does not start so, does not run, or does not take them; a refusal is remembered.
    """
    with transaction.atomic():
        pulses.lock_all([profile.pk])
        walk = Walk.at(now)
        gate = _gate(journey, by, walk)
        entry = Entry(
            profile_id=profile.pk,
            key=f"{by}:{key or uuid4()}",
            at=now,
            reason=f"They were put on it by {_WORDS[by]}.",
            context={"data": dict(context or {})},
        )
        entered = gate.admit([entry], walk)
        ending.check(walk, entered, concerns=ending.always)
        walk.follow(entered)
        walk.write()
        refusal = "" if entered else gate.why or "They are on the way already."
        if entered and actors.current().startswith("user:"):
            audit.record("start", "journey", journey.slug, "Put somebody on the journey.", profile=str(profile.pk))
    # Outside, so that the refusal stays.
    if refusal:
        raise Conflict(refusal)
    return Enrollment.objects.get(pk=entered[0].id)


def _gate(journey: Journey, by: str, walk: Walk) -> entering.Gate:
    journey.refresh_from_db()
    if journey.status not in (Journey.Status.LIVE, Journey.Status.PAUSED):
        raise Conflict(f"The journey {journey.name} is not live.")
    for gate in entering.gates([journey], walk):
        if any(trigger.key == by for trigger in gate.program.triggers):
            return gate
    raise Conflict(f"The journey {journey.name} is not started by {_WORDS[by]}: add the trigger {by!r} to it.")
