"""What it was queued for may be over, or stand still: its journey ended, or is paused. Whoever queued it says so."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from foundation import registry
from messaging.judging import ALLOW, GUARDRAILS, Block, Candidate, Defer, Guardrail, Verdict

LATER = timedelta(minutes=5)
"""After how long it is asked again where the reason may have passed."""


@GUARDRAILS.register
class Wanted(Guardrail):
    key = "wanted"
    label = "Is still wanted"
    order = 50

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        reasons: dict[UUID, str] = {}
        for answer in registry.still_wanted.ask([one.message for one in candidates]):
            reasons |= answer
        return {one.id: _verdict(reasons.get(one.id), now) for one in candidates}


def _verdict(reason: str | None, now: datetime) -> Verdict:
    if reason is None:
        return ALLOW
    return Defer(now + LATER, reason) if isinstance(reason, registry.NotNow) else Block(reason)
