"""Calls that we make to addresses which others gave us: bounded, to public places alone, signed for the receiver.

    outcome = post(url, body, headers=sign_headers(secrets, id, at, body), now=now)

Where it was sent, what was answered, and whether it may be sent again is what `Outcome` says. Redirects are not
followed, proxies of the environment not used, and of the answer no more than 64 KB are read.
"""

import base64
import binascii
import hmac
import io
import os
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from http.client import HTTPException, HTTPResponse
from typing import Any, Self, cast

import certifi
from django.conf import settings

from foundation import addresses
from foundation.addresses import Place, Resolve, Unfit

TIMEOUT = 10.0
MOST_SENT, MOST_READ = 256_000, 65_536
_LONGEST_WAIT = timedelta(days=1)


class Result(StrEnum):
    """What is known after a call: the set is closed."""

    DONE = "done"  # the answer was 2xx
    LATER = "later"  # it did not arrive, or was not taken for now: to send it again is safe
    IN_DOUBT = "in_doubt"  # nobody knows whether it was taken: to send it again may be to do it twice
    REFUSED = "refused"  # it will not be taken, however often it is sent


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call."""

    result: Result
    reason: str
    """A sentence for people, without anything of the answer's body."""
    status: int | None = None
    body: bytes = b""
    """At most 64 KB of the answer."""
    retry_after: timedelta | None = None
    """How long the receiver wants to be left alone, at most a day."""

    @classmethod
    def unforeseen(cls, error: Exception) -> Self:
        """What is known of a call that failed on our side: nothing."""
        return cls(Result.IN_DOUBT, f"Calling failed in a way that nobody foresaw ({type(error).__name__}).")

    @property
    def done(self) -> bool:
        return self.result is Result.DONE

    @property
    def gone(self) -> bool:
        """Whether the receiver says that nobody will ever be there again."""
        return self.status == 410


def post(
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str],
    now: datetime,
    timeout: float = TIMEOUT,
    resolve: Resolve = addresses.resolve,
) -> Outcome:
    """Sends `body` there, within `timeout` seconds in all; never raises for what the other side does.

    To be called with no transaction open. `now` is what a moment in `Retry-After` is measured from.
    """
    if len(body) > MOST_SENT:
        return Outcome(Result.REFUSED, f"The body is longer than {MOST_SENT:,} bytes.")
    until = time.monotonic() + timeout
    try:
        place = addresses.read(url)
        found = addresses.judged(place, resolve)
    except Unfit as unfit:
        return Outcome(Result.REFUSED, f"The address {unfit}.")
    except OSError as error:
        return Outcome(Result.LATER, f"The address cannot be found: {error}.")
    try:
        connection = _connect(place, found, until)
    except ssl.SSLError as error:
        return Outcome(Result.LATER, f"No safe connection: {getattr(error, 'verify_message', '') or error.reason}.")
    except OSError as error:
        return Outcome(Result.LATER, f"No connection: {_said(error)}.")
    with connection:
        return _exchange(connection, place, body, headers, until, now)


def _connect(place: Place, found: Sequence[str], until: float) -> socket.socket:
    """Opens a connection to the first of these addresses that answers; TLS is spoken with the name, not the number."""
    failure: OSError = OSError("it has no address")
    for address in found:
        try:
            plain = socket.create_connection((address, place.port), timeout=_left(until))
        except OSError as error:
            failure = error
            continue
        if place.scheme == "http":
            return plain
        try:
            plain.settimeout(_left(until))
            return _tls().wrap_socket(plain, server_hostname=place.host)
        except OSError:
            plain.close()
            raise
    raise failure


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    if "SSL_CERT_FILE" not in os.environ:
        context.load_verify_locations(certifi.where())  # the machine may have no list of its own
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _exchange(
    connection: socket.socket, place: Place, body: bytes, headers: Mapping[str, str], until: float, now: datetime
) -> Outcome:
    try:
        head = _head(place, body, headers)
        for start in range(0, len(head) + len(body), MOST_READ):
            connection.settimeout(_left(until))
            connection.sendall((head + body)[start : start + MOST_READ])
        # `makefile` is all that a response needs of a socket.
        response = HTTPResponse(cast(Any, _Reading(connection, until)), method="POST")
        response.begin()
        read = response.read(MOST_READ)
    except (OSError, HTTPException) as error:
        # Something was written: whether it was read, nobody knows.
        return Outcome(Result.IN_DOUBT, f"It was sent, and no answer came: {_said(error)}.")
    return _judged(response, read, now)


def _head(place: Place, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = {
        "Host": place.authority,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "User-Agent": "Cairn",
        **headers,
    }
    for name, value in lines.items():
        if not name.isascii() or any(letter in f"{name}{value}" for letter in "\r\n\x00"):
            raise ValueError(f"the header {name!r} cannot be sent")
    text = f"POST {place.target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{text}\r\n".encode("latin-1")


def _judged(response: HTTPResponse, read: bytes, now: datetime) -> Outcome:
    status = response.status
    wait = _retry_after(response.getheader("Retry-After"), now)
    if 200 <= status < 300:
        return Outcome(Result.DONE, f"Answered {status}.", status, read, wait)
    if 300 <= status < 400:
        return Outcome(Result.REFUSED, f"Answered {status}: redirects are not followed.", status, read)
    if status in (408, 425, 429, 503):
        return Outcome(Result.LATER, f"Answered {status}: not now.", status, read, wait)
    if status >= 500:
        return Outcome(Result.IN_DOUBT, f"Answered {status}: something went wrong there.", status, read, wait)
    return Outcome(Result.REFUSED, f"Answered {status}: it is not taken.", status, read)


def _retry_after(value: str | None, now: datetime) -> timedelta | None:
    if not value:
        return None
    if value.strip().isdecimal() and len(value) < 10:
        wait = timedelta(seconds=int(value))
    else:
        try:
            at = parsedate_to_datetime(value)
            wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
        except (ValueError, IndexError, OverflowError, TypeError):
            return None
    return min(max(wait, timedelta()), _LONGEST_WAIT)


class _Reading(io.RawIOBase):
    """What a connection brings, until a moment: a sender that drips byte by byte gains no time."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection, self._until = connection, until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(_left(self._until))
        return self._connection.recv_into(buffer)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("it took too long")
    return left


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, HTTPException):
        return "what was answered is no HTTP"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


# ── Signatures: Standard Webhooks ────────────────────────────────────────────────────────────────────────────────────
def secrets() -> list[str]:
    """The secrets of this installation, the newest last, as receivers are given them: one for each of its link keys.

    A receiver that has any of them can verify what is signed with all, so that keys may be rotated.
    """
    return [secret_of(key) for key in settings.LINK_KEYS.values()]


def secret_of(key: str) -> str:
    """The secret that follows from a key of ours, written as `whsec_…`."""
    return "whsec_" + base64.b64encode(hmac.digest(key.encode(), b"outgoing webhooks", sha256)).decode()


def sign(secrets: Sequence[str], id: str, at: datetime, body: bytes) -> str:
    """The header `webhook-signature`: one signature a secret, of id, moment and body."""
    signed = f"{id}.{int(at.timestamp())}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(_bytes_of(secret), signed, sha256)).decode() for secret in secrets
    )


def sign_headers(secrets: Sequence[str], id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of a signed call. `id` is the same for every try; `at` is real time, as receivers have it."""
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": sign(secrets, id, at, body),
    }


def _bytes_of(secret: str) -> bytes:
    """The key that a secret stands for. Raises `ValueError` where it is none."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("a secret must be whsec_ and base64") from None
