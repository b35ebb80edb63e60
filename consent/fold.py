"""What state follows from a row of decisions: one pure function for the ledger's writer and its verification."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from consent.models import State


@dataclass(frozen=True, slots=True)
class Decision:
    """What of a ledger row bears on the state."""

    record: UUID
    state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """The state now: since when it stands, and the last decision (`record`, made `at`) that says so."""

    state: str
    since: datetime
    record: UUID
    at: datetime


def fold(standing: Standing | None, decision: Decision) -> Standing:
    """The state after one more decision, in the ledger's order: clients' clocks do not order, for they can be wrong.

    Only of a refusal and a consent at the very same time does the refusal win, whichever came first.
    """
    if standing is None:
        return Standing(decision.state, decision.at, decision.record, decision.at)
    if decision.state == standing.state:
        return replace(standing, record=decision.record, at=decision.at) if decision.at >= standing.at else standing
    if decision.state == State.GRANTED and decision.at == standing.at:
        return standing
    return Standing(decision.state, decision.at, decision.record, decision.at)


def folded(decisions: Iterable[Decision]) -> Standing | None:
    """The state that follows from all decisions on one choice, in order; None if there are none."""
    standing = None
    for decision in decisions:
        standing = fold(standing, decision)
    return standing
