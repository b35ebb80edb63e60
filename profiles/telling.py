"""Telling your systems what happens here: a row, written with its cause, and delivered until it is taken.

    tell (in the transaction of the cause) -> tick: claim, post with no transaction open, write down what was answered

Each is signed as Standard Webhooks says, and bears the same `webhook-id` however often it is tried: what may have
arrived is sent again, and receivers drop what they know.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from foundation import clock, outgoing
from foundation.errors import Conflict
from foundation.outgoing import Outcome, Result
from foundation.wake import wake
from profiles import endpoints
from profiles.models import Delivery
from staff import audit

LOOP = "profiles.tell"
KEPT = timedelta(days=30)
_WAITS = [timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=5),
          timedelta(hours=10), timedelta(hours=14), timedelta(hours=20), timedelta(hours=24)]  # fmt: skip
_LEASE = timedelta(minutes=2)  # so long a worker may be at it, before another takes it for dead
_BATCH = 20
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
    """Delivers what is due; how many tries those were."""
    done = 0
    while claimed := _claim(now):
        for delivery in claimed:
            _settle(delivery, _post(delivery, now), now)
        done += len(claimed)
    return done


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
        rows = list(due.select_related("endpoint").select_for_update(of=["self"], skip_locked=True)[:_BATCH])
        for row in rows:
            row.tries += 1
            row.due_at = now + _LEASE
        Delivery.objects.bulk_update(rows, ["tries", "due_at"])
    return rows


def _post(delivery: Delivery, now: datetime) -> Outcome:
    body = delivery.body.encode()
    signed = outgoing.sign_headers(outgoing.secrets(), str(delivery.pk), clock.wall(), body)
    headers = {"Content-Type": "application/json", **signed}
    return outgoing.post(delivery.endpoint.url, body, headers=headers, now=now)


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
