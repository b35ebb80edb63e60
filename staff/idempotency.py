"""Writes that may be repeated: an `Idempotency-Key` makes the repetition get the same answer and do nothing again."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection, transaction
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.errors import Conflict, Invalid
from staff.models import IdempotentAnswer, Key

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
_BATCH = 5_000


def given(request: Request) -> str:
    """The request's key, or "". Raises `Invalid` for one that is no plain text of up to 255 characters."""
    key: str = request.headers.get(HEADER, "")
    if len(key) > 255 or not key.isascii() or not key.isprintable():
        raise Invalid.at(HEADER, "An Idempotency-Key is 1 to 255 plain characters, such as a UUID.")
    return key


def once(request: Request, key: str, owner: Key, answer: Callable[[], Response], *, now: datetime) -> Response:
    """What `answer` gives, or what it gave before.

    The write and the note of its answer are one transaction: whoever dies half-way leaves neither. An answer of 5xx
    is no answer: its write is taken back, and the key is as if it had never been used. Raises `Conflict` while another
    request with the key is under way, and where the key was used for something else.
    """
    fingerprint = _fingerprint(request)
    with transaction.atomic():
        # The lock is what a concurrent repeat runs into: rows that are not committed are seen by nobody.
        if not _locked(f"{owner.pk} {key}"):
            raise Conflict(f"A request with this {HEADER} is under way. Ask again when it has ended.")
        before = IdempotentAnswer.objects.filter(owner=owner.pk, key=key, created_at__gt=now - KEPT).first()
        if before is not None:
            return _again(before, fingerprint)
        response = answer()
        if response.status_code >= 500:
            transaction.set_rollback(True)
        else:
            _keep(response, key, owner, fingerprint, now)
        return response


def _locked(name: str) -> bool:
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        free: bool = cursor.fetchone()[0]
    return free


def _fingerprint(request: Request) -> str:
    address = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(address + request._request.body).hexdigest()


def _again(before: IdempotentAnswer, fingerprint: str) -> Response:
    if before.fingerprint != fingerprint:
        raise Conflict(f"This {HEADER} was used for another request. Choose a new one for each thing you want done.")
    problem = "application/problem+json" if before.status >= 400 else None
    body = None if before.body is None else json.loads(before.body)
    return Response(body, before.status, headers={"Idempotent-Replayed": "true"}, content_type=problem)


def _keep(response: Response, key: str, owner: Key, fingerprint: str, now: datetime) -> None:
    body = None if response.data is None else JSONRenderer().render(response.data).decode()
    kept = {"fingerprint": fingerprint, "status": response.status_code, "body": body, "created_at": now}
    IdempotentAnswer.objects.update_or_create(owner=owner.pk, key=key, defaults=kept)


def forget(now: datetime) -> int:
    """Drops the answers older than a day, batch by batch; how many that were."""
    old = IdempotentAnswer.objects.filter(created_at__lte=now - KEPT).order_by("created_at").values("pk")[:_BATCH]
    dropped = 0
    while some := IdempotentAnswer.objects.filter(pk__in=old).delete()[0]:
        dropped += some
    return dropped
