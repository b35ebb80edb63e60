"""A few people get no marketing for a while, by chance, so that we learn what marketing does (EX-05)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from messaging.holdouts import periods
from messaging.judging import ALLOW, GUARDRAILS, Block, Candidate, Guardrail, Verdict


@GUARDRAILS.register
class Holdout(Guardrail):
    key = "holdout"
    label = "Is not held out for comparison"
    order = 52

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        verdicts: dict[UUID, Verdict] = {one.id: ALLOW for one in candidates}
        concerned = [one for one in candidates if not one.topic.transactional]
        holdout = periods.current() if concerned else None
        if holdout is None:
            return verdicts
        held = periods.held(holdout, {one.profile.id for one in concerned})
        evidence = {"holdout": holdout.period, "percent": holdout.percent}
        for one in concerned:
            if one.profile.id in held:
                reason = (
                    f"{one.profile} is among the {holdout.percent} % of people who get no marketing in"
                    f" {holdout.period}, so that we learn what it does."
                )
                verdicts[one.id] = Block(reason, evidence)
        return verdicts
