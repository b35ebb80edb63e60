"""The tracking API: Segment's calls, singly and in batches."""

import base64
import binascii
import logging
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any

from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from foundation import bodies, clock, outages, strict_json
from foundation.errors import Invalid
from foundation.strict_json import Sent
from profiles import calls, ingest
from profiles.identity import Overtaken
from staff import keys
from staff.actors import acting_as
from staff.models import Key

log = logging.getLogger(__name__)

MAX_BODY = 512_000
_MAX_PACKED = 2 * MAX_BODY  # what is packed badly is a little longer than before
_PIECE = 16_384
_KINDS = {Key.Kind.SERVER: ingest.Trust.SERVER, Key.Kind.BROWSER: ingest.Trust.BROWSER}


@dataclass
class _Stop(Exception):
    """The request ends here, with this answer."""

    status: int
    reason: str
    headers: dict[str, str] = field(default_factory=dict)

    def answer(self) -> HttpResponse:
        return JsonResponse({"success": False, "error": self.reason}, status=self.status, headers=self.headers)


@dataclass
class _Caller:
    """Who sends a request, as far as that is known by now."""

    secret: str
    has_header: bool
    key: Key | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> "_Caller":
        header = request.headers.get("Authorization", "")
        scheme, _, credentials = header.partition(" ")
        return cls(_user_of(credentials) if scheme.lower() == "basic" else "", bool(header))

    def read(self, body: dict[str, Any]) -> None:
        """Takes the key that stands in the body, unless the header has one, out of it: a refused call is kept."""
        written = body.pop("writeKey", None)
        if not self.secret and isinstance(written, str):
            self.secret = written

    def known(self, now: datetime) -> Key:
        if self.key is None:
            self.key = keys.authenticate(self.secret, now=now)
        if self.key is None or self.key.kind not in _KINDS:
            raise _Stop(401, _NO_KEY, {"WWW-Authenticate": 'Basic realm="write key"'})
        return self.key

    @property
    def is_a_page(self) -> bool:
        """Whether a page of another site may read the answer, so far as the key tells. An unread body may bear one."""
        if self.key is not None:
            return self.key.kind == Key.Kind.BROWSER
        return keys.looks_like_a_browsers(self.secret) if self.secret else not self.has_header


_NO_KEY = "Send a valid write key, as the user name of HTTP Basic or as writeKey in the body."


def _user_of(credentials: str) -> str:
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return _NOBODY


_NOBODY = "\x00"  # the user of a header that cannot be read, which is nobody's key


def _tracking(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A door of the tracking API: POST alone, a browser's preflight answered, refusals turned into answers."""

    @csrf_exempt
    @wraps(view)
    def door(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers=_PREFLIGHT)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST", "OPTIONS"])
        caller = _Caller.of(request)
        try:
            answer = _answered(lambda: view(request, caller, **kwargs), caller)
        except (OperationalError, InterfaceError, InternalError, Overtaken) as error:
            if not isinstance(error, Overtaken) and not outages.is_one(error):
                raise
            # Clients send it again on a 503. What the error says may hold data of people, so it stays unsaid.
            log.warning("a call could not be stored for now: %s", type(error).__name__)
            answer = _Stop(503, "It could not be stored for now; send it again.", {"Retry-After": "1"}).answer()
        if caller.is_a_page and answer.status_code != 401:
            answer["Access-Control-Allow-Origin"] = "*"
        return answer

    return door


def _answered(work: Callable[[], HttpResponse], caller: _Caller) -> HttpResponse:
    try:
        return work()
    except (_Stop, Invalid) as error:
        stop = error if isinstance(error, _Stop) else _Stop(400, str(error))
    try:
        if caller.secret:
            caller.known(clock.now())  # a wrong key is said before a wrong body
    except _Stop as wrong_key:
        stop = wrong_key
    return stop.answer()


# A preflight bears no key, so it says yes to everybody; only an answer to a browser's key may then be read.
_PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding",
    "Access-Control-Max-Age": "86400",
}


