"""What became of messages: written down with its reason, told as events, and repeated or not by what is known."""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction

from consent import suppression
from consent.models import Suppression
from foundation import wording
from foundation.sql import statements
from messaging.delivery import CHANNELS, Accepted, InDoubt, Later, Outcome, Returned, label
from messaging.domains import health
from messaging.judging import Defer, Judgement
from messaging.models import Message, MessageState
from messaging.outbox import as_json
from messaging.returns import meaning, soft
from messaging.returns.models import Meaning
from profiles import ingest

LEASE = timedelta(minutes=5)
"""How long a worker may hold a message; longer than any task may run."""

_FIRST, _LONGEST = 30.0, 3_600.0  # seconds between tries, at first and at most
_TRIES = 5
_TIES = {"40001", "40P01"}  # serialization failure, deadlock: the same again may well go through
_sql = statements("messaging", "outbox")


@dataclass(frozen=True, slots=True)
class Unsent:
    """It was not even tried: time was up, or somebody else's failure came first."""


@dataclass(frozen=True, slots=True)
class Settled:
    """How a message stands from now on. `unspent`: the try does not count; `claims`: as in the model."""

    id: UUID
    state: str
    reason: str = ""
    guardrail: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    due_at: datetime | None = None
    unspent: int = 0
    claims: int = 0
    provider_id: str = ""


def again(message: Message, at: datetime) -> Settled:
    """As if nothing had been tried."""
    return Settled(message.id, MessageState.DEFERRED, message.reason, message.guardrail, message.evidence, at, 1)


def held(message: Message, judgement: Judgement, now: datetime) -> Settled:
    """By a guardrail: put off, to be judged again then, or stopped."""
    verdict = judgement.verdict
    if isinstance(verdict, Defer):
        until = max(verdict.until, now + timedelta(seconds=1))
        until = min(until, message.expires_at) if message.expires_at else until
        return Settled(
            message.id, MessageState.DEFERRED, verdict.reason, judgement.guardrail, verdict.evidence, until, unspent=1
        )
    reason, evidence = getattr(verdict, "reason", ""), getattr(verdict, "evidence", {})
    return Settled(message.id, MessageState.SUPPRESSED, reason, judgement.guardrail, evidence)


def failed(message: Message, reason: str) -> Settled:
    return Settled(message.id, MessageState.FAILED, reason)


def expired(message: Message) -> Settled:
    waited = wording.span((message.expires_at or message.queued_at) - message.queued_at)
    why = f" The last reason was: {message.reason}" if message.reason else ""
    return Settled(
        message.id,
        MessageState.EXPIRED,
        f"It could not go out within {waited} and was stale.{why}",
        message.guardrail,
        message.evidence,
    )


def backoff(attempts: int) -> timedelta:
    """How long to wait before the next try: longer each time, and never the same for all (EM-10)."""
    most = min(_FIRST * 2 ** min(max(attempts, 1) - 1, 20), _LONGEST)
    return timedelta(seconds=random.uniform(1.0, most))  # noqa: S311 (no secret: it parts those who failed together)


def settle(settled: Sequence[Settled], fences: Mapping[UUID, int], states: Sequence[str], now: datetime) -> set[UUID]:
    """Writes it down, in one statement, where the message is in one of `states` and still ours; which those were."""
    if not settled:
        return set()
    written = as_json([{**asdict(one), "fence": fences[one.id]} for one in settled])
    rows = _sql.rows("settle", {"settled": written, "from": [str(state) for state in states], "now": now})
    return {id for (id,) in rows}


def record(results: Mapping[UUID, Outcome | Unsent], fences: Mapping[UUID, int], now: datetime) -> None:
    """Writes down what came of handing over, with its events, all or nothing; again where a tie was lost."""
    for tried in range(_TRIES):
        try:
            with transaction.atomic():
                _record(results, fences, now)
        except OperationalError as error:
            tie = getattr(error.__cause__, "sqlstate", None) in _TIES
            if not tie or connection.in_atomic_block or tried == _TRIES - 1:
                raise
        except _Overtaken:
            pass
        else:
            return
        time.sleep(random.uniform(0.0, 0.05) * 2**tried)  # noqa: S311 (as above)
    raise RuntimeError("what became of messages was overtaken again and again")


class _Overtaken(Exception):
    """While we spoke, a message was taken out of our hands: what we said of it is taken back with all else."""


