"""Nobody is there, or nowhere to send it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from messaging.delivery import CHANNELS, label
from messaging.judging import ALLOW, GUARDRAILS, Block, Candidate, Guardrail, Verdict


@GUARDRAILS.register
class Address(Guardrail):
    key = "address"
    label = "Has an address"
    order = 10

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        return {one.id: self._verdict(one) for one in candidates}

    def _verdict(self, one: Candidate) -> Verdict:
        channel = CHANNELS.get(one.channel)
        if channel is None:
            return Block(f"There is no channel {label(one.channel)} any more.")
        if not one.address:
            return Block(f"{one.profile} has no address for {channel.label}.")
        if not channel().takes(one.address):
            return Block(f"The address of {one.profile} is none that {channel.label} could go to.")
        return ALLOW
