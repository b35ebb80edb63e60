"""What state follows from a row of decisions: one pure function for the ledger's writer and its verification."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from consent.models import State

# Of two at the very same time, the more restrictive counts, whichever came first.
RESTRICTIVE = (State.DENIED, State.EXPIRED, State.GRANTED)


@dataclass(frozen=True, slots=True)
class Decision:
    """What of a ledger row bears on the state."""

    record: UUID
    state: str
    at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The state now: since when it stands, and the last decision (`record`, made `at`) that says so, and until when."""

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
        if decision.at < standing.at:
            return standing
        return replace(standing, record=decision.record, at=decision.at, expires_at=decision.expires_at)
    if decision.at == standing.at and _rank(decision.state) > _rank(standing.state):
        return standing
    return _stands(decision)


def folded(decisions: Iterable[Decision]) -> Standing | None:
    """The state that follows from all decisions on one choice, in order; None if there are none."""
    standing = None
    for decision in decisions:
        standing = fold(standing, decision)
    return standing


def _stands(decision: Decision) -> Standing:
    return Standing(decision.state, decision.at, decision.record, decision.at, decision.expires_at)


def _rank(state: str) -> int:
    return RESTRICTIVE.index(State(state))
