"""What state follows from a row of decisions: one pure function for the ledger's writer and its verification."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from consent.models import ConsentRecord, State

# Of two at the very same time, the more restrictive counts, whichever came first.
RESTRICTIVE = (State.DENIED, State.EXPIRED, State.GRANTED)


class Row(Protocol):
    """What of a ledger row is asked for, however it was read."""

    @property
    def id(self) -> UUID: ...
    @property
    def state(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def expires_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Decision:
    """What of a ledger row bears on the state. One that `settles` says what counts of several; it lengthens nothing."""

    record: UUID
    state: str
    at: datetime
    expires_at: datetime | None = None
    settles: bool = False

    @classmethod
    def of(cls, row: Row) -> "Decision":
        settles = row.source == ConsentRecord.Source.MERGE
        return cls(row.id, row.state, row.occurred_at, row.expires_at, settles)


@dataclass(frozen=True, slots=True)
class Standing:
    """The state now: since when it stands, and the last decision (`record`, made `at`) that says so, and until when.

    Of several yeses in a row the one that lasts longest says until when, be it the last or not: each was said.
    """

    state: str
    since: datetime
    record: UUID
    at: datetime
    expires_at: datetime | None = None

    def has_run_out(self, now: datetime) -> bool:
        """Whether it is a yes that counts no more, though nobody has written that down yet."""
        return self.state == State.GRANTED and self.expires_at is not None and self.expires_at <= now


def fold(standing: Standing | None, decision: Decision) -> Standing:
    """The state after one more decision, in the ledger's order: clients' clocks do not order, for they can be wrong."""
    if standing is None:
        return _stands(decision)
    if decision.state == standing.state:
        return _goes_on(standing, decision)
    if decision.at == standing.at and _rank(decision.state) > _rank(standing.state):
        return standing
    return _stands(decision)


def folded(decisions: Iterable[Decision]) -> Standing | None:
    """The state that follows from all decisions on one choice, in order; None if there are none."""
    standing = None
    for decision in decisions:
        standing = fold(standing, decision)
    return standing


def outlasts(end: datetime | None, other: datetime | None) -> bool:
    """Whether what lasts until `end` lasts longer; None is for ever."""
    return other is not None and (end is None or end > other)


def _goes_on(standing: Standing, decision: Decision) -> Standing:
    end = standing.expires_at
    # What was said before all that stands may have been said before a refusal, too: it lengthens nothing.
    if decision.settles or (decision.at >= standing.since and outlasts(decision.expires_at, end)):
        end = decision.expires_at
    if decision.at < standing.at:
        return replace(standing, expires_at=end)
    return replace(standing, record=decision.record, at=decision.at, expires_at=end)


def _stands(decision: Decision) -> Standing:
    return Standing(decision.state, decision.at, decision.record, decision.at, decision.expires_at)


def _rank(state: str) -> int:
    return RESTRICTIVE.index(State(state))
