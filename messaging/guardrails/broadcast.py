"""What is part of a broadcast waits while that is paused, and goes nowhere once it is cancelled."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from messaging.broadcasts.models import Broadcast as Row
from messaging.judging import ALLOW, GUARDRAILS, Block, Candidate, Defer, Guardrail, Verdict

_AGAIN = timedelta(hours=1)  # and at once, when it goes on


@GUARDRAILS.register
class Broadcast(Guardrail):
    key = "broadcast"
    label = "Its broadcast goes on"
    order = 51

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        part_of = {one.id: id for one in candidates if (id := _broadcast_of(one.message.idempotency_key))}
        states = dict(Row.objects.filter(id__in=set(part_of.values())).values_list("id", "state")) if part_of else {}
        return {
            one.id: _verdict(states.get(part_of[one.id], "") if one.id in part_of else "", now) for one in candidates
        }


def _broadcast_of(key: str) -> UUID | None:
    kind, _, rest = key.partition(":")
    return UUID(rest.partition(":")[0]) if kind == "broadcast" else None


def _verdict(state: str, now: datetime) -> Verdict:
    if state == Row.State.PAUSED:
        return Defer(now + _AGAIN, "The broadcast is paused.")
    if state == Row.State.CANCELLED:
        return Block("The broadcast was cancelled.")
    return ALLOW
