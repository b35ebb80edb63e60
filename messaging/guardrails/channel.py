"""The channel is off, or not set up: what is to go by it waits until it is."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from messaging import wiring
from messaging.delivery import CHANNELS
from messaging.judging import ALLOW, GUARDRAILS, Candidate, Defer, Guardrail, Verdict

_AGAIN = timedelta(hours=1)  # and at once, when the channel is set up


@GUARDRAILS.register
class ChannelIsReady(Guardrail):
    key = "channel"
    label = "The channel is set up"
    order = 12

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        wired = wiring.all_wired()
        waits: dict[str, Verdict] = {}
        for key in {one.channel for one in candidates}:
            if lack := wired[key].lack(CHANNELS[key]):
                waits[key] = Defer(
                    now + _AGAIN,
                    f"The channel {CHANNELS[key].label} {lack}. It goes out as soon as that is mended, on the page"
                    " Channels.",
                )
        return {one.id: waits.get(one.channel, ALLOW) for one in candidates}
