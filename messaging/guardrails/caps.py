"""Enough for now: at most so many messages in a rolling window, to a person or to all people of a company."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from consent.models import Preference
from foundation import wording
from messaging import history, judging, limits
from messaging.delivery import label
from messaging.history import History, Sent
from messaging.judging import ALLOW, GUARDRAILS, Candidate, Defer, Guardrail, Verdict
from messaging.models import Cap

# Whoever lost to a message of the same batch looks again soon: that one may fail yet.
SOON = timedelta(minutes=10)


class _Full(NamedTuple):
    until: datetime
    cap: Cap
    most: int
    used: list[Sent]


@GUARDRAILS.register
class Caps(Guardrail):
    key = "caps"
    label = "Has not had enough for now"
    order = 70

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        verdicts: dict[UUID, Verdict] = {one.id: ALLOW for one in candidates}
        capped = [one for one in candidates if not one.topic.transactional]
        caps = limits.caps() if capped else []
        if not caps:
            return verdicts
        people, companies = _histories(capped, caps, now)
        going = judging.going_on(Caps, capped, now)
        windows = [(cap, history.tick_of(now - timedelta(hours=cap.hours))) for cap in caps]
        for one in judging.by_rank(capped):
            if full := _full(one, windows, people, companies):
                verdicts[one.id] = _deferral(one, full, now)
            elif one.id in going:
                people.add(one.profile.id, one.message, now)
                companies.add(one.profile.account_id, one.message, now)
        return verdicts


def _histories(capped: Sequence[Candidate], caps: Sequence[Cap], now: datetime) -> tuple[History, History]:
    since = {
        counts: now - timedelta(hours=max((cap.hours for cap in caps if cap.counts == counts), default=0))
        for counts in Cap.Counts
    }
    by_company = any(cap.counts == Cap.Counts.ACCOUNT for cap in caps)
    people = history.of_people(capped, since[Cap.Counts.PERSON])
    return people, history.of_companies(capped, since[Cap.Counts.ACCOUNT]) if by_company else History()


def _full(one: Candidate, windows: Sequence[tuple[Cap, int]], people: History, companies: History) -> _Full | None:
    """The cap that leaves no place for it; of several, the one that leaves a place last. Each cap has its beginning."""
    found = []
    for cap, since in windows:
        if (cap.channel and cap.channel != one.channel) or (cap.topic_id and cap.topic_id != one.topic.id):
            continue
        company = cap.counts == Cap.Counts.ACCOUNT
        past = companies.of(one.profile.account_id, one.message) if company else people.of(one.profile.id, one.message)
        used = past[bisect_right(past, since, key=_tick) :]
        if cap.channel or cap.topic_id:
            used = [sent for sent in used if _is_about(cap, sent)]
        most = cap.most if company else scaled(cap.most, one.preference)
        if len(used) >= most:
            found.append(_Full(used[len(used) - most].at + timedelta(hours=cap.hours), cap, most, used))
    return max(found, key=lambda full: (full.until, -full.cap.id), default=None)


_tick = attrgetter("tick")


def _is_about(cap: Cap, sent: Sent) -> bool:
    return (not cap.channel or sent.channel == cap.channel) and (not cap.topic_id or sent.topic_id == cap.topic_id)


def scaled(most: int, preference: Preference) -> int:
    """What a cap comes to for somebody who asked for less, or for more."""
    if preference.intensity == Preference.Intensity.LESS:
        return max(1, most // 2)
    return most * 2 if preference.intensity == Preference.Intensity.MORE else most


def _deferral(one: Candidate, full: _Full, now: datetime) -> Defer:
    cap, won = full.cap, [sent for sent in full.used if sent.name]
    company = cap.counts == Cap.Counts.ACCOUNT and one.profile.account
    who = f"{one.profile.account}, the company of {one.profile}," if company else str(one.profile)
    what, window = _said(full.most, cap.topic.name if cap.topic else "", cap.channel, cap.hours)
    reason = f"{who} has had {what}, and that is the most."
    if won:
        names = " and ".join(dict.fromkeys(f"“{sent.name}”" for sent in won))
        reason = f"{who} gets at most {what}, and {names} went first."
    evidence = {
        "limit": full.most,
        "window": window,
        "counted": len(full.used),
        "used": [sent.id for sent in full.used[-20:]],
        "lost_to": [sent.id for sent in won],
        "until": full.until.isoformat(),
    }
    if not company and full.most != cap.most:
        evidence["intensity"] = one.preference.intensity
    return Defer(min(full.until, now + SOON) if won else full.until, reason, evidence)


@lru_cache(maxsize=500)
def _said(most: int, topic: str, channel: str, hours: int) -> tuple[str, str]:
    """A cap in words, and its window: the same for most of a batch."""
    window = limits.window(hours)
    about, by = f" about {topic}" if topic else "", f" by {label(channel)}" if channel else ""
    return f"{wording.plural(most, 'message')}{about}{by} in {window}", window
