"""Whether a message may go out: the guardrails, asked in their order, and what they may answer.

A guardrail only subtracts: what one has held back, no other can let go. One function judges, whoever sends.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from consent.models import ConsentState, Preference, Topic
from foundation.registry import Family
from messaging.models import Message
from profiles.models import Profile

GUARDRAILS: Family[type["Guardrail"]] = Family("guardrails", "messaging.guardrails")


@dataclass(frozen=True, slots=True)
class Allow:
    """Nothing against it."""


@dataclass(frozen=True, slots=True)
class Defer:
    """Not now: to be judged again, by all of them, at `until`."""

    until: datetime
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block:
    """Never."""

    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


Verdict = Allow | Defer | Block
ALLOW = Allow()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message before its judges."""

    message: Message
    profile: Profile
    topic: Topic
    address: str
    consent: ConsentState | None
    """What counts for its topic and channel; it cannot change before the verdict is committed."""
    preference: Preference

    @property
    def id(self) -> UUID:
        return self.message.id

    @property
    def channel(self) -> str:
        return self.message.channel


class Guardrail(ABC):
    """One reason to hold a message back. `order` is its place: the cheap and the final come first."""

    key: ClassVar[str]
    label: ClassVar[str]
    order: ClassVar[int]
    uses_up: ClassVar[bool] = False
    """Whether asking takes something away from those who are asked about later: then it is asked once, of all."""

    @abstractmethod
    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        """A verdict on each, in a few statements however many there are. What raises lets nothing through."""


class Unjudged(Exception):
    """A guardrail left a message without a verdict: then it must not go out."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and whose it was ("" where all allowed it)."""

    guardrail: str
    verdict: Verdict


def in_order() -> list[type[Guardrail]]:
    return sorted(GUARDRAILS, key=lambda guardrail: (guardrail.order, guardrail.key))


def judge(
    candidates: Sequence[Candidate], now: datetime, rails: Sequence[type[Guardrail]] | None = None
) -> dict[UUID, Judgement]:
    """Asks one guardrail after the other (all of them, or just `rails`) about those that all before it allowed."""
    judged: dict[UUID, Judgement] = {}
    standing = list(candidates)
    for guardrail in in_order() if rails is None else rails:
        if not standing:
            break
        verdicts = guardrail().judge(standing, now)
        if missing := [one.id for one in standing if one.id not in verdicts]:
            raise Unjudged(f"{guardrail.key} gave no verdict on {len(missing)} messages")
        held = {one.id: verdicts[one.id] for one in standing if not isinstance(verdicts[one.id], Allow)}
        judged |= {id: Judgement(guardrail.key, verdict) for id, verdict in held.items()}
        standing = [one for one in standing if one.id not in held]
    return judged | {one.id: Judgement("", ALLOW) for one in standing}


def going_on(after: type[Guardrail], candidates: Sequence[Candidate], now: datetime) -> set[UUID]:
    """Those that no guardrail after this one holds back: only they use up a place that there is one of."""
    return {id for id, found in judge(candidates, now, behind(after)).items() if not found.guardrail}


def behind(one: type[Guardrail]) -> list[type[Guardrail]]:
    """The guardrails that are asked after this one, without those that asking takes something from."""
    return [rail for rail in in_order() if (rail.order, rail.key) > (one.order, one.key) and not rail.uses_up]


def by_rank(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Who goes first where there is room for one: the higher priority, then what is stale sooner, then the older."""
    return sorted(candidates, key=_rank)


def _rank(one: Candidate) -> tuple[int, bool, float, datetime, int]:
    message = one.message
    stale = message.expires_at.timestamp() if message.expires_at else 0.0
    return -message.priority, message.expires_at is None, stale, message.queued_at, message.id.int