@_tracking
def batch(request: HttpRequest, caller: _Caller) -> HttpResponse:
    """POST /v1/batch, /v1/import or /v1/b: many calls at once."""
    body = strict_json.decode_parts(_unpacked(request), "batch")
    if not isinstance(body, dict):
        raise Invalid.at("", "The body must be a JSON object with the calls in a list under batch.")
    caller.read(body)
    items = body.get("batch")
    if not isinstance(items, list):
        raise Invalid.at("batch", "must be a list of calls.")
    _hand_down(body.get("historical"), items)
    return _take(caller, body, items)


def _hand_down(historical: Any, items: list[Sent]) -> None:
    """Has each call say what the batch says wrongly, to be refused with the reason: a guess could start much."""
    if historical is None or isinstance(historical, bool):
        return
    short = isinstance(historical, str | float) and len(str(historical)) <= 20
    for item in items:
        if isinstance(item.value, dict):
            item.value.setdefault("historical", historical if short else "?")


@_tracking
def single(request: HttpRequest, caller: _Caller, kind: str) -> HttpResponse:
    """POST /v1/identify, /v1/track …, or by their first letters: one call."""
    raw = _unpacked(request)
    body = strict_json.decode(raw)
    if not isinstance(body, dict):
        raise Invalid.at("", "The body must be a JSON object.")
    caller.read(body)
    body["type"] = next(one.value for one in calls.Kind if one.value.startswith(kind))
    return _take(caller, body, [Sent(body, len(raw))])


def _take(caller: _Caller, body: dict[str, Any], items: list[Sent]) -> HttpResponse:
    now = clock.now()
    key = caller.known(now)
    wait = keys.spend(key, len(items), now=now)
    if wait is not None:
        raise _Stop(429, f"Too much at once; go on in {wait} seconds.", {"Retry-After": str(wait)})
    source = f"key:{key.name}"
    with acting_as(source):
        receipt = ingest.take(
            items,
            source=source,
            trust=_KINDS[Key.Kind(key.kind)],
            now=now,
            sent_at=calls.when(body.get("sentAt")),
            historical=body.get("historical") is True,
        )
    answer: dict[str, Any] = {"success": True}
    if receipt.rejected:
        answer["rejected"] = [{"index": place, "reason": reason} for place, reason in receipt.rejected]
    return JsonResponse(answer)


# ── Bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _unpacked(request: HttpRequest) -> bytes:
    """The body as it was before it was packed, never more of it than may come."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    is_packed = encoding in ("gzip", "x-gzip")
    raw = _read(request, _MAX_PACKED if is_packed else MAX_BODY)
    if is_packed:
        return _gunzip(raw)
    if encoding not in ("", "identity"):
        raise Invalid.at("", "Content-Encoding must be gzip, or left out.")
    return raw


def _read(request: HttpRequest, most: int) -> bytes:
    try:
        return bodies.read(request, most)
    except bodies.LengthRequired as error:
        raise _Stop(411, str(error)) from None
    except bodies.TooLarge:
        bodies.drain(request)
        raise _too_large() from None
    except OSError:
        raise Invalid.at("", "The body broke off; send it again.") from None


_ZEROS = re.compile(rb"\x00*")


def _gunzip(packed: bytes) -> bytes:
    # Unpacking stops at the limit, so a small body cannot fill the memory, whatever its ratio. It goes piece by piece,
    # since each of the many members that there may be copies what follows it in its piece.
    out = bytearray()
    at = 0
    while at < len(packed):
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            piece = packed[at : at + _PIECE]
            if not piece:
                raise Invalid.at("", "The body's gzip ends too early.")
            try:
                out += member.decompress(piece, MAX_BODY + 1 - len(out))
            except zlib.error:
                raise Invalid.at("", "The body is not gzip, though Content-Encoding says so.") from None
            if len(out) > MAX_BODY:
                raise _too_large()
            at += len(piece) - len(member.unused_data)
        padding = _ZEROS.match(packed, at)
        at = padding.end() if padding else at
    return bytes(out)


def _too_large() -> _Stop:
    return _Stop(413, f"The unpacked body is larger than {MAX_BODY:,} bytes; send smaller batches.")
