"""Telling your systems what happens here: a row, written with its cause, and delivered until it is taken.

    tell (in the transaction of the cause) -> tick: claim, post with no transaction open, write down what was answered

Each is signed as Standard Webhooks says, and bears the same `webhook-id` however often it is tried: what may have
arrived is sent again, and receivers drop what they know.
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from foundation import clock, outgoing, standstill
from foundation.alone import alone
from foundation.errors import Conflict
from foundation.outgoing import Outcome, Result
from foundation.wake import wake
from profiles import endpoints
from profiles.models import Delivery
from staff import audit

log = logging.getLogger(__name__)
LOOP = "profiles.tell"
KEPT = timedelta(days=30)
_WAITS = [timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=5),
          timedelta(hours=10), timedelta(hours=14), timedelta(hours=20), timedelta(hours=24)]  # fmt: skip
_LEASE = timedelta(minutes=2)  # so long a worker may be at it, before another takes it for dead
_BATCH = 8  # side by side
_SECONDS = 20  # after so long no further ones are begun in a run
State = Delivery.State


def tell(kind: str, data: Mapping[str, Any], *, now: datetime) -> int:
    """Queues it for each endpoint that hears of such; how many those are. `data` names people by opaque ids alone."""
    heard_by = endpoints.that_hear(kind)
    body = json.dumps({"type": kind, "timestamp": now.isoformat(), "data": data}, separators=(",", ":"))
    Delivery.objects.bulk_create(
        [Delivery(endpoint=endpoint, kind=kind, body=body, at=now, due_at=now) for endpoint in heard_by]
    )
    if heard_by:
        wake(LOOP)
    return len(heard_by)


def tick(now: datetime) -> int:
    """Delivers what is due; how many tries those were.

    Endpoints may be slow: one worker at a time is kept busy by them, and not for long.
    """
    if standstill.holds():
        return 0
    done, ends = 0, time.monotonic() + _SECONDS
    with alone("profiles.telling") as free:
        while free and time.monotonic() < ends and (claimed := _claim(now)):
            _deliver(claimed, now)
            done += len(claimed)
    return done


def _deliver(claimed: Sequence[Delivery], now: datetime) -> None:
    """Posts them side by side, with no transaction open, and writes down what became of each as it comes."""
    real = clock.wall()  # receivers compare the signature's moment with their own clocks
    with ThreadPoolExecutor(len(claimed), "telling") as threads:
        outcomes = threads.map(lambda one: _post(one, real, now), claimed)
        for delivery, outcome in zip(claimed, outcomes, strict=True):
            _settle(delivery, outcome, now)


def again(id: UUID, *, now: datetime) -> Delivery:
    """Has it delivered once more, under the same id; also what was taken."""
    with transaction.atomic():
        row = Delivery.objects.select_for_update().get(pk=id)
        if row.state == State.WAITING:
            raise Conflict("It is on its way already.")
        row.state, row.due_at, row.ended_at, row.tries = State.WAITING, now, None, 0
        row.save()
        audit.record("redeliver", "delivery", str(row.pk), f"Had {row.kind} delivered once more.")
        wake(LOOP)
    return row


def forget(now: datetime) -> int:
    """Drops a batch of what ended long ago; how much that was."""
    old = Delivery.objects.filter(ended_at__lte=now - KEPT).order_by("ended_at").values("pk")[:5_000]
    return Delivery.objects.filter(pk__in=old).delete()[0]


def _claim(now: datetime) -> Sequence[Delivery]:
    """What is due, ours for a while: should we die, somebody else takes it up then."""
    with transaction.atomic():
        due = Delivery.objects.filter(state=State.WAITING, due_at__lte=now, endpoint__enabled=True)
        first = due.select_related("endpoint").order_by("due_at", "id")
        rows = list(first.select_for_update(of=["self"], skip_locked=True)[:_BATCH])
        for row in rows:
            row.tries += 1
            row.due_at = now + _LEASE
        Delivery.objects.bulk_update(rows, ["tries", "due_at"])
    return rows


def _post(delivery: Delivery, real: datetime, now: datetime) -> Outcome:
    try:
        body = delivery.body.encode()
        signed = outgoing.sign_headers(outgoing.secrets(), str(delivery.pk), real, body)
        headers = {"Content-Type": "application/json", **signed}
        return outgoing.post(delivery.endpoint.url, body, headers=headers, now=now)
    except Exception as error:  # the others of the batch are delivered none the less
        log.exception("delivery %s failed in a way that nobody foresaw", delivery.pk)
        return Outcome.unforeseen(error)


def _settle(delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    values: dict[str, Any] = {"reason": outcome.reason}
    if outcome.done:
        values |= {"state": State.DONE, "due_at": None, "ended_at": now}
    elif (outcome.result is Result.REFUSED and outcome.status is None) or delivery.tries > len(_WAITS) or outcome.gone:
        values |= {"state": State.FAILED, "due_at": None, "ended_at": now}
    else:
        # Whatever was answered: a receiver that is wrong today may be repaired tomorrow.
        values["due_at"] = now + max(_WAITS[delivery.tries - 1], outcome.retry_after or timedelta())
    Delivery.objects.filter(pk=delivery.pk, state=State.WAITING, tries=delivery.tries).update(**values)
