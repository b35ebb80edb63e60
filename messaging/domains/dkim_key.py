"""A DKIM key as it is published (RFC 6376, RFC 8301): what is wrong with it, if anything."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

LEAST, ADVISED = 1024, 2048  # bits


@dataclass(frozen=True, slots=True)
class Flaw:
    """`says` goes on after "The key at …"; `breaks`: signatures by it do not count."""

    key: str
    says: str
    do: str
    breaks: bool = True


_COPY = "Copy it anew from your mail server or provider, whole and without quotes or breaks in it."


def flaw(texts: Sequence[str]) -> Flaw | None:
    """What is wrong with what stands in the DNS under a selector."""
    if len(texts) > 1:
        return Flaw("twice", "is there more than once", "Keep the one that is signed with.")
    pairs = (part.partition("=") for part in texts[0].split(";"))
    tags = {name.strip().lower(): re.sub(r"\s+", "", value) for name, sign, value in pairs if sign}
    if tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        return Flaw("broken", "cannot be read", _COPY)
    if not tags["p"]:
        return Flaw("revoked", "was taken back: it is empty", "Publish the key that is signed with now.")
    try:
        raw = base64.b64decode(tags["p"], validate=True)
    except (ValueError, binascii.Error):
        return Flaw("broken", "cannot be read", _COPY)
    kind = tags.get("k", "rsa").lower()
    if kind == "ed25519":
        says = "is of a kind (Ed25519) that most receivers cannot check yet"
        return Flaw("rare", says, "Sign with an RSA key of 2,048 bits as well.", breaks=False)
    if kind != "rsa":
        return Flaw("broken", f"is of a kind that nobody knows ({kind[:20]})", _COPY)
    return _of_bits(raw) or _of_flags(tags.get("t", ""))


def _of_bits(raw: bytes) -> Flaw | None:
    try:
        key = load_der_public_key(raw)
    except (ValueError, UnsupportedAlgorithm):
        return Flaw("broken", "cannot be read", _COPY)
    if not isinstance(key, RSAPublicKey):
        return Flaw("broken", "is not of the kind that it says", _COPY)
    new = "Have your mail server or provider make one of 2,048 bits, and publish that."
    if key.key_size < LEAST:
        return Flaw("short", f"has {key.key_size:,} bits, and with fewer than {LEAST:,} it does not count", new)
    if key.key_size < ADVISED:
        return Flaw("weak", f"has {key.key_size:,} bits; {ADVISED:,} are advised", new, breaks=False)
    return None


def _of_flags(flags: str) -> Flaw | None:
    if "y" in flags.split(":"):
        return Flaw("testing", "says that it is only tried out (t=y)", "Take t=y out of it.", breaks=False)
    return None
