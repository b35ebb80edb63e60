"""The domain that we send from is not in order: what can wait waits until it is (EM-08)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from messaging import brands
from messaging.domains import policy
from messaging.domains.models import SenderDomain
from messaging.judging import ALLOW, GUARDRAILS, Candidate, Defer, Guardrail, Verdict

_AGAIN = timedelta(hours=1)  # and at once, when the domain is verified


@GUARDRAILS.register
class Sender(Guardrail):
    key = "sender"
    label = "Comes from a domain that is in order"
    order = 56

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        concerned = {one.id for one in candidates if one.channel == "email" and not one.topic.transactional}
        domain = _not_in_order() if concerned and policy.applies() else ""
        if not domain:
            return {one.id: ALLOW for one in candidates}
        waits = Defer(
            now + _AGAIN,
            f"Mail comes from {domain}, which is not in order, so that it might be taken for a forgery."
            " It goes out as soon as that is mended; Sender domains says what is wrong.",
            {"domain": domain},
        )
        return {one.id: waits if one.id in concerned else ALLOW for one in candidates}


def _not_in_order() -> str:
    domain = policy.domain_of(brands.current().sender_address)
    failed = SenderDomain.objects.filter(name=domain, status=SenderDomain.Status.FAILED)
    return domain if failed.exists() else ""
