"""The person asked for a pause: what can wait waits until it ends."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from messaging.judging import ALLOW, GUARDRAILS, Candidate, Defer, Guardrail, Verdict


@GUARDRAILS.register
class Paused(Guardrail):
    key = "paused"
    label = "Has not asked for a pause"
    order = 40

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        return {one.id: _verdict(one, now) for one in candidates}


def _verdict(one: Candidate, now: datetime) -> Verdict:
    until = one.preference.paused_until
    if one.topic.transactional or until is None or until <= now:
        return ALLOW
    return Defer(
        until, f"{one.profile} asked for a pause until {until:%-d %B %Y, %H:%M} UTC.", {"until": until.isoformat()}
    )
