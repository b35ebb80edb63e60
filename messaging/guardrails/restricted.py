"""The person's data may only be stored, or they object to all marketing (GDPR, articles 18 and 21)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from consent import limits
from consent.models import Limit
from messaging.judging import ALLOW, GUARDRAILS, Block, Candidate, Guardrail, Verdict


@GUARDRAILS.register
class Restricted(Guardrail):
    key = "restricted"
    label = "Is not restricted, and does not object"
    order = 15

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        found = limits.of(one.profile.id for one in candidates)
        return {one.id: _verdict(one, found.get(one.profile.id, set())) for one in candidates}


def _verdict(one: Candidate, kinds: set[str]) -> Verdict:
    asked_for = one.message.idempotency_key.startswith("house:")  # what they asked for on their own page still comes
    if Limit.Kind.RESTRICTED in kinds and not asked_for:
        return Block(f"What is known of {one.profile} may only be stored, as they asked.", {"limit": "restricted"})
    if Limit.Kind.OBJECTED in kinds and not one.topic.transactional:
        return Block(f"{one.profile} objects to all marketing.", {"limit": "objected"})
    return ALLOW
