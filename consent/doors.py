"""Where providers hand in what people write back: mails and text messages. Behind a secret: they prove who wrote."""

import hmac
import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from email.parser import BytesHeaderParser
from functools import wraps
from typing import Any
from xml.sax.saxutils import escape

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError, transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from consent import replies
from foundation import bodies, clock, inbound
from foundation.errors import Invalid
from staff import actors

Door = Callable[[HttpRequest], HttpResponse]
# By what names providers call what they hand in.
_RAW = ("email", "body-mime", "RawEmail", "raw", "message")
_RECIPIENT = ("recipient", "OriginalRecipient", "to")
_NUMBER, _TEXT = ("From", "from", "msisdn", "sender"), ("Body", "text", "body", "message")
_ID = ("MessageSid", "messageId", "id")
# A form or JSON makes a mail longer than it is; a text message is short.
_MOST_OF_MAIL, _MOST_OF_TEXT = 2 * inbound.MOST_BYTES, 100_000
_MOST_FIELDS = 1_000


def door(serve: Door) -> Door:
    """Opens to a POST with one of `INBOUND_SECRETS`: as a bearer token, or as the password of the address it calls."""

    @csrf_exempt  # a program calls, and no browser: there is no session to ride on
    @wraps(serve)
    def opened(request: HttpRequest) -> HttpResponse:
        if not settings.INBOUND_SECRETS:
            raise Http404
        if not _may(request.headers.get("Authorization", "")):
            return HttpResponse("Say one of INBOUND_SECRETS.\n", status=401, headers={"WWW-Authenticate": "Basic"})
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        try:
            with actors.acting_as("system"):
                return serve(request)
        except Invalid as refusal:
            return JsonResponse({"error": str(refusal)}, status=400)
        except bodies.LengthRequired as refusal:
            return JsonResponse({"error": str(refusal)}, status=411)
        except bodies.TooLarge:
            bodies.drain(request)
            return JsonResponse({"error": "This is larger than anything that is taken here."}, status=413)
        except (OperationalError, InterfaceError):
            return HttpResponse("Try again later.\n", status=503, headers={"Retry-After": "60"})

    return opened


@door
def mail(request: HttpRequest) -> HttpResponse:
    """A mail as it came: as the body of the request, or in one of the fields by which providers call it."""
    _read(request, _MOST_OF_MAIL)
    raw, recipient = _mail(request)
    if not raw:
        raise Invalid.at("", f"Send the mail as it came: as message/rfc822, or in a field called {' or '.join(_RAW)}.")
    received = inbound.parse(raw, to=recipient)
    with transaction.atomic():
        done = inbound.receive(received, now=clock.now())
    return JsonResponse({"done": done})


@door
def sms(request: HttpRequest) -> HttpResponse:
    """A text message. The answer holds what is to be sent back; as TwiML with `?answer=twiml`, else as JSON."""
    _read(request, _MOST_OF_TEXT)
    fields = _fields(request)
    number, text = _first(fields, _NUMBER), _first(fields, _TEXT)
    if not number:
        raise Invalid.at(_NUMBER[0], "Say the number that the message came from.")
    reaction = replies.sms(number, text, id=_first(fields, _ID), now=clock.now())
    if request.GET.get("answer") == "twiml":
        said = f"<Message>{escape(reaction.answer)}</Message>" if reaction.answer else ""
        return HttpResponse(f"<Response>{said}</Response>", content_type="text/xml; charset=utf-8")
    return JsonResponse({"done": reaction.verdict, "answer": reaction.answer})


def _may(said: str) -> bool:
    scheme, _, value = said.partition(" ")
    secret = value.strip()
    if scheme.lower() == "basic":
        try:
            secret = b64decode(secret, validate=True).decode().partition(":")[2]
        except ValueError:
            return False
    elif scheme.lower() != "bearer":
        return False
    known = [hmac.compare_digest(secret.encode(), each.encode()) for each in settings.INBOUND_SECRETS]
    return any(known)


def _mail(request: HttpRequest) -> tuple[bytes, str]:
    kind = request.content_type or ""
    if kind.startswith(("multipart/form-data", "application/x-www-form-urlencoded", "application/json")):
        try:
            fields = _fields(request)
        except RequestDataTooBig:
            return _mail_in_a_large_form(request)
        uploads = [file for name in _RAW for file in request.FILES.getlist(name)]
        raw = uploads[0].read() if uploads else _first(fields, _RAW).encode("utf-8", "surrogatepass")
        return raw, _first(fields, _RECIPIENT)
    return request.body, request.GET.get("recipient", "")


def _read(request: HttpRequest, most: int) -> None:
    """Reads the body, so that all else finds it there, whatever Django takes for too much elsewhere."""
    try:
        bodies.read(request, most)
    except OSError:
        raise Invalid.at("", "The body broke off; send it again.") from None


def _mail_in_a_large_form(request: HttpRequest) -> tuple[bytes, str]:
    """The same of a form in parts with more text in it than Django reads."""
    parts: dict[str, bytes] = {}
    for name, value in _parts(request):
        parts.setdefault(name, value)
    raw = next((parts[name] for name in _RAW if parts.get(name)), b"")
    recipient = next((parts[name] for name in _RECIPIENT if parts.get(name)), b"")
    return raw, recipient[:1_000].decode("utf-8", "replace")


def _parts(request: HttpRequest) -> Iterator[tuple[str, bytes]]:
    boundary = (request.content_params or {}).get("boundary", "").encode("utf-8", "replace")
    pieces = (b"\r\n" + request.body).split(b"\r\n--" + boundary, _MOST_FIELDS)[1:]
    for piece in pieces:
        head, _, value = piece.partition(b"\r\n\r\n")
        if not head.startswith(b"\r\n"):  # the end of all
            return
        name = BytesHeaderParser().parsebytes(head[2:1_000]).get_param("name", header="content-disposition")
        if isinstance(name, str):
            yield name, value


def _fields(request: HttpRequest) -> Mapping[str, Any]:
    if request.content_type != "application/json":
        return request.POST
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Invalid.at("", "The body must be a JSON object.")
    return found


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    found = next((fields[name] for name in names if fields.get(name)), "")
    return inbound.storable(found) if isinstance(found, str) else str(found) if isinstance(found, int) else ""
