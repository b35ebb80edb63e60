"""The topic is for people of some age only (GDPR, article 8), and theirs is less, or nobody knows it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from consent import ages
from messaging.judging import ALLOW, GUARDRAILS, Block, Candidate, Guardrail, Verdict


@GUARDRAILS.register
class Age(Guardrail):
    key = "age_gate"
    label = "Is old enough for the topic"
    order = 35

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        return {one.id: _verdict(one, now) for one in candidates}


def _verdict(one: Candidate, now: datetime) -> Verdict:
    may = ages.let_in(one.topic, ages.born_on(one.profile, one.preference), now)
    if may:
        return ALLOW
    asked = {"topic": one.topic.slug, "min_age": one.topic.min_age, "known": may is not None}
    what = f"{one.topic.name} is for people of {one.topic.min_age} and older"
    return Block(
        f"{what}, and {one.profile} is younger."
        if asked["known"]
        else f"{what}; nobody knows how old {one.profile} is.",
        asked,
    )
