"""What moves people: `react` to what they did, and `advance` those whose time has come.

Locks are taken in one order by all who write here, so that nobody waits in a circle: first the people
(`profiles.pulses`), then enrollments in order of id, then everything else. `advance` takes no lock of people; it takes
only enrollments that nobody holds, and so never waits for one.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import cycle
from time import monotonic
from uuid import UUID

from django.db import transaction

from foundation.failpoints import reach
from foundation.sql import statements
from journeys import attempts, ending, entering, following, names, pausing, rounds
from journeys.kinds import Happened
from journeys.matching import ANYTHING, Renames
from journeys.models import Attempt, Ending, Journey
from journeys.walking import Traveller, Walk, read
from profiles import pulses
from profiles.models import EventType
from profiles.pulses import Taken
from segments import membership

BATCH = 2_000
PEOPLE = 500
MEMBERS = 2_000
SECONDS = 25.0  # that a run goes on with one thing, so that its `now` stays true
_RUNNING = (Journey.Status.LIVE, Journey.Status.PAUSED)
_PASSES = 500  # a run ends some time, so that its worker may be told to stop; the next goes on
_sql = statements("journeys", "engine")
Step = Callable[[datetime], int]
Then = Callable[[], None]


def _nothing() -> None:
    pass


def react(now: datetime, then: Then = _nothing) -> int:
    """Looks again at the people of whom something is new: segments, entries, goals and exits, and what follows at once.

    Batch by batch, each in a transaction of its own with the pulses that it takes; how many people it looked at. What
    it writes makes new pulses, which it takes as well: it comes to rest, since those start nothing on their own.
    `then` is done after each batch.
    """
    return _until_nothing(_taking_turns(), now, then)


def advance(now: datetime, then: Then = _nothing) -> int:
    """Moves on those who are due, a share of each journey at a time; how many it moved. `then`: as above."""
    return _until_nothing(once, now, then)


def once(now: datetime) -> int:
    """One round: a batch of each thing that there is to do, so that none of them waits until another is done."""
    return sum(step(now) for step in _STEPS)


def _until_nothing(step: Step, now: datetime, then: Then) -> int:
    total, began = 0, monotonic()
    for _ in range(_PASSES):
        done = step(now)
        total += done
        then()
        if not done or monotonic() - began > SECONDS:
            break
    return total


# ── Reacting ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _taking_turns() -> Step:
    """Looks at a batch of those who came by themselves, and now and then at one of the crowd, so that both get on."""
    turns = cycle([False, False, False, True])

    def step(now: datetime) -> int:
        alone, crowd = pulses.waiting()
        queues = [queue for queue, there in ((False, alone), (True, crowd)) if there]
        if not queues:
            return 0
        if next(turns):
            queues.reverse()
        return _react(queues, now)

    return step


def _react(queues: Sequence[bool], now: datetime) -> int:
    """Looks at a batch of the first of these queues in which nobody else has everybody."""
    careful, began = attempts.workers_die(), monotonic()
    attempt = attempts.begin(Attempt.Kind.REACT)
    reach("react.begun")
    with attempts.held(attempt):
        if monotonic() - began > SECONDS:  # we stood still: others have gone on, and `now` is long past
            return 0
        taken = next((found for crowd in queues if (found := pulses.claim(PEOPLE, crowd=crowd, now=now))), [])
        reach("react.taken")
        if taken:
            walk = Walk.at(pulses.as_of(taken, now))  # what came since the run began is behind us, too
            walk.careful = careful
            look_at(taken, walk)
        reach("react.written")
    reach("react.done")
    return len(taken)


def look_at(taken: list[Taken], walk: Walk, only: Journey | None = None) -> None:
    """Looks at what is new of these people, whose locks the caller holds, in all journeys or in `only` one."""
    now = walk.now
    there = _there(taken, now, only)
    changes = membership.refresh(taken, now=now)
    renames = Renames.read()
    done = _done(taken, renames)
    concerns = ending.touched(taken, set().union(*done.values()), {change.slug for change in changes})
    ending.check(walk, there, concerns=concerns)
    if only is None:
        rounds.replan(taken, now)
    walk.flush()  # who may enter again depends on who has just left
    entered = _enter(walk, Happened(pulses.triggering(taken), changes, renames), only)
    ending.check(walk, entered, concerns=ending.always)
    values = {one.profile_id: one.attributes for one in taken if one.attributes}
    walk.follow([*_woken(there, done, values, walk), *entered])
    walk.write()


def _there(taken: list[Taken], now: datetime, only: Journey | None) -> list[Traveller]:
    """The enrollments of these people: those on the way, held, and those that may still reach their goal."""
    since = min((one.first_at for one in taken if one.first_at), default=now)
    profiles = [one.profile_id for one in taken]
    params = {"profiles": profiles, "journey": only and only.pk, "since": min(since, now)}
    return on_the_way(profiles, only) + read(_sql.rows("may_still_convert", params))


def on_the_way(profiles: list[UUID], only: Journey | None = None) -> list[Traveller]:
    """Where these people are on the way, held."""
    return read(_sql.rows("lock", {"profiles": profiles, "journey": only and only.pk}))


def _done(taken: list[Taken], renames: Renames) -> dict[UUID, set[str]]:
    """The names of what each of these people did, by all names that they go by."""
    ids = {id for one in taken for id in one.names}
    known = dict(EventType.objects.filter(pk__in=ids).values_list("pk", "name")) if ids else {}
    return {one.profile_id: renames.all_of(known[id] for id in one.names if id in known) for one in taken}


def _enter(walk: Walk, happened: Happened, only: Journey | None) -> list[Traveller]:
    if not happened.events and not happened.changes:
        return []
    if only is not None:
        running = [only]
    else:
        running = [one for one in walk.journeys if one.version_id and one.status in _RUNNING]
    gates = entering.gates(running, walk)
    with names.known(names.segments({change.slug for change in happened.changes})):
        return [one for gate in gates for one in gate.admit(gate.happened(happened), walk)]


def _woken(
    there: list[Traveller], done: dict[UUID, set[str]], values: dict[UUID, frozenset[str]], walk: Walk
) -> list[Traveller]:
    """Those who wait for something that was done now, or for a moment that hangs on a value that changed.

    While their journey is paused or carries its people over to a new version, nobody is woken. They are made due, so
    that they are asked once that is over: what was done is not told again. Of those who await something, whoever
    resumes a journey asks all; of whose moment hangs on a value, those whose moment may have changed.
    """
    woken = []
    for one in there:
        hangs = one.active and one.profile_id in values and _hangs_on(one, values[one.profile_id], walk)
        if hangs and one.journey_id in walk.paused:
            # As if it had changed when the pause began: the ways to resume then let them be asked at once.
            one.due_at, walk.moved[one.id] = min(one.due_at or walk.now, walk.paused[one.journey_id]), one
        elif hangs or (one.active and any(_is_awaited(name, one.awaits) for name in done[one.profile_id])):
            if one.journey_id in walk.carrying:
                one.due_at, walk.moved[one.id] = walk.now, one
            elif one.journey_id in walk.live:
                woken.append(one)
    return woken


def _hangs_on(one: Traveller, values: frozenset[str], walk: Walk) -> bool:
    program = walk.programs([one]).get(one.version_id)
    node = program.nodes.get(one.step) if program else None
    return bool(node and node.step and not values.isdisjoint(node.step.hangs_on))


def _is_awaited(name: str, awaits: list[str]) -> bool:
    return name in awaits or (ANYTHING in awaits and not name.startswith("$"))


# ── Advancing ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _advance(now: datetime) -> int:
    """Moves a batch on. That it is tried is committed first, as a step may kill its worker (see `attempts`)."""
    if (left := attempts.orphan()) is not None:
        return _again(left, now)
    began = monotonic()
    with transaction.atomic():
        attempt, people = claim(now)
        reach("advance.claim")
    if attempt is not None:
        reach("advance.claimed")
        if monotonic() - began > SECONDS:  # as above
            attempts.give_up(attempt)
            return 0
        _work_on(attempt, now)
        reach("advance.done")
    return people


def _again(left: Attempt, now: datetime) -> int:
    """Goes on with what a dead worker had: by halves; whoever is alone and costs one worker after another is parked."""
    if attempts.is_poison(left):
        with attempts.held(left):
            _park(left, now)
    elif attempts.go_on(left):
        _work_on(left, now)
    else:
        attempts.release(left.pk)
    return 1


def _work_on(attempt: Attempt, now: datetime) -> None:
    with attempts.held(attempt):
        move_on(read(_sql.rows("in_hand", {"attempt": attempt.pk, "now": now})), Walk.at(now))


def _park(attempt: Attempt, now: datetime) -> None:
    walk = Walk.at(now)
    for one in read(_sql.rows("in_hand", {"attempt": attempt.pk, "now": now})):
        walk.park(one, f"The step {one.step} brought {attempt.times} workers down, one after another.")
    walk.write()


def move_on(due: list[Traveller], walk: Walk) -> None:
    """Leads those on whose time has come."""
    ending.check(walk, due, concerns=ending.by_time)
    walk.follow(due)
    reach("advance.walked")
    walk.write()
    reach("advance.written")


def claim(now: datetime, limit: int = BATCH) -> tuple[Attempt | None, int]:
    """Takes up to `limit` of those who are due in hand, and says how many that are.

    Each journey gets a fair share, the longest overdue first. Those whom another worker has in hand are passed by.
    """
    shares = fair(dict(_sql.rows("waiting_to_go_on", {"now": now, "limit": limit})), limit)
    return attempts.claim(shares, now) if shares else (None, 0)


def fair(waiting: dict[int, int], limit: int) -> dict[int, int]:
    """Splits `limit` among those who wait: nobody gets more than they need, and what is left goes to the others."""
    shares: dict[int, int] = {}
    left = limit
    for place, (key, need) in enumerate(sorted(waiting.items(), key=lambda item: item[1])):
        share = min(need, max(1, left // (len(waiting) - place))) if left else 0
        if share:
            shares[key] = share
            left -= share
    return shares


def _enter_members(now: datetime) -> int:
    """Enters a batch of those who were in the trigger's segment when a journey was launched with them."""
    waiting = Journey.objects.filter(status=Journey.Status.LIVE, entering_after__isnull=False)
    journey = waiting.select_for_update(skip_locked=True, no_key=True).order_by("pk").first()
    if journey is None:
        return 0
    walk = Walk.at(now)
    gate = next(iter(entering.gates([journey], walk)), None)
    members = entering.members_of(gate, MEMBERS) if gate else []
    if gate and members:
        # The journey is held before the people: whoever else holds a journey so takes no locks of people.
        pulses.lock_all([one.profile_id for one in members])
        ending.check(walk, gate.admit(members, walk), concerns=ending.always)
        walk.write()  # `_advance` leads them on
        journey.entered_up_to = members[-1].profile_id
    else:
        journey.entering_after = None
    journey.save(update_fields=["entering_after", "entered_up_to"])
    return len(members)


