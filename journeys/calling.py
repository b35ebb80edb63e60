"""Webhooks of journeys: given in the engine's transaction, made outside of any, until one is taken or it is too late.

The only writer of their table. A call is claimed with a lease and a fence: a worker that dies leaves it to the next,
and one that comes late writes nothing. Receivers tell repeated calls by `webhook-id`, which is the same for every try.
"""

import json
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction

from foundation import clock, outgoing, standstill
from foundation.alone import alone
from foundation.outgoing import Outcome, Result
from foundation.sql import statements
from foundation.wake import wake
from journeys.models import Call
from profiles import ingest

log = logging.getLogger(__name__)
ANSWERED = "$webhook_answered"
BACKOFF = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 21_600, 28_800))
"""How long a call that was not taken is left alone, each time; after the last one always so long."""
AT_ONCE, TO_ONE_HOST, THREADS = 24, 8, 8
SECONDS = 20  # after so long no further calls are begun in a run
LEASE = timedelta(seconds=120)  # more than twice what all calls of a claim can take
_FLAT, _LONG = 30, 500
_sql = statements("journeys", "calling")


# ── Given by the engine ──────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Given:
    """A call to be made; the same enrollment and step are the same call, and so is the same key."""

    enrollment: UUID
    key: str
    body: str
    expires_at: datetime


def give(calls: Sequence[Given], *, step: str, url: str, now: datetime) -> None:
    """Queues these in the caller's transaction; what is under way or was taken stays, what was given up goes anew."""
    if not calls:
        return
    _sql.run("forget", {"enrollments": [one.enrollment for one in calls], "step": step})
    rows = json.dumps(
        [
            {"enrollment": str(one.enrollment), "key": one.key, "body": one.body, "expires": one.expires_at.isoformat()}
            for one in calls
        ]
    )
    params = {"rows": rows, "step": step, "now": now}
    _sql.run("give", {**params, "url": url, "host": urlsplit(url).netloc})
    keys = sorted({one.key for one in calls if one.key})
    if keys:
        _sql.rows("first", {"enrollments": [one.enrollment for one in calls], "step": step, "keys": keys})
        if done := [id for id, state in _sql.rows("share", params) if state == Call.State.DONE]:
            _tell(done, now)
    wake("journeys.call")


@dataclass(frozen=True, slots=True)
class Answered:
    """How it stands with a call."""

    state: str
    status: int | None
    answer: Mapping[str, Any]
    reason: str
    ended_at: datetime | None

    @property
    def ok(self) -> bool:
        return self.state == Call.State.DONE

    def counts(self, since: datetime) -> bool:
        """Whether it is the answer for somebody who came to the step then: what was taken once is, ever after."""
        return self.ok or (self.ended_at is not None and not self.is_of_before(since))

    def is_of_before(self, since: datetime) -> bool:
        """Whether it was given up before they came to the step: then it is tried anew."""
        return not self.ok and self.ended_at is not None and self.ended_at < since


NOBODY = Answered(Call.State.EXPIRED, None, {}, "Nobody took it in time.", None)


def answers(step: str, enrollments: Collection[UUID]) -> dict[UUID, Answered]:
    """How it stands with the calls of that step, of these enrollments that have one."""
    rows = Call.objects.filter(enrollment_id__in=enrollments, step=step)
    return {one.enrollment_id: Answered(one.state, one.status, one.answer, one.reason, one.ended_at) for one in rows}


def give_up(step: str, enrollments: Collection[UUID], *, now: datetime) -> int:
    """Closes what still waits to be sent for these, who go on without it."""
    return _sql.run("give_up", {"enrollments": list(enrollments), "step": step, "now": now})


def call_off(enrollments: Collection[UUID], *, now: datetime) -> int:
    """Closes what waits to be sent for these enrollments, which were taken off their journeys."""
    return _sql.run("call_off", {"enrollments": list(enrollments), "now": now})


# ── Made by a loop of their own ──────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Claimed:
    """A call in hand."""

    id: UUID
    journey_id: int
    step: str
    key: str
    url: str
    body: str
    fence: int
    attempts: int
    expires_at: datetime

    @property
    def webhook_id(self) -> str:
        """What receivers know it by: the same for every try, and for all calls with the same key."""
        if not self.key:
            return f"msg_{self.id.hex}"
        return f"msg_{sha256(f'{self.journey_id}:{self.step}:{self.key}'.encode()).hexdigest()[:32]}"


