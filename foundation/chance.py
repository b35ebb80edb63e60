"""Chance that can be worked out again: a hash of who and what for, the same in every language (docs/journeys.md)."""

from hashlib import sha256

BUCKETS = 10_000


def bucket(salt: str, unit: object) -> int:
    """The first 8 bytes of SHA-256 of `salt:unit` as a number, modulo 10,000."""
    return int.from_bytes(sha256(f"{salt}:{unit}".encode()).digest()[:8]) % BUCKETS
