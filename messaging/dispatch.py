"""The way of a message out of the house: claimed, judged, rendered, committed to, handed over, and what became of it.

No transaction is open while anything is handed over, and nothing is handed over before the intent to do so is
committed. A worker that dies leaves what it claimed to be claimed again, and what it was sending as `sending`: of that
nobody knows whether it arrived, so `reap` marks it, and does not send it again on its own.
"""

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import OperationalError, transaction

from consent import preferences, states
from consent.models import ConsentState, Topic
from foundation.sql import statements
from messaging import judging, lanes, outcomes, tracking, utm
from messaging.delivery import CHANNELS, About, Channel, InDoubt, Later, Letter, Line, Outcome, Unreachable
from messaging.holdouts import periods
from messaging.judging import Candidate, Judgement
from messaging.liquid import Unsayable
from messaging.models import Message, MessageState
from messaging.outbox import as_json
from messaging.outcomes import LEASE, Settled, Unsent
from messaging.rendering import Desk

log = logging.getLogger(__name__)

BATCH = 50
SECONDS = 60.0  # that one run goes on for, so that its `now` stays true
_PATIENCE = LEASE.total_seconds() / 2  # that handing over a batch may take
_SLOW = 10.0  # that one message may take while others wait
_RENDERING = 5.0  # that a batch may spend on rendering while people who opt out wait for it
_POISON = 3
_MOMENT = timedelta(seconds=1)
_TIES = {"40001", "40P01"}  # serialization failure, deadlock: the same again may well go through
_WAITING = (MessageState.QUEUED, MessageState.DEFERRED)
_sql = statements("messaging", "outbox")


class Claim(NamedTuple):
    """A message in our hands: what we say of it counts as long as its fence is ours."""

    id: UUID
    fence: int
    profile_id: UUID | None
    topic_id: int
    channel: str


def tick(now: datetime) -> int:
    """Sends what is due, batch by batch; how many were dealt with."""
    done, started = 0, time.monotonic()
    while claims := _claim(now):
        done += len(claims)
        reached = _process(claims, now, _PATIENCE)
        if not reached or time.monotonic() - started > SECONDS:
            break
    return done


def once(now: datetime, *, patience: float) -> bool:
    """A batch of what is due, the urgent first, all the way; whether there may be more.

    After `patience` seconds of handing over, the rest of it goes back for whoever comes next.
    """
    claims, began = _claim(now), time.monotonic()
    if not claims or not _process(claims, now, patience):
        return False
    return len(claims) == BATCH or time.monotonic() - began > patience


def reap(now: datetime) -> int:
    """Finds what was being sent by workers that died; how many that were."""
    return outcomes.reap(now)


def _claim(now: datetime) -> list[Claim]:
    """Up to a batch of what is due, urgent first; else one of those that were claimed before and came to nothing."""
    due = {"now": now, "until": now + LEASE}
    for urgent in (True, False):
        if rows := _sql.rows("claim", {**due, "urgent": urgent, "limit": BATCH}):
            return [Claim(*row) for row in rows]
    return [Claim(*row) for row in _sql.rows("claim_suspect", due)]


def _process(claims: Sequence[Claim], now: datetime, patience: float = _PATIENCE) -> bool:
    """Takes a batch all the way; False if the other side could not be reached."""
    try:
        letters = _intend(claims, now)
    except Exception as error:
        _put_back(claims, error, now)
        return True
    return _hand_over(letters, {claim.id: claim.fence for claim in claims}, now, patience)


# ── Deciding: one transaction, committed before anything leaves ──────────────────────────────────────────────────────
def _intend(claims: Sequence[Claim], now: datetime) -> list[Letter]:
    """Judges and renders, writes down what is held back, and commits to sending the rest: what it returns may go."""
    fences = {claim.id: claim.fence for claim in claims}
    with transaction.atomic():
        messages, consents = _locked(claims, now)
        over = [verdict for message in messages if (verdict := _outlived(message, now))]
        gone = {one.id for one in over}
        candidates = _candidates([message for message in messages if message.id not in gone], consents)
        judged = judging.judge(candidates, now)
        held = [outcomes.held(one.message, judged[one.id], now) for one in candidates if judged[one.id].guardrail]
        letters, unsaid = _render([one for one in candidates if not judged[one.id].guardrail], now)
        outcomes.settle([*over, *held, *unsaid], fences, _WAITING, now)
        going = _commit_to(letters, candidates, fences, now)
        _remember_sides(candidates, judged, going, now)
        return going