def _record(results: Mapping[UUID, Outcome | Unsent], fences: Mapping[UUID, int], now: datetime) -> None:
    rows = Message.objects.filter(id__in=results, state=MessageState.SENDING).select_related("topic", "template")
    # Not locked yet: telling what happened locks people, which whoever merges or erases them locks before messages.
    ours = [message for message in rows if message.fence == fences[message.id]]
    _tell(ours, results, now)
    settled = [_became(message, results[message.id], now) for message in ours]
    written = settle(settled, fences, [MessageState.SENDING], now)
    if written != {message.id for message in ours}:
        raise _Overtaken
    health.count((one.address for one in ours if one.channel == "email" and isinstance(results[one.id], Accepted)), now)


def _became(message: Message, outcome: Outcome | Unsent, now: datetime) -> Settled:
    match outcome:
        case Accepted(provider_id):
            return Settled(message.id, MessageState.SENT, provider_id=provider_id)
        case Unsent() | Later() if message.profile_id is None:
            return Settled(message.id, MessageState.SUPPRESSED, "The person was erased.", "address")
        case Unsent():
            return replace(again(message, now + timedelta(seconds=1)), reason="", guardrail="", evidence={})
        case Later(reason):
            return _later(message, reason, now)
        case Returned(reason, gone):
            return Settled(message.id, MessageState.BOUNCED if gone else MessageState.FAILED, reason)
        case InDoubt(reason):
            return _in_doubt(message, reason, now)


def _later(message: Message, reason: str, now: datetime, claims: int = 0) -> Settled:
    due = now + backoff(message.attempts)
    if message.expires_at:
        due = min(due, message.expires_at)
    return Settled(message.id, MessageState.DEFERRED, reason, due_at=due, claims=claims)


def _in_doubt(message: Message, reason: str, now: datetime, claims: int = 0) -> Settled:
    """By class: sent again under the same Message-ID, or left for a human (STANDARDS 3.2, P3)."""
    channel = CHANNELS.get(message.channel)
    if channel and channel.knows_doubles:
        return _later(message, f"{reason} It is sent again: the other side takes it once, by its id.", now, claims)
    kind = "transactional" if message.topic.transactional else "marketing"
    if f"{message.channel}:{kind}" in settings.RESEND_IN_DOUBT:
        return _later(message, f"{reason} It is sent again under the same name, since it is needed.", now, claims)
    return Settled(
        message.id, MessageState.UNKNOWN, f"{reason} It may have arrived, so it is not sent again on its own."
    )


def _tell(messages: Sequence[Message], results: Mapping[UUID, Outcome | Unsent], now: datetime) -> None:
    events = []
    in_vain: list[tuple[Message, bool, datetime]] = []
    for message in messages:
        match results[message.id]:
            case Accepted():
                events.append(event(message, "sent", now))
            case Returned(gone=True):
                events.append(event(message, "bounced", now, bounce="hard"))
                _block_address(message, now)
            case Returned(reason) if meaning.of("bounced", said=reason) is Meaning.FULL:
                in_vain.append((message, False, now))
            case _:
                continue
    ingest.emit([one for one in events if one is not None], now=now)
    soft.note(in_vain, now)


def event(message: Message, what: str, now: datetime, **more: str) -> ingest.Ours | None:
    """What became of a message, as an event of whoever it went to; None if they were erased, or it was a test."""
    if message.profile_id is None or message.is_test:
        return None
    properties = {**message.told_by, **more}
    return ingest.Ours(message.profile_id, f"$message_{what}", properties, now, f"$message:{message.id}:{what}")


def _block_address(message: Message, now: datetime) -> None:
    """There is no such address: nothing goes there any more, whoever asks."""
    if message.address:
        reason, scope = Suppression.Reason.HARD_BOUNCE, Suppression.Scope.ALL
        suppression.add(message.channel, message.address, reason, now, scope, note=f"Message {message.id} came back.")


def reap(now: datetime, limit: int = 500) -> int:
    """Marks what was being sent by workers that died; how many. Their word no longer counts, should they wake up."""
    done = 0
    while True:
        with transaction.atomic():
            fences: dict[UUID, int] = dict(_sql.rows("dead", {"before": now - LEASE, "limit": limit}))
            messages = Message.objects.filter(id__in=fences).select_related("topic")
            settled = [_left_behind(message, now) for message in messages]
            settle(settled, fences, [MessageState.SENDING], now)
        done += len(fences)
        if len(fences) < limit:
            return done


def _left_behind(message: Message, now: datetime) -> Settled:
    by = f"The worker that was sending it by {label(message.channel)} died before it could say what became of it."
    return _in_doubt(message, by, now, message.claims)
