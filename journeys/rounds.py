"""Triggers that time alone pulls: dates of people, and rules over segments. What is due is known, never searched for.

Of each date trigger it is written down when each person is to enter (an *appointment*): once for everybody when the
journey is published, batch by batch, and anew for a person whenever something of theirs is new. What was written is
held against what is known when its time has come, so that an appointment that is out of date lets nobody in.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from foundation.sql import statements
from journeys import ending, entering, names
from journeys.kinds import Entry, triggers
from journeys.models import Journey, Round
from journeys.triggers.date import Date
from journeys.triggers.schedule import Schedule
from journeys.walking import Walk
from profiles import pulses
from profiles.models import Profile
from profiles.pulses import Taken

PLANNED = 2_000
ENTERED = 500
LATEST = timedelta(days=1)
"""How long after its moment a date still lets somebody in: the loops may have been down."""
_AN_INSTANT = timedelta(microseconds=1)
_sql = statements("journeys", "rounds")
_RUNNING = (Journey.Status.LIVE, Journey.Status.PAUSED)


# ── With the life of a journey ───────────────────────────────────────────────────────────────────────────────────────
def keep(journey: Journey, document: Any, now: datetime) -> None:
    """Makes its rounds be those of its published document; what was planned for a trigger that stays, stays."""
    given = document["entry"]["trigger"]
    wanted = [one for one in (given if isinstance(given, list) else [given]) if one["kind"] in (Date.key, Schedule.key)]
    for old in Round.objects.filter(journey=journey):
        if old.trigger in wanted:
            wanted.remove(old.trigger)
        else:
            old.delete()
    for one in wanted:
        next_at = Schedule(one).following(now) if one["kind"] == Schedule.key else now
        Round.objects.get_or_create(journey=journey, trigger=one, defaults={"since": now, "next_at": next_at})


def drop(journey: Journey) -> None:
    """A journey that is stopped lets nobody in."""
    Round.objects.filter(journey=journey).delete()


# ── Planning ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def plan(now: datetime) -> int:
    """Writes down when the next batch of people is to enter by a date trigger that is new; how many it looked at."""
    found = _take(_due(now).filter(trigger__kind=Date.key))
    if found is None:
        return 0
    people = Profile.objects.order_by("pk")
    if found.up_to:
        people = people.filter(pk__gt=found.up_to)
    batch = _read(people[:PLANNED], found)
    _write(found, batch, "write_appointments", now)
    found.up_to = batch[-1][0] if batch else None
    found.next_at = now if batch else None
    found.save(update_fields=["up_to", "next_at"])
    return len(batch)


def replan(taken: Sequence[Taken], now: datetime) -> None:
    """Writes down anew when these are to enter, where something is new that a date is read from."""
    if not any(one.attributes or "merge" in one.causes for one in taken):
        return
    for one in Round.objects.filter(trigger__kind=Date.key, journey__status__in=_RUNNING):
        bears = {one.trigger["attribute"], "timezone"}
        people = [each.profile_id for each in taken if not bears.isdisjoint(each.attributes) or "merge" in each.causes]
        if people:
            batch = _read(Profile.objects.filter(pk__in=people), one)
            _write(one, batch, "change_appointments", now)


_Known = tuple[UUID, Any, str | None]


def _read(people: QuerySet[Profile], one: Round) -> list[_Known]:
    """Of each of these: the value that the date is read from, and where they live."""
    name = one.trigger["attribute"]
    column = name if name in Profile.COLUMNS else "pk"
    return [
        (profile, held if column == name and held is not None else attributes.get(name), zone)
        for profile, held, attributes, zone in people.values_list("pk", column, "attributes", "timezone")
    ]


def _write(one: Round, batch: Iterable[_Known], statement: str, now: datetime) -> None:
    trigger, after = Date(one.trigger), max(one.since, now)
    moments = {profile: trigger.moment(value, zone, after) for profile, value, zone in batch}
    come = {profile: at for profile, at in moments.items() if at is not None}
    if come:
        _sql.run(statement, {"round": one.pk, "profiles": list(come), "moments": list(come.values())})
    if gone := [profile for profile in moments if profile not in come]:
        _sql.run("drop_appointments", {"round": one.pk, "profiles": gone})


# ── When the time has come ───────────────────────────────────────────────────────────────────────────────────────────
def start_dated(now: datetime) -> int:
    """Enters a batch of those whose date has come; how many it looked at."""
    due = _sql.rows("due_appointments", {"now": now, "limit": ENTERED})
    # Whoever has a person's lock may be about to write their appointments, which are held here: no waiting for it.
    free = pulses.lock({profile for _, profile, _ in due})
    by_round: dict[int, dict[UUID, datetime]] = {}
    for round_id, profile, at in due:
        if profile in free:
            by_round.setdefault(round_id, {})[profile] = at
    rounds = Round.objects.select_related("journey").in_bulk(by_round)
    for round_id, planned in sorted(by_round.items()):
        _start(rounds[round_id], planned, now)
    return sum(map(len, by_round.values()))


def _start(one: Round, planned: dict[UUID, datetime], now: datetime) -> None:
    trigger = Date(one.trigger)
    batch = _read(Profile.objects.filter(pk__in=list(planned)), one)
    entries = [
        _dated(one, profile, at)
        for profile, value, zone in batch
        if trigger.moment(value, zone, (at := planned[profile]) - _AN_INSTANT) == at and at > now - LATEST
    ]
    _admit(one, entries, now)
    _write(one, batch, "change_appointments", now)  # next year, or the date of now


def _dated(one: Round, profile: UUID, at: datetime) -> Entry:
    name = one.trigger["attribute"]
    return Entry(
        profile_id=profile,
        key=f"date:{name}:{at.astimezone(UTC).isoformat()}",
        at=at,
        reason=f"The time had come: {triggers[Date.key](one.trigger).sentence()}.",
        context={"date": {"attribute": name, "at": at.isoformat()}},
    )


def start_scheduled(now: datetime) -> int:
    """Enters a batch of those in the segment of a rule whose moment has come; how many it looked at."""
    found = _take(_due(now).filter(trigger__kind=Schedule.key))
    if found is None:
        return 0
    trigger = Schedule(found.trigger)
    found.moment = found.moment or _last(trigger, found.next_at or now, now)
    params = {"slug": trigger.segment, "at": found.moment, "after": found.up_to, "limit": ENTERED}
    people = [profile for (profile,) in _sql.rows("in_segment", params)]
    if people:
        # The round is held before the people: whoever else holds one takes no locks of people but this way.
        pulses.lock_all(people)
        with names.known(names.segments([trigger.segment])):
            _admit(found, [_scheduled(trigger, profile, found.moment) for profile in people], now)
        found.up_to = people[-1]
    else:
        found.moment, found.up_to, found.next_at = None, None, trigger.following(now)
    found.save(update_fields=["moment", "up_to", "next_at"])
    return max(1, len(people))


def _last(trigger: Schedule, first: datetime, now: datetime) -> datetime:
    """The latest moment of the rule that has come: of several that were missed, only the last is made up for."""
    while (following := trigger.following(first)) is not None and following <= now:
        first = following
    return first


def _scheduled(trigger: Schedule, profile: UUID, at: datetime) -> Entry:
    return Entry(
        profile_id=profile,
        key=f"schedule:{trigger.segment}:{at.astimezone(UTC).isoformat()}",
        at=at,
        reason=f"The time had come: {trigger.sentence()}.",
        context={"segment": trigger.segment},
    )


def _admit(one: Round, entries: Sequence[Entry], now: datetime) -> None:
    if not entries:
        return
    walk = Walk.at(now)
    for gate in entering.gates([one.journey], walk):
        ending.check(walk, gate.admit(entries, walk), concerns=ending.always)
        walk.write()  # `engine.advance` leads them on


def _due(now: datetime) -> QuerySet[Round]:
    return Round.objects.filter(next_at__lte=now, journey__status__in=_RUNNING).select_related("journey")


def _take(rounds: QuerySet[Round]) -> Round | None:
    return rounds.select_for_update(of=("self",), skip_locked=True, no_key=True).order_by("next_at", "pk").first()
