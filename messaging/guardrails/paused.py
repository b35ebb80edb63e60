"""The person asked for a pause: what can wait waits until it ends, and of what has waited one message goes out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from messaging import judging
from messaging.judging import ALLOW, GUARDRAILS, Block, Candidate, Defer, Guardrail, Verdict
from messaging.models import Message, MessageState

_WAITING = (MessageState.QUEUED, MessageState.DEFERRED)
_NEVER_WENT = (*_WAITING, MessageState.SUPPRESSED, MessageState.FAILED, MessageState.EXPIRED)
_Place = tuple[datetime, UUID]


@GUARDRAILS.register
class Paused(Guardrail):
    key = "paused"
    label = "Has not asked for a pause"
    order = 40

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        verdicts = {one.id: _verdict(one, now) for one in candidates}
        waited = [one for one in candidates if verdicts[one.id] == ALLOW and _has_waited(one)]
        return verdicts | _all_but_the_newest(waited, now)


def _verdict(one: Candidate, now: datetime) -> Verdict:
    until = one.preference.paused_until
    if one.topic.transactional or until is None or until <= now:
        return ALLOW
    return Defer(
        until, f"{one.profile} asked for a pause until {until:%-d %B %Y, %H:%M} UTC.", {"until": until.isoformat()}
    )


def _has_waited(one: Candidate) -> bool:
    return one.message.guardrail == Paused.key and not one.topic.transactional


def _all_but_the_newest(waited: Sequence[Candidate], now: datetime) -> dict[UUID, Verdict]:
    """The end of a pause brings nobody a burst (CO-25): a newer message that waited, or went out since, stands for all.

    What will not go out for another reason stands for none. What is put off once more does, or it would come later.
    """
    if not waited:
        return {}
    held = judging.judge(waited, now, judging.behind(Paused))
    standing = [one for one in waited if not isinstance(held[one.id].verdict, Block)]
    newest = _newest(standing)
    return {
        one.id: Block(
            f"{one.profile} had asked for a pause, in which several messages waited; a newer one stands for all.",
            {"stands_for_all": str(newest[one.profile.id][1])},
        )
        for one in standing
        if _place(one) < newest[one.profile.id]
    }


def _newest(standing: Iterable[Candidate]) -> dict[UUID, _Place]:
    """By person, when the newest was queued of those that waited or went out meanwhile, and which that is."""
    oldest: dict[UUID, datetime] = {}
    newest: dict[UUID, _Place] = {}
    for one in standing:
        place, profile = _place(one), one.profile.id
        oldest[profile] = min(oldest.get(profile, place[0]), place[0])
        newest[profile] = max(newest.get(profile, place), place)
    if not oldest:
        return newest
    others = Message.objects.filter(
        Q(state__in=_WAITING, guardrail=Paused.key) | ~Q(state__in=_NEVER_WENT),
        profile__in=oldest,
        topic__transactional=False,
        queued_at__gte=min(oldest.values()),
    ).exclude(id__in=[one.id for one in standing])
    for profile, queued_at, id in others.values_list("profile", "queued_at", "id"):
        newest[profile] = max(newest[profile], (queued_at, id))
    return newest


def _place(one: Candidate) -> _Place:
    return one.message.queued_at, one.id
