"""Secrets of others that we must be able to use, such as a provider's password: the database alone tells nothing.

Sealed with a key that follows from LINK_KEYS: the last one seals, all of them open, so that keys may be rotated.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


def seal(values: Mapping[str, str]) -> str:
    """The values as a text that only we can open."""
    return _ring().encrypt(json.dumps(dict(values)).encode()).decode()


def unseal(sealed: str) -> dict[str, str] | None:
    """The values; None where they were sealed with a key that we no longer have."""
    if not sealed:
        return {}
    try:
        values: dict[str, str] = json.loads(_ring().decrypt(sealed.encode()))
    except InvalidToken:
        return None
    return values


def _ring() -> MultiFernet:
    keys = [
        base64.urlsafe_b64encode(hmac.digest(key.encode(), b"cairn.sealing", hashlib.sha256))
        for key in reversed(settings.LINK_KEYS.values())
    ]
    return MultiFernet([Fernet(key) for key in keys])
