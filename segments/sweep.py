"""Time, and the safety net under it.

Between two moments nothing changes by time alone that was not foreseen: when a person's answers may next change stands
in `Watch.next_at`. Whoever's time has come is touched, and then asked like anybody else: under their lock, in a fresh
snapshot. A segment that was just asked of everybody is looked through for those moments first.

Now and then each segment is compared with its condition as a whole, to find whoever slipped through. Segments that ask
about everybody (`top`) are always followed this way.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db import DatabaseError, transaction

from foundation.sql import statements
from profiles import pulses
from profiles.models import Pulse
from segments import building, live, membership
from segments.live import Live, Standing
from segments.models import Cause, Segment
from segments.question import Question, earliest

WHOLE = timedelta(minutes=5)  # those that can only be asked of everybody
MOVING = timedelta(hours=6)  # those that time moves, where nothing should ever be found
STILL = timedelta(hours=24)  # the others, where even less should
_STAGGER = timedelta(minutes=1)  # by those compared together, so that they do not all come at once
_BATCH = 5_000
_FIRST = UUID(int=0)
_sql = statements("segments", "membership")


def tick(now: datetime) -> int:
    """One round; how many people it touched. Some segments at a time are compared in a transaction of their own."""
    standing = live.read()
    for id, why in standing.broken.items():
        Segment.objects.filter(id=id).exclude(flagged=why).update(flagged=why)
    for one, since in _unforeseen(standing):
        _foresee(one, since)
    touched = _those_due(now) + _those_put_off(now)
    for some in building.together(list(_due(standing, now))):
        touched += _sweep(some, now)
    _sql.run("fold")
    return touched


# ── Moments ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _unforeseen(standing: Standing) -> list[tuple[Live, datetime]]:
    """The segments of which it is not known yet when they change, and as of when they were asked of everybody."""
    waiting = Segment.objects.filter(unforeseen_since__isnull=False, flagged="")
    since = {id: at for id, at in waiting.values_list("id", "unforeseen_since") if at is not None}
    return [(one, since[one.id]) for one in standing.live if one.id in since]


def _foresee(one: Live, since: datetime) -> None:
    """Works out of everybody when the answer changes after `since`, some people at a time, and so holding up nobody."""
    after: UUID | None = _FIRST
    try:
        while after is not None and one.moves:
            with transaction.atomic():
                after = _foresee_some(one, since, after)
    except DatabaseError as error:
        Segment.objects.filter(id=one.id).update(flagged=building.reason(error))
        return
    Segment.objects.filter(id=one.id, unforeseen_since=since).update(unforeseen_since=None)


def _foresee_some(one: Live, since: datetime, after: UUID) -> UUID | None:
    """The same of those whose ids come next; the last of these, or None if nobody is left."""
    people: list[UUID] = [row[0] for row in _sql.rows("following", {"after": after, "limit": _BATCH})]
    if not people:
        return None
    q = Question(since, one.condition.names(), among=people)
    soonest = earliest(one.condition.changes(q))
    found = q.rows(["p.id", soonest], f"{soonest} IS NOT NULL")
    if found:
        profiles, moments = (list(column) for column in zip(*found, strict=True))
        _sql.run("foresee", {"profiles": profiles, "moments": moments})
    return people[-1]


def _those_due(now: datetime) -> int:
    """People whose time has come."""
    touched = 0
    while True:
        with transaction.atomic():
            people = [row[0] for row in _sql.rows("take_due", {"now": now, "limit": _BATCH})]
            touched += pulses.touch(people, cause=Pulse.Cause.TIME, now=now)
        if len(people) < _BATCH:
            return touched


def _those_put_off(now: datetime) -> int:
    """People who were put off for a segment whose builder is gone without a word."""
    with transaction.atomic():
        people = [row[0] for row in _sql.rows("forgotten", {"limit": 100_000})]
        return pulses.touch(people, cause=Pulse.Cause.TIME, now=now)


# ── The safety net ───────────────────────────────────────────────────────────────────────────────────────────────────
def _due(standing: Standing, now: datetime) -> Iterator[Live]:
    """The live segments whose turn it is, those that waited longest first."""
    swept = dict(Segment.objects.filter(id__in=[one.id for one in standing.live]).values_list("id", "swept_at"))
    waiting = [(swept[one.id], one) for one in standing.live if one.id in swept]
    for at, one in sorted(waiting, key=lambda pair: (pair[0] is not None, pair[0] or now, pair[1].id)):
        if at is None or at + _every(one) <= now:
            yield one


def _every(one: Live) -> timedelta:
    if one.needs.whole:
        return WHOLE
    return (MOVING if one.needs.time else STILL) - one.id // building.TOGETHER % 60 * _STAGGER


def _sweep(some: list[Live], now: datetime) -> int:
    with transaction.atomic():
        # Two workers take turns: the second finds the round made.
        rows = Segment.objects.select_for_update(skip_locked=True, of=["self"]).filter(id__in=[one.id for one in some])
        free = set(rows.order_by("id").values_list("id", flat=True))
        mine = [one for one in some if one.id in free]
        return _compare(mine, now) if mine else 0


def _compare(some: list[Live], now: datetime) -> int:
    """Finds who is not where they should be, of segments that are held, and touches them."""
    try:
        people = building.suspects(some, now=now, limit=_BATCH)
    except DatabaseError as error:
        if len(some) > 1:  # one that fails holds back no other
            return sum(_compare([one], now) for one in some)
        Segment.objects.filter(id=some[0].id).update(swept_at=now, flagged=building.reason(error))
        return 0
    touched = sum(membership.ask_again([id], found, Cause.TIME, now) for id, found in people.items())
    # With more to find, their next round is at once.
    swept = None if sum(map(len, people.values())) == _BATCH else now
    Segment.objects.filter(id__in=[one.id for one in some]).update(swept_at=swept, flagged="")
    return touched