def tick(now: datetime) -> int:
    """Makes the calls that are due, some to each host at a time; how many it made or gave up.

    Endpoints may be slow: one worker at a time is kept busy by them, and not for long.
    """
    if standstill.holds():
        return 0
    done, ends = 0, time.monotonic() + SECONDS
    with alone("journeys.calling") as free:
        while free and time.monotonic() < ends:
            given_up = _expire(now)
            claimed = _claim(now)
            _make(claimed, now)
            done += given_up + len(claimed)
            if not given_up and not claimed:
                break
    return done


def _expire(now: datetime) -> int:
    with transaction.atomic():
        over = [id for (id,) in _sql.rows("expire", {"now": now, "limit": 500})]
        if over:
            _tell(over, now)
    return len(over)


def _claim(now: datetime) -> list[Claimed]:
    params = {"now": now, "limit": AT_ONCE, "a_host": TO_ONE_HOST, "lease": LEASE}
    with transaction.atomic():
        return [Claimed(*row) for row in _sql.rows("claim", params)]


def _make(claimed: Sequence[Claimed], now: datetime) -> None:
    """Makes them side by side, with no transaction open, and writes down what became of each as it comes."""
    if not claimed:
        return
    real = clock.wall()  # receivers compare the signature's moment with their own clocks
    secrets = outgoing.secrets()

    def send(one: Claimed) -> Outcome:
        try:
            body = one.body.encode()
            signed = outgoing.sign_headers(secrets, one.webhook_id, real, body)
            return outgoing.post(one.url, body, headers={"Content-Type": "application/json", **signed}, now=now)
        except Exception as error:  # the others of the claim are made none the less
            log.exception("call %s failed in a way that nobody foresaw", one.id)
            return Outcome.unforeseen(error)

    with ThreadPoolExecutor(min(THREADS, len(claimed)), "calls") as threads:
        for one, outcome in zip(claimed, threads.map(send, claimed), strict=True):
            _record(one, outcome, now)


def _record(one: Claimed, outcome: Outcome, now: datetime) -> None:
    """Writes what became of it; nothing, where another worker has it by now."""
    known = {"id": one.id, "fence": one.fence, "status": outcome.status, "now": now}
    wait = outcome.retry_after or timedelta()
    due = now + max(BACKOFF[min(one.attempts, len(BACKOFF)) - 1], wait)
    again = outcome.result in (Result.LATER, Result.IN_DOUBT)
    if again and due < one.expires_at:
        _sql.run("again", {**known, "reason": outcome.reason, "due": due})
        return
    state = Call.State.DONE if outcome.done else Call.State.EXPIRED if again else Call.State.REFUSED
    said = json.dumps(flat(outcome.body) if outcome.done else {})
    with transaction.atomic():
        if _sql.rows("end", {**known, "state": state, "answer": said, "reason": outcome.reason}):
            _tell([one.id], now)


def _tell(ids: Sequence[UUID], now: datetime) -> None:
    """Has those who wait for these go on: an event tells each, and conditions may ask about it."""
    shared = [id for (id,) in _sql.rows("share_end", {"ids": list(ids)})]
    calls = Call.objects.filter(pk__in=[*ids, *shared], enrollment__state="active").select_related(
        "journey", "enrollment"
    )
    ingest.emit(
        [
            ingest.Ours(
                profile_id=one.enrollment.profile_id,
                name=ANSWERED,
                properties={
                    "journey": one.journey.slug,
                    "step": one.step,
                    "ok": one.state == Call.State.DONE,
                    "status": one.status,
                    **{f"answer.{name}": value for name, value in one.answer.items()},
                },
                occurred_at=now,
                message_id=f"{ANSWERED}:{one.pk}",
            )
            for one in calls
        ],
        now=now,
    )


def flat(body: bytes) -> dict[str, Any]:
    """What an answer says, if it is a JSON object: of its values those that are short and flat."""
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(read, dict):
        return {}
    kept = {name: value for name, value in read.items() if _is_short(name, 100) and _is_flat(value)}
    return dict(list(kept.items())[:_FLAT])


def _is_flat(value: Any) -> bool:
    if isinstance(value, str):
        return _is_short(value, _LONG)
    if isinstance(value, float):
        return value == value and abs(value) < 1e15
    return value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 10**15)


def _is_short(text: str, most: int) -> bool:
    return 0 < len(text) <= most and "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