def _enter_queued(now: datetime) -> int:
    """Enters a batch of those who came while a journey was paused, now that it goes on."""
    waiting = Journey.objects.filter(status=Journey.Status.LIVE, carrying__isnull=True, queued__due_at__lte=now)
    # By the ids, since rows that are joined twice cannot be held.
    journey = (
        Journey.objects.filter(pk__in=waiting.values("pk"))
        .select_for_update(skip_locked=True, no_key=True)
        .order_by("pk")
        .first()
    )
    if journey is None:
        return 0
    queued = pausing.due(journey, now, PEOPLE)
    pulses.lock_all([one.profile_id for one in queued])
    walk = Walk.at(now)
    entries = pausing.taken(queued)
    for gate in entering.gates([journey], walk):
        ending.check(walk, gate.admit(entries, walk), concerns=ending.always)
    walk.write()  # `_advance` leads them on
    return len(queued)


def _end_stopped(now: datetime) -> int:
    """Ends a batch of those who are still on a journey that was stopped."""
    left = read(_sql.rows("claim_stopped", {"limit": BATCH}))
    if not left:
        return 0
    walk = Walk.at(now)
    for one in left:
        walk.take_off(one, Ending.STOPPED, "The journey was stopped.")
    walk.write()
    return len(left)


def _alone(step: Step) -> Step:
    """The step in a transaction of its own."""

    def stepped(now: datetime) -> int:
        with transaction.atomic():
            done = step(now)
            reach("sweep.written")
        reach("sweep.done")
        return done

    return stepped


# Whoever has come to the end may enter again, so that those on the way go first.
_STEPS = (
    _alone(_end_stopped),
    _alone(following.carry_on),
    _advance,
    _alone(rounds.plan),
    _alone(rounds.start_dated),
    _alone(rounds.start_scheduled),
    _alone(_enter_members),
    _alone(_enter_queued),
    _advance,
)
