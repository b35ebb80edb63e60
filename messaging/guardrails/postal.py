"""CO-16: the law asks for a postal address in mail that nobody needs; until there is one, such mail waits."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from messaging import brands
from messaging.judging import ALLOW, GUARDRAILS, Candidate, Defer, Guardrail, Verdict

_AGAIN = timedelta(hours=1)  # and at once, when the brand is saved


@GUARDRAILS.register
class Postal(Guardrail):
    key = "postal"
    label = "Says where we are"
    order = 55

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        concerned = {one.id for one in candidates if one.channel == "email" and not one.topic.transactional}
        if not concerned or brands.current().postal_address.strip():
            return {one.id: ALLOW for one in candidates}
        waits = Defer(
            now + _AGAIN,
            "The brand has no postal address, and the law asks for one in every mail that is no necessity."
            " It goes out as soon as you add one, on the page of the brand.",
        )
        return {one.id: waits if one.id in concerned else ALLOW for one in candidates}