def _remember_sides(
    candidates: Sequence[Candidate], judged: Mapping[UUID, Judgement], going: Sequence[Letter], now: datetime
) -> None:
    """Keeps to whom a holdout makes a difference: who is held out, and who gets what they do not (EX-03)."""
    sent = {letter.id for letter in going}
    sides = {one.profile.id: False for one in candidates if one.id in sent and not one.topic.transactional}
    sides |= {one.profile.id: True for one in candidates if judged[one.id].guardrail == "holdout"}
    periods.remember(sides, now=now)


def _locked(claims: Sequence[Claim], now: datetime) -> tuple[list[Message], dict[states.Key, ConsentState]]:
    """The messages that are still ours, and what their people agreed to, which cannot change until we commit.

    Whoever opts out takes the same lock first (CO-09): an opt-out that committed before is seen here, and one that
    comes later waits for our commit. So do merges and erasures, which therefore cannot move a message under us.
    """
    slugs = dict(Topic.objects.filter(id__in={claim.topic_id for claim in claims}).values_list("id", "slug"))
    keys = {claim.id: (claim.profile_id, slugs[claim.topic_id], claim.channel) for claim in claims if claim.profile_id}
    consents = states.lock(set(keys.values()), now=now)
    rows = Message.objects.filter(id__in=list(keys), state__in=_WAITING).order_by("queued_at", "id")
    fences = {claim.id: claim.fence for claim in claims}
    ours = [
        message
        for message in rows.select_related("profile__account", "topic", "template__version")
        if message.fence == fences[message.id]
    ]
    # Merged between the claim and the lock: put back, to be claimed as the survivor's.
    moved = [message for message in ours if message.profile_id != keys[message.id][0]]
    outcomes.settle([outcomes.again(message, now + _MOMENT) for message in moved], fences, _WAITING, now)
    return [message for message in ours if message not in moved], consents


def _outlived(message: Message, now: datetime) -> Settled | None:
    """What needs no judging: it is stale, or it has killed too many of us."""
    if message.expires_at and message.expires_at <= now:
        return outcomes.expired(message)
    if message.claims > _POISON:
        return outcomes.failed(message, f"Every worker that took it up died, {_POISON} times; it is not tried again.")
    return None


def candidates(messages: Sequence[Message], now: datetime) -> list[Candidate]:
    """Messages as the guardrails are shown them, with nothing held: to ask what would become of them."""
    keys = {(one.profile_id, one.topic.slug, one.channel) for one in messages if one.profile_id}
    return _candidates(messages, states.find(keys))


def _candidates(messages: Sequence[Message], consents: dict[states.Key, ConsentState]) -> list[Candidate]:
    wishes = preferences.of(message.profile_id for message in messages if message.profile_id)
    addresses = _addresses(messages)
    return [
        Candidate(
            message=message,
            profile=message.profile,
            topic=message.topic,
            address=addresses.get((message.channel, message.profile.id), ""),
            consent=consents.get((message.profile.id, message.topic.slug, message.channel)),
            preference=wishes[message.profile.id],
        )
        for message in messages
        if message.profile
    ]


def _addresses(messages: Sequence[Message]) -> dict[tuple[str, UUID], str]:
    """Where each person is reached by each channel."""
    found: dict[tuple[str, UUID], str] = {}
    for key in {message.channel for message in messages} & set(CHANNELS.keys()):
        people = {one.profile.id: one.profile for one in messages if one.channel == key and one.profile}
        theirs = CHANNELS[key]().addresses(list(people.values()))
        found |= {(key, profile): address for profile, address in theirs.items()}
    return found


def _render(candidates: Sequence[Candidate], now: datetime) -> tuple[list[Letter], list[Settled]]:
    """The finished messages; and of those that cannot be finished, why. One that fails holds back no other."""
    if not candidates:
        return [], []
    letters: list[Letter] = []
    rest: list[Settled] = []
    desk, ends_at = Desk(now, [(one.message, one.profile) for one in candidates]), time.monotonic() + _RENDERING
    tracked = tracking.agreed(
        (one.profile.id, one.channel) for one in candidates if not CHANNELS[one.channel].tells_clicks
    )
    kept = tracking.places_of([one.message for one in candidates]) if tracked else {}
    for one in candidates:
        if time.monotonic() > ends_at:
            rest.append(outcomes.again(one.message, now + _MOMENT))
            continue
        try:
            letter = desk.letter(one.message, one.profile, one.preference, one.address)
        except Unsayable as unsayable:
            rest.append(outcomes.failed(one.message, str(unsayable)))
            continue
        letter = utm.told(letter, one.message.journey or one.message.template.slug)
        if (one.profile.id, one.channel) in tracked:
            letter = tracking.tracked(letter, kept.get(one.id))
        letters.append(letter)
    return letters, rest


