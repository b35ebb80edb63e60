"""Where mail goes back to: an address of our own for each message, signed, so that what comes to it is about that one.

`bounces+<name and signature>@mail.example.com`, in letters that no server changes and in 64 characters at most. Whoever
got a mail can see the address and say that just this mail came back, which harms nobody else.
"""

import base64
import binascii
import hashlib
import hmac
from uuid import UUID

from django.conf import settings

_SIGNED = 10  # bytes of the signature: 80 bits, of which a forger can try one a mail


def address_of(message: UUID) -> str:
    """The envelope sender of a message; "" where BOUNCE_ADDRESS is not set."""
    local, at, domain = settings.BOUNCE_ADDRESS.rpartition("@")
    if not at:
        return ""
    key = list(settings.LINK_KEYS.values())[-1]
    name = base64.b32encode(message.bytes + _signature(message, key)).decode().rstrip("=").lower()
    return f"{local}+{name}@{domain}"


def message_of(address: str) -> UUID | None:
    """The message whose address this is; None where we did not sign it."""
    local, _, domain = address.strip().strip("<>").lower().rpartition("@")
    ours, _, our_domain = settings.BOUNCE_ADDRESS.lower().rpartition("@")
    before, plus, name = local.rpartition("+")
    if not plus or not our_domain or before != ours or domain != our_domain:
        return None
    try:
        decoded = base64.b32decode(name.upper() + "=" * (-len(name) % 8))
    except (binascii.Error, ValueError):
        return None
    if len(decoded) != 16 + _SIGNED:
        return None
    message = UUID(bytes=decoded[:16])
    signed = decoded[16:]
    good = any(hmac.compare_digest(_signature(message, key), signed) for key in settings.LINK_KEYS.values())
    return message if good else None


def _signature(message: UUID, key: str) -> bytes:
    purpose = hmac.digest(key.encode(), b"cairn.returns", hashlib.sha256)
    return hmac.digest(purpose, message.bytes, hashlib.sha256)[:_SIGNED]
