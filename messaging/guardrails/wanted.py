"""What it was queued for may be over: its journey ended, or reached its goal. Those who queued it say so."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from foundation import registry
from messaging.judging import ALLOW, GUARDRAILS, Block, Candidate, Guardrail, Verdict


@GUARDRAILS.register
class Wanted(Guardrail):
    key = "wanted"
    label = "Is still wanted"
    order = 50

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        reasons: dict[UUID, str] = {}
        for answer in registry.still_wanted.ask([one.message for one in candidates]):
            reasons |= answer
        return {one.id: Block(reasons[one.id]) if one.id in reasons else ALLOW for one in candidates}
