"""What the person agreed to, for this topic and channel."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from consent import states
from consent.models import State
from messaging.delivery import label
from messaging.judging import ALLOW, GUARDRAILS, Block, Candidate, Guardrail, Verdict


@GUARDRAILS.register
class Consent(Guardrail):
    key = "consent"
    label = "Agreed to the topic"
    order = 30

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        return {one.id: _verdict(one) for one in candidates}


def _verdict(one: Candidate) -> Verdict:
    if states.allows(one.topic, one.consent):
        return ALLOW
    what = f"{one.topic.name} by {label(one.channel)}"
    asked = {"topic": one.topic.slug, "channel": one.channel, "basis": one.topic.basis}
    if one.consent is not None and one.consent.state == State.EXPIRED:
        ran_out = {"reason": "consent_expired", "state": one.consent.state, "since": one.consent.since.isoformat()}
        reason = f"{one.profile} agreed to {what} until {one.consent.since:%d %B %Y}, and has not renewed it since."
        return Block(reason, {**asked, **ran_out, "record": str(one.consent.record)})
    if one.consent is None or one.consent.state != State.DENIED:
        return Block(f"{one.profile} has not agreed to {what}.", {**asked, "state": "unset"})
    return Block(
        f"{one.profile} declined {_refused(one.consent.topic, what)}.",
        {
            **asked,
            "state": one.consent.state,
            "choice": "everything" if one.consent.topic == "*" else one.consent.topic,
            "since": one.consent.since.isoformat(),
            "record": str(one.consent.record),
        },
    )


def _refused(chosen: str, what: str) -> str:
    return f"everything, and so {what}" if chosen == "*" else what