def _commit_to(
    letters: Sequence[Letter], candidates: Sequence[Candidate], fences: Mapping[UUID, int], now: datetime
) -> list[Letter]:
    """Marks them as being sent, word for word; those that were cancelled meanwhile, or taken over, drop out here."""
    versions = {one.id: one.message.template.version_id for one in candidates}
    if not letters:
        return []
    rows = [
        {
            "id": letter.id,
            "fence": fences[letter.id],
            "version": versions[letter.id],
            "address": letter.address,
            "sender": letter.sender,
            "message_id": letter.message_id,
            "subject": letter.subject,
            "html": letter.html,
            "text": letter.text,
        }
        for letter in letters
    ]
    intended = {id for (id,) in _sql.rows("intend", {"letters": as_json(rows), "now": now})}
    going = [letter for letter in letters if letter.id in intended]
    tracking.keep(going)
    return going


def _put_back(claims: Sequence[Claim], error: Exception, now: datetime) -> None:
    """Whatever could not be looked up let nothing through (SE-03): it is tried again, each on its own.

    So one that makes the others fail is found, and a look-up that fails for all fails for each, and slower each time.
    """
    log.error("a batch of %s messages could not be judged; it is put back", len(claims), exc_info=error)
    tie = isinstance(error, OperationalError) and getattr(error.__cause__, "sqlstate", None) in _TIES
    said = f"It could not be judged ({type(error).__name__}), and so it was not sent. It is tried again."
    fences = {claim.id: claim.fence for claim in claims}
    rows = Message.objects.filter(id__in=list(fences), state__in=_WAITING)
    alone = len(claims) == 1 and not tie
    settled = [
        Settled(
            message.id,
            MessageState.DEFERRED,
            message.reason if tie else said,
            due_at=now + (outcomes.backoff(message.attempts) if alone else _MOMENT),
            unspent=0 if alone else 1,
            claims=0 if tie else 1,
        )
        for message in rows
    ]
    outcomes.settle(settled, fences, _WAITING, now)


# ── Handing over: no transaction is open ─────────────────────────────────────────────────────────────────────────────
def _hand_over(letters: Sequence[Letter], fences: Mapping[UUID, int], now: datetime, patience: float) -> bool:
    """Hands them to their channels and writes down what came of it; False if one could not be reached."""
    if not letters:
        return True
    results: dict[UUID, Outcome | Unsent] = {letter.id: Unsent() for letter in letters}
    reached = True
    try:
        for channel in sorted({letter.channel for letter in letters}):
            theirs = [letter for letter in letters if letter.channel == channel]
            reached = _through(CHANNELS[channel](), theirs, results, patience) and reached
    finally:
        # Also when we are told to stop: what was handed over is known, and the rest surely was not.
        outcomes.record(results, fences, now)
        lanes.learn(letters, results, now)
    return reached


def _through(
    channel: Channel, letters: Sequence[Letter], results: dict[UUID, Outcome | Unsent], patience: float
) -> bool:
    ends_at = time.monotonic() + patience
    refused: Counter[str] = Counter()
    try:
        with channel.line() as line:
            for letter in letters:
                started = time.monotonic()
                if started > ends_at:
                    break  # the rest goes back: our lease must not run out over it
                place = channel.place(letter.address)
                if refused[place] >= lanes.ENOUGH:
                    continue  # its lane is about to be shut
                results[letter.id] = InDoubt("It was being handed over when the worker was stopped.")
                outcome = results[letter.id] = _send(line, letter)
                refused[place] = refused[place] + 1 if getattr(outcome, "about", None) == About.PLACE else 0
                if time.monotonic() - started > _SLOW:
                    break  # and so it does here: what people need must not wait behind a server that dawdles (FM-37)
    except Unreachable as error:
        results |= {
            letter.id: Later(str(error), About.CHANNEL) for letter in letters if isinstance(results[letter.id], Unsent)
        }
        return False
    return True


def _send(line: Line, letter: Letter) -> Outcome:
    try:
        return line.send(letter)
    except Exception as error:
        log.exception("handing over message %s failed in a way that nobody foresaw", letter.id)
        return InDoubt(f"Handing it over failed, and nobody knows how far it got ({type(error).__name__}).")
