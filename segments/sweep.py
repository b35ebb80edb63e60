"""The safety net under time: finds whose answer is no longer what their membership says, and has them asked again.

It decides nothing itself. Whoever it finds is touched, and then asked like anybody else: under their lock, in a fresh
snapshot. Between its rounds, time touches people at the moment that was worked out for them (`Watch.next_at`).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction
from django.db.models import Q

from foundation.sql import statements
from profiles import pulses
from profiles.models import Pulse
from segments import building, live, membership
from segments.live import Live
from segments.models import Cause, Segment

MOVING = timedelta(minutes=5)  # those that time moves
STILL = timedelta(hours=6)  # the others, where nothing should ever be found
_BATCH = 5_000
_sql = statements("segments", "membership")


def tick(now: datetime) -> int:
    """One round; how many people it touched. Each segment has its own transaction, so that none holds up another."""
    touched = _those_due(now) + _those_put_off(now)
    for one in _due(now):
        touched += _sweep(one, now)
    _sql.run("recount")
    return touched


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


def _due(now: datetime) -> Iterator[Live]:
    """The live segments whose turn it is, those that waited longest first."""
    now_live = live.read()
    for id, why in now_live.broken.items():
        Segment.objects.filter(id=id).exclude(flagged=why).update(flagged=why)
    standing = {one.id: one for one in now_live.live}
    moving = [id for id, one in standing.items() if one.needs.time or one.needs.whole]
    rows = Segment.objects.filter(id__in=standing).filter(
        Q(swept_at=None) | Q(id__in=moving, swept_at__lte=now - MOVING) | Q(swept_at__lte=now - STILL)
    )
    for id in rows.order_by("swept_at").values_list("id", flat=True):
        yield standing[id]


def _sweep(one: Live, now: datetime) -> int:
    with transaction.atomic():
        # Two workers take turns: the second finds the round made.
        if not Segment.objects.select_for_update(skip_locked=True, of=["self"]).filter(id=one.id).exists():
            return 0
        flagged = ""
        people = []
        try:
            people = building.suspects(one, now=now, limit=_BATCH)
        except DatabaseError as error:
            flagged = building.reason(error)
        touched = membership.ask_again([one.id], people, Cause.TIME, now)
        # With more to find, its next round is at once.
        swept = None if len(people) == _BATCH else now
        Segment.objects.filter(id=one.id).update(swept_at=swept, flagged=flagged)
        return touched
