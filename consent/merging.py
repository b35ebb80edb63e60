"""Consent when profiles merge: of two decisions the more restrictive stands, and nothing is forgotten."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from consent import ledger, subjects, verification
from consent.fold import RESTRICTIVE
from consent.ledger import EVERYTHING, Choice
from consent.models import ConsentRecord, State, Topic
from foundation import clock, registry
from foundation.sql import statements

_sql = statements("consent", "merging")


class Said(NamedTuple):
    """A state, since when, and until when."""

    state: str
    since: datetime
    expires_at: datetime | None = None


Choices = dict[tuple[str, str], Said]
"""By topic and channel."""


class Pair(Protocol):
    survivor_id: UUID
    absorbed_id: UUID


@registry.absorb.join
def absorb(merges: Sequence[Pair]) -> None:
    """Gives the survivors what they and the absorbed decided, as new rows of their ledgers; both chains stay.

    Who decided nothing is no more restrictive than who did: an anonymous visitor's silence takes back no consent.
    The pairs form no chains, and the profiles are held: nobody makes a subject for one that is about to go.
    """
    everybody = {
        "survivors": [merge.survivor_id for merge in merges],
        "absorbed": [merge.absorbed_id for merge in merges],
        "now": clock.now(),
    }
    for statement in ("opt_ins", "limits", "close_double_requests", "requests"):
        _sql.run(statement, everybody)
    told = {row[0] for row in _sql.rows("have_history", {"profiles": [merge.absorbed_id for merge in merges]})}
    into = {merge.absorbed_id: merge.survivor_id for merge in merges if merge.absorbed_id in told}
    if not into:
        return
    now = clock.now()
    subjects.lock_to_write([*into, *into.values()], now)
    ledger.record(list(_choices(into, now)), now=now)
    moved = {"survivors": list(into.values()), "absorbed": list(into)}
    for statement in ("subjects", "refused", "preferences"):
        _sql.run(statement, moved)


@registry.part.join
def part(survivor_id: UUID, absorbed_id: UUID) -> None:
    """Gives somebody who was merged by mistake their own chain back, and with it what they had decided.

    What the survivor refuses they refuse too: it may have been they who said so while the two were one.
    """
    now = clock.now()
    subjects.lock_to_write([survivor_id], now)
    _sql.run("give_back", {"survivor": survivor_id, "absorbed": absorbed_id})
    verification.rebuild([absorbed_id], now=now)
    refusals = [
        Choice(
            profile_id=absorbed_id,
            topic=topic,
            channel=channel,
            state=State.DENIED,
            source=ConsentRecord.Source.MERGE,
            occurred_at=since,
        )
        for _, topic, channel, state, since, _ in _sql.rows("choices", {"profiles": [survivor_id], "now": now})
        if state == State.DENIED
    ]
    ledger.record(refusals, now=now)


def _choices(into: dict[UUID, UUID], now: datetime) -> Iterable[Choice]:
    transactional = set(Topic.objects.filter(transactional=True).values_list("slug", flat=True))
    everybody: dict[UUID, Choices] = {person: {} for person in (*into, *into.values())}
    for profile, topic, channel, *found in _sql.rows("choices", {"profiles": list(everybody), "now": now}):
        everybody[profile][topic, channel] = Said(*found)
    for absorbed, survivor in into.items():
        before = everybody[survivor]
        merged = most_restrictive(before, everybody[absorbed], transactional)
        everybody[survivor] = {**before, **merged}
        # Consents first: behind a refusal of everything they would count as an attempt to undo it.
        for (topic, channel), said in sorted(merged.items(), key=lambda item: item[1].state == State.DENIED):
            yield Choice(
                profile_id=survivor,
                topic=topic,
                channel=channel,
                state=said.state,
                source=ConsentRecord.Source.MERGE,
                # A consent that lasts less long narrows the one that stands, from now on.
                occurred_at=None if (own := before.get((topic, channel))) and own.state == said.state else said.since,
                expires_at=said.expires_at if said.state == State.GRANTED else None,
            )


def most_restrictive(mine: Choices, theirs: Choices, transactional: Iterable[str] = ()) -> Choices:
    """What changes in `mine`: what either refused is refused, else what ran out for either has run out, and what one
    alone agreed to is agreed to; of two consents the one that runs out first.
    """
    always = set(transactional)
    changes: Choices = {}
    for key in sorted({*mine, *theirs}):
        both = [found for choices in (mine, theirs) if (found := _that_counts(choices, key, always))]
        if key[0] == EVERYTHING:
            both = [found for found in both if found.state == State.DENIED]
        strictest = min(both, key=_restrictive, default=None)
        own = mine.get(key)
        silent = own is None and (key not in theirs or strictest is None or theirs[key].state != strictest.state)
        if strictest and not silent and (own is None or _says(own) != _says(strictest)):
            changes[key] = strictest
    return changes


def _says(said: Said) -> tuple[str, datetime | None]:
    return said.state, said.expires_at


def _restrictive(said: Said) -> tuple[int, bool, float]:
    end = said.expires_at
    return RESTRICTIVE.index(State(said.state)), end is None, end.timestamp() if end else 0.0


def _that_counts(choices: Choices, key: tuple[str, str], always: set[str]) -> Said | None:
    topic, channel = key
    wider = [] if topic in always else [(EVERYTHING, channel), (EVERYTHING, EVERYTHING)]
    if own := choices.get(key):
        return own
    return next((found for each in wider if (found := choices.get(each)) and found.state == State.DENIED), None)
