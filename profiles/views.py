"""The tracking API: Segment's calls, singly and in batches."""

import base64
import binascii
import logging
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from foundation import clock, strict_json
from foundation.errors import Invalid
from foundation.strict_json import Sent
from profiles import calls, ingest
from profiles.identity import Overtaken
from staff import keys
from staff.actors import acting_as
from staff.models import Key

log = logging.getLogger(__name__)

MAX_BODY = 512_000
_KINDS = {Key.Kind.SERVER: ingest.Trust.SERVER, Key.Kind.BROWSER: ingest.Trust.BROWSER}


@dataclass
class _Stop(Exception):
    """The request ends here, with this answer."""

    status: int
    reason: str
    headers: dict[str, str]

    def answer(self) -> HttpResponse:
        return JsonResponse({"success": False, "error": self.reason}, status=self.status, headers=self.headers)


def _tracking(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A door of the tracking API: POST alone, a browser's preflight answered, refusals turned into answers."""

    @csrf_exempt
    @wraps(view)
    def door(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers=_PREFLIGHT)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST", "OPTIONS"])
        try:
            return view(request, **kwargs)
        except _Stop as stop:
            return stop.answer()
        except Invalid as error:
            return _Stop(400, str(error), {}).answer()
        except (OperationalError, InterfaceError, Overtaken) as error:
            # Clients send it again on a 503. What the error says may hold data of people, so it stays unsaid.
            log.warning("a call could not be stored for now: %s", type(error).__name__)
            return _Stop(503, "It could not be stored for now; send it again.", {"Retry-After": "1"}).answer()

    return door


# A preflight bears no key, so it says yes to everybody; only an answer to a browser's key may then be read.
_PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding",
    "Access-Control-Max-Age": "86400",
}


@_tracking
def batch(request: HttpRequest) -> HttpResponse:
    """POST /v1/batch, /v1/import or /v1/b: many calls at once."""
    body = strict_json.decode_parts(_unpacked(request), "batch")
    if not isinstance(body, dict):
        raise Invalid.at("", "The body must be a JSON object with the calls in a list under batch.")
    items = body.get("batch")
    if not isinstance(items, list):
        raise Invalid.at("batch", "must be a list of calls.")
    return _take(request, body, items)


@_tracking
def single(request: HttpRequest, kind: str) -> HttpResponse:
    """POST /v1/identify, /v1/track …, or by their first letters: one call."""
    raw = _unpacked(request)
    body = strict_json.decode(raw)
    if not isinstance(body, dict):
        raise Invalid.at("", "The body must be a JSON object.")
    body["type"] = next(one.value for one in calls.Kind if one.value.startswith(kind))
    return _take(request, body, [Sent(body, len(raw))])


def _take(request: HttpRequest, body: dict[str, Any], items: list[Any]) -> HttpResponse:
    now = clock.now()
    key = keys.authenticate(_write_key(request, body), now=now)
    if key is None or key.kind not in _KINDS:
        raise _Stop(401, _NO_KEY, {"WWW-Authenticate": 'Basic realm="write key"'})
    wait = keys.spend(key, len(items), now=now)
    if wait is not None:
        raise _Stop(429, f"Too much at once; go on in {wait} seconds.", {"Retry-After": str(wait), **_cors(key)})
    source = f"key:{key.name}"
    with acting_as(source):
        receipt = ingest.take(
            items,
            source=source,
            trust=_KINDS[Key.Kind(key.kind)],
            now=now,
            sent_at=calls.when(body.get("sentAt")),
            historical=body.get("historical") not in (None, False),
        )
    answer: dict[str, Any] = {"success": True}
    if receipt.rejected:
        answer["rejected"] = [{"index": place, "reason": reason} for place, reason in receipt.rejected]
    return JsonResponse(answer, headers=_cors(key))


_NO_KEY = "Send a valid write key, as the user name of HTTP Basic or as writeKey in the body."


def _cors(key: Key) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": "*"} if key.kind == Key.Kind.BROWSER else {}


def _write_key(request: HttpRequest, body: dict[str, Any]) -> str:
    written = body.pop("writeKey", None)  # taken out, since a refused call is kept
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return written if isinstance(written, str) else ""


def _unpacked(request: HttpRequest) -> bytes:
    """The body as it was before it was packed, never more of it than may come."""
    raw = _read(request)
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("gzip", "x-gzip"):
        return _gunzip(raw)
    if encoding not in ("", "identity"):
        raise Invalid.at("", "Content-Encoding must be gzip, or left out.")
    return raw


def _read(request: HttpRequest) -> bytes:
    try:
        raw = request.read(MAX_BODY + 1)
    except (RequestDataTooBig, OSError):
        raise _too_large() from None
    if len(raw) > MAX_BODY:
        raise _too_large()
    return raw


def _gunzip(packed: bytes) -> bytes:
    # Unpacking stops at the limit, so a small body cannot fill the memory, whatever its ratio.
    out = b""
    while packed:
        member = zlib.decompressobj(wbits=31)
        try:
            out += member.decompress(packed, MAX_BODY + 1 - len(out))
        except zlib.error:
            raise Invalid.at("", "The body is not gzip, though Content-Encoding says so.") from None
        if len(out) > MAX_BODY:
            raise _too_large()
        if not member.eof:
            raise Invalid.at("", "The body's gzip ends too early.")
        packed = member.unused_data
    return out


def _too_large() -> _Stop:
    return _Stop(413, f"The unpacked body is larger than {MAX_BODY:,} bytes; send smaller batches.", {})
