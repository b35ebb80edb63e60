"""Keys of programs: made, recognised, metered and revoked here. Only a digest is kept, never the key itself."""

import hashlib
import math
import secrets
import string
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from foundation.errors import Invalid
from foundation.sql import statements
from staff import audit, scopes
from staff.models import Key

_HEADS = {Key.Kind.SECRET: "ck_live_", Key.Kind.SERVER: "wk_", Key.Kind.BROWSER: "wb_"}
_ALPHABET = string.ascii_letters + string.digits  # no signs: a double click selects the whole key
_LENGTH = 43  # 43 of 62 signs are 256 bits
_SHOWN = 5
# Everybody who opens a page holds the browser key, so it is never without a limit.
BROWSER_RATE = 6_000
_TOUCH_EVERY = timedelta(minutes=1)


def create(
    name: str,
    *,
    kind: Key.Kind,
    scopes: Iterable[str] = (),
    rate_per_minute: int | None = None,
    expires_at: datetime | None = None,
    now: datetime,
) -> tuple[Key, str]:
    """Makes a key; the second of the pair is the key itself, which nobody can show again.

    Without `rate_per_minute` a browser key gets `BROWSER_RATE`, and the others no limit. Raises `Invalid`.
    """
    secret = _HEADS[kind] + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    values = checked(name, kind, scopes, rate_per_minute, expires_at, now=now)
    with transaction.atomic():
        prefix = secret[: len(_HEADS[kind]) + _SHOWN]
        key = Key.objects.create(prefix=prefix, digest=_digest(secret), created_at=now, **values)
        may = ", ".join(key.scopes) or "send behaviour"
        audit.record("create", "key", str(key.id), f"Made the key {key.name}, which may: {may}")
    return key, secret


def checked(
    name: str,
    kind: Key.Kind,
    scopes: Iterable[str],
    rate_per_minute: int | None,
    expires_at: datetime | None,
    *,
    now: datetime,
) -> dict[str, Any]:
    """What a key that is asked for would hold. Raises `Invalid` with the first of what is wrong."""
    return {
        "name": _named(name),
        "kind": kind,
        "scopes": _scoped(kind, list(scopes)),
        "rate_per_minute": _rate(kind, rate_per_minute),
        "expires_at": _expiry(expires_at, now),
    }


def _named(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise Invalid.at("name", "Give the key a name of 1 to 100 characters on one line, such as Website.")
    return name


def _scoped(kind: Key.Kind, wanted: list[str]) -> list[str]:
    if kind == Key.Kind.SECRET:
        return scopes.checked(wanted)
    if wanted:
        raise Invalid.at("scopes", "A write key sends behaviour and nothing else, so it has no scopes.")
    return []


def _rate(kind: Key.Kind, rate_per_minute: int | None) -> int | None:
    if rate_per_minute is None and kind == Key.Kind.BROWSER:
        return BROWSER_RATE
    if rate_per_minute is not None and not 1 <= rate_per_minute <= 10_000_000:
        raise Invalid.at("rate_per_minute", "The limit is 1 to 10,000,000 items a minute.")
    return rate_per_minute


def _expiry(expires_at: datetime | None, now: datetime) -> datetime | None:
    if expires_at is not None and expires_at <= now:
        raise Invalid.at("expires_at", "The key would have expired already; choose a later moment.")
    return expires_at


def authenticate(secret: str, *, now: datetime) -> Key | None:
    """The live key that this is, or nothing. Notes that it was used, at most once a minute."""
    key = Key.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now), digest=_digest(secret), revoked_at=None
    ).first()
    if key is not None and (key.last_used_at is None or key.last_used_at <= now - _TOUCH_EVERY):
        Key.objects.filter(pk=key.pk).update(last_used_at=now)
        key.last_used_at = now
    return key


def looks_like_a_browsers(secret: str) -> bool:
    """Whether it is a browser's key, be it live or not."""
    return secret.startswith(_HEADS[Key.Kind.BROWSER])


def _digest(secret: str) -> str:
    # A key is 256 random bits, so a slow hash would add nothing. Lone surrogates may come from outside.
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def spend(key: Key, items: int, *, now: datetime) -> int | None:
    """Counts `items` against the key's rate limit: nothing if they may go on, else the seconds to wait.

    Holds the key's row until the transaction around it ends, so call it outside of any.
    """
    if key.rate_per_minute is None or items < 1:
        return None
    params = {"key": key.pk, "items": items, "rate": key.rate_per_minute, "now": now}
    [(taken, wait)] = statements("staff", "keys").rows("spend", params)
    return None if taken else max(1, math.ceil(wait or 0))


def revoke(key: Key, *, now: datetime) -> None:
    """Has whoever uses the key refused from now on. Revoking it again changes nothing."""
    with transaction.atomic():
        if not Key.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
            key.refresh_from_db()
            return
        key.revoked_at = now
        audit.record("revoke", "key", str(key.id), f"Revoked the key {key.name}")
