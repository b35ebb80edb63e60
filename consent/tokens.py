"""What a link may do: signed tokens that say what they are for, name no one, and cannot be forged or guessed.

`v1.<key id>.<payload>.<signature>`, without padding, since mail programs break lines at it.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

_VERSION = "v1"
_SIGNATURE_BYTES = 20  # of SHA-256's 32: 160 bits, and room for a long topic in 200 characters
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class _Field:
    """How one kind of value is written as bytes, and read: `read` takes the bytes left and gives them back shorter."""

    write: Callable[[Any], bytes]
    read: Callable[[bytes], tuple[Any, bytes]]


def _write_text(value: str) -> bytes:
    encoded = value.encode()
    return bytes([len(encoded)]) + encoded


def _read_text(data: bytes) -> tuple[str, bytes]:
    end = 1 + data[0]
    return data[1:end].decode(), data[end:]


_ID = _Field(lambda value: (value or _NOBODY).bytes, lambda data: (UUID(bytes=data[:16]), data[16:]))
_MAYBE_ID = _Field(_ID.write, lambda data: (UUID(bytes=data[:16]) if any(data[:16]) else None, data[16:]))
_TEXT = _Field(_write_text, _read_text)
_NUMBER = _Field(lambda value: value.to_bytes(4, "big"), lambda data: (int.from_bytes(data[:4], "big"), data[4:]))
_TIME = _Field(
    lambda value: int(value.timestamp()).to_bytes(6, "big"),
    lambda data: (datetime.fromtimestamp(int.from_bytes(data[:6], "big"), UTC), data[6:]),
)

_FIELDS: dict[str, dict[str, _Field]] = {
    # Never expires: people unsubscribe from mails of years ago. It can only make us say less.
    "unsubscribe": {"profile": _ID, "topic": _TEXT, "channel": _TEXT, "message": _MAYBE_ID},
    # For previews, tests and copies: opens the page and changes nothing, whoever presses what.
    "inert": {"topic": _TEXT, "channel": _TEXT},
    # Carries the person's epoch, which they can raise to make earlier links useless.
    "preferences": {"profile": _ID, "epoch": _NUMBER, "at": _TIME},
    # The same page from a link to unsubscribe, which never expires: it can turn down and off, and shows no data.
    "less": {"profile": _ID, "epoch": _NUMBER, "at": _TIME},
    # Opens the page with the button that confirms what was asked for; the request itself knows whether it was used.
    "confirm": {"request": _ID, "at": _TIME},
    # Leads on to where a link of a message led when it was sent, for ever; it changes nothing.
    "click": {"message": _ID, "place": _NUMBER},
    # Says that the picture of a message was fetched, which counts only while the person agrees to that.
    "open": {"message": _ID},
    # Opens the page on which somebody answers what a message asked; nothing counts before its button is pressed.
    "feedback": {"message": _ID},
    # Takes back what was just done: the rows `first` to `last` of a chain.
    "undo": {"subject": _ID, "first": _NUMBER, "last": _NUMBER, "at": _TIME},
}
PURPOSES = tuple(_FIELDS)
LIFETIMES = {
    "preferences": timedelta(days=90),
    "less": timedelta(days=1),
    "confirm": timedelta(days=7),
    "undo": timedelta(hours=1),
}


def make(purpose: str, **ids: Any) -> str:
    """A token for `purpose`, bearing exactly the values that it knows; at most 200 characters."""
    fields = _FIELDS[purpose]
    if ids.keys() != fields.keys():
        raise TypeError(f"a token for {purpose} bears {', '.join(fields)}")
    kid = list(settings.LINK_KEYS)[-1]
    payload = _text(b"".join(field.write(ids[name]) for name, field in fields.items()))
    return f"{_VERSION}.{kid}.{payload}.{_signature(purpose, kid, payload)}"


def read(purpose: str, token: str, *, now: datetime | None = None) -> dict[str, Any] | None:
    """The values in a token that we made for `purpose`; None if it was not us, not for this, or too long ago.

    A purpose whose tokens expire needs `now`.
    """
    values = read_at_any_age(purpose, token)
    return None if values is None or _is_over(purpose, values, now) else values


def read_at_any_age(purpose: str, token: str) -> dict[str, Any] | None:
    """The same of a token that may be too old to be good for anything but an explanation."""
    version, _, rest = token.partition(".")
    kid, _, rest = rest.partition(".")
    payload, _, signature = rest.partition(".")
    if version != _VERSION or kid not in settings.LINK_KEYS or not signature.isascii():
        return None
    if not hmac.compare_digest(_signature(purpose, kid, payload), signature):
        return None
    return _values(purpose, _bytes(payload))


def _values(purpose: str, data: bytes) -> dict[str, Any]:
    values = {}
    for name, field in _FIELDS[purpose].items():
        values[name], data = field.read(data)
    return values


def _is_over(purpose: str, values: dict[str, Any], now: datetime | None) -> bool:
    if purpose not in LIFETIMES:
        return False
    if now is None:
        raise TypeError(f"a token for {purpose} expires: say what time it is")
    made_at: datetime = values["at"]
    return now > made_at + LIFETIMES[purpose]


def _signature(purpose: str, kid: str, payload: str) -> str:
    # The purpose is part of the key: a token for one thing is noise for every other.
    key = hmac.digest(settings.LINK_KEYS[kid].encode(), f"cairn.link.{purpose}".encode(), hashlib.sha256)
    signed = f"{_VERSION}.{kid}.{payload}".encode("utf-8", "surrogatepass")
    return _text(hmac.digest(key, signed, hashlib.sha256)[:_SIGNATURE_BYTES])


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
