"""What makes the ledger provable: each row's hash over its contents and the row before, and salted digests."""

import hashlib
import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from consent.models import ConsentRecord

HASHED = (
    "id",
    "subject_ref",
    "seq",
    "topic",
    "channel",
    "state",
    "source",
    "actor",
    "wording",
    "locale",
    "message",
    "evidence",
    "occurred_at",
    "recorded_at",
    "previous",
)
# Younger than the ledger: a row that has none of them is hashed as it was before there were any.
IF_ANY = ("expires_at", "implied")
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(value: Any) -> bytes:
    """The one way to write a JSON value as bytes: keys sorted, no white space, UTF-8."""
    return _encode(value).encode("utf-8", "surrogatepass")


def link(record: ConsentRecord) -> str:
    """The hash of a row: SHA-256 over the canonical JSON of all its fields, the hash of the row before among them."""
    return digest(getattr(record, name) for name in (*HASHED, *IF_ANY))


def digest(values: Iterable[Any]) -> str:
    """The same, of the fields' values in the order of `HASHED` and `IF_ANY`."""
    named = zip((*HASHED, *IF_ANY), map(_plain, values), strict=True)
    return hashlib.sha256(canonical({name: v for name, v in named if name in HASHED or v})).hexdigest()


def salt() -> str:
    return secrets.token_hex(32)


def commitment(salt: str, evidence: dict[str, Any]) -> str:
    """What the row keeps of the evidence: nobody can guess back from it once the salt is deleted with the evidence."""
    return hashlib.sha256(bytes.fromhex(salt) + canonical(evidence)).hexdigest()


def wording(text: str, locale: str, version: str) -> str:
    """The digest by which a wording is found."""
    return hashlib.sha256(canonical([text, locale, version])).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value if value is None or isinstance(value, int) else str(value)
