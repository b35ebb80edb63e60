"""Browsers that may be notified: registered by whoever is signed in there, forgotten when they are gone."""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import transaction

from foundation import addresses
from foundation.errors import Invalid, Problem
from messaging import wiring
from messaging.models import PushSubscription
from profiles.models import Identifier, Profile

CHANNEL, KEY = "web_push", "vapid"
MOST = 10
"""Browsers a person; who registers one more loses the oldest."""


def new_key() -> str:
    """A private key of VAPID (RFC 8292), as 32 bytes in base64url."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return _text(number.to_bytes(32, "big"))


def private_key() -> str:
    return wiring.made(CHANNEL, KEY)


def public_key() -> str:
    """What a page subscribes with: the point that belongs to our key, uncompressed."""
    number = int.from_bytes(_bytes(private_key()), "big")
    point = ec.derive_private_key(number, ec.SECP256R1()).public_key()
    return _text(point.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint))


def register(profile: Profile, user: str, given: Mapping[str, Any], *, agent: str, now: datetime) -> None:
    """Keeps a browser's subscription, as `toJSON()` has it. It belongs to whoever is signed in there last."""
    endpoint, keys = given.get("endpoint"), given.get("keys")
    keys = keys if isinstance(keys, dict) else {}
    problems = []
    if flaw := addresses.flaw(endpoint):
        problems.append(Problem("endpoint", flaw))
    if not _is_point(keys.get("p256dh")):
        problems.append(Problem("keys.p256dh", "must be a point of P-256 in base64url"))
    if not _is_long(keys.get("auth"), 16):
        problems.append(Problem("keys.auth", "must be 16 bytes in base64url"))
    if problems:
        raise Invalid(problems)
    values = {
        "profile": profile,
        "external_id": user,
        "endpoint": endpoint,
        "p256dh": keys["p256dh"],
        "auth": keys["auth"],
        "agent": agent.replace("\0", "")[:300],
        "registered_at": now,
    }
    with transaction.atomic():
        PushSubscription.objects.update_or_create(digest=_digest(str(endpoint)), defaults=values)
        rows = PushSubscription.objects.filter(profile=profile).order_by("-registered_at", "-id")
        PushSubscription.objects.filter(id__in=[one.id for one in rows[MOST : MOST + 100]]).delete()


def forget(endpoint: object) -> None:
    """The browser is notified no more. Nobody but it knows its endpoint."""
    if isinstance(endpoint, str):
        PushSubscription.objects.filter(digest=_digest(endpoint)).delete()


def of(user: str) -> list[PushSubscription]:
    """The browsers of whoever is known by this id, the newest first."""
    return list(PushSubscription.objects.filter(profile__external_id=user).order_by("-registered_at", "-id"))


def reached(profiles: Sequence[UUID]) -> set[UUID]:
    """Those who have a browser that may be notified."""
    rows = PushSubscription.objects.filter(profile__in=profiles)
    return set(rows.values_list("profile_id", flat=True))


class Pair(Protocol):
    survivor_id: UUID
    absorbed_id: UUID


def absorb(merges: Sequence[Pair]) -> None:
    """Browsers follow the survivor; most people have none."""
    theirs = {pair.absorbed_id: pair.survivor_id for pair in merges}
    for row in PushSubscription.objects.filter(profile__in=theirs):
        PushSubscription.objects.filter(id=row.id).update(profile=theirs[row.profile_id])


def part(survivor_id: UUID, absorbed_id: UUID) -> None:
    """A merge is taken back: a browser goes to whoever was signed in there."""
    names = Identifier.objects.filter(profile=absorbed_id, kind=Identifier.Kind.USER).values("value")
    PushSubscription.objects.filter(profile=survivor_id, external_id__in=names).update(profile=absorbed_id)


def empty(profile: Profile) -> None:
    """Forgets the browsers of somebody who is erased."""
    PushSubscription.objects.filter(profile=profile).delete()


def told(profile: Profile) -> list[dict[str, str]]:
    """What is kept of their browsers, for whoever asks for their data."""
    rows = PushSubscription.objects.filter(profile=profile).order_by("registered_at")
    return [
        {"endpoint": row.endpoint, "browser": row.agent, "registered_at": row.registered_at.isoformat()} for row in rows
    ]


def _digest(endpoint: str) -> str:
    return hashlib.sha256(endpoint.encode("utf-8", "surrogatepass")).hexdigest()


def _is_point(value: object) -> bool:
    if not isinstance(value, str) or len(value) > 100:
        return False
    try:
        point = _bytes(value)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        return False
    return len(point) == 65 and point[0] == 4  # uncompressed, as RFC 8291 has it


def _is_long(value: object, length: int) -> bool:
    try:
        return isinstance(value, str) and len(value) < 50 and len(_bytes(value)) == length
    except ValueError:
        return False


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """Raises `ValueError` where it is no base64url."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("no base64url") from error
