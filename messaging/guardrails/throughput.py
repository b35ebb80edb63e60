"""Not faster than a way out can take it, and not at all while the other side refuses us."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from foundation import wording
from messaging import judging, lanes
from messaging.judging import ALLOW, GUARDRAILS, Candidate, Defer, Guardrail, Verdict
from messaging.models import Lane, Pace

_AGAIN = timedelta(hours=1)  # and at once, when somebody opens it
_SPREAD = 20.0  # seconds over which those that waited for a shut lane come back


@GUARDRAILS.register
class Throughput(Guardrail):
    key = "throughput"
    label = "Has a way out that is open and free"
    order = 100
    uses_up = True

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        verdicts: dict[UUID, Verdict] = {one.id: ALLOW for one in candidates}
        taken = {one.id: lanes.ways(one.channel, one.address, one.topic.transactional) for one in candidates}
        shut = lanes.Shut(now)
        paces = lanes.Paces((way for ways in taken.values() for way in ways), now)
        for one in sorted(judging.by_rank(candidates), key=lambda one: not one.topic.transactional):
            if found := shut.in_the_way_of(taken[one.id]):
                verdicts[one.id] = _closed(*found, now)
            elif waits := paces.turn(taken[one.id], had_one=one.message.guardrail == self.key):
                verdicts[one.id] = _in_turn(*waits)
        paces.keep()
        return verdicts


def _closed(way: lanes.Way, lane: Lane, now: datetime) -> Defer:
    if lane.stopped_at is not None:
        reason = f"What can wait is stopped by {way.name}. {lane.stopped_for} It goes on once staff open it again."
        return Defer(now + _AGAIN, reason, {"lane": way.name, "since": lane.stopped_at.isoformat()})
    apart = timedelta(seconds=random.uniform(1, _SPREAD))  # noqa: S311 (no secret: it parts those who come back)
    until = (lane.shut_until or now) + apart
    reason = f"The way out by {way.name} is shut for a while, since the other side refused what we sent: {lane.reason}"
    return Defer(until, reason, {"lane": way.name, "failures": lane.failures, "said": lane.reason})


def _in_turn(way: lanes.Way, pace: Pace, turn: datetime) -> Defer:
    most = wording.plural(pace.per_minute, "message")
    return Defer(
        turn, f"By {way.name} go at most {most} a minute; it waits for its turn.", {"pace": lanes.sentence(pace)}
    )
