"""The doors that a customer's site uses: an origin that was named, a user that its server signed for, and a pace."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from foundation import bodies, clock
from messaging import wiring
from messaging.inapp import identity, inbox
from profiles.models import Identifier, Profile
from staff.actors import acting_as

_LARGEST = 20_000


@dataclass(frozen=True)
class Visitor:
    """Who asks, and when. `profile` is None of somebody of whom nothing is known yet."""

    user: str
    profile: Profile | None
    body: dict[str, Any]
    now: datetime


class Stop(Exception):
    """The request ends here, with this answer."""

    def __init__(self, status: int, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers

    def answer(self) -> HttpResponse:
        named = {name.replace("_", "-"): value for name, value in self.headers.items()}
        return JsonResponse({"error": self.reason}, status=self.status, headers=named)


Door = Callable[..., HttpResponse]


def door(*methods: str) -> Callable[[Door], Door]:
    """Opens to signed visitors from sites that were named. No cookie counts here, so there is none to forge by."""

    def decorate(view: Door) -> Door:
        @csrf_exempt
        @wraps(view)
        def serve(request: HttpRequest, **address: Any) -> HttpResponse:
            try:
                origin = _origin(request)
            except Stop as stop:
                return stop.answer()
            except (OperationalError, InterfaceError):
                return _AWAY.answer()
            response = _preflight(methods) if request.method == "OPTIONS" else _answer(view, request, methods, address)
            response["Cache-Control"] = "no-store"
            response["Vary"] = "Origin"
            if origin:
                response["Access-Control-Allow-Origin"] = origin
            return response

        return serve

    return decorate


_AWAY = Stop(503, "It cannot be answered for now; ask again.", Retry_After="5")


def _answer(view: Door, request: HttpRequest, methods: tuple[str, ...], address: dict[str, Any]) -> HttpResponse:
    try:
        if request.method not in methods:
            raise Stop(405, f"Use {' or '.join(methods)}.", Allow=", ".join(methods))
        with acting_as("customer"):
            return view(request, _visitor(request), **address)
    except Stop as stop:
        return stop.answer()
    except (OperationalError, InterfaceError):
        return _AWAY.answer()


def _origin(request: HttpRequest) -> str:
    """The site whose page asks; "" where no page does. Raises `Stop` for a site that nobody named."""
    origin = request.headers.get("Origin", "")
    named = wiring.wired(identity.CHANNEL).values["origins"].split()
    if origin and origin.lower() not in {one.lower().rstrip("/") for one in named}:
        raise Stop(403, f"The site {origin[:200]} may not ask for an inbox; it has to be named on the page Channels.")
    return origin


def _preflight(methods: tuple[str, ...]) -> HttpResponse:
    headers = {
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Max-Age": "600",
    }
    return HttpResponse(status=204, headers=headers)


def _visitor(request: HttpRequest) -> Visitor:
    now = clock.now()
    body = _body(request)
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    # A page that is being left cannot ask first whether it may send a header: then the token stands in the body.
    token = given.strip() if scheme.lower() == "bearer" else body.pop("identity", "")
    user = identity.read(token, now=now) if isinstance(token, str) else None
    if user is None:
        raise Stop(401, "Nobody of yours signed for this user, or the signature is over.", WWW_Authenticate="Bearer")
    known = Identifier.objects.select_related("profile").filter(kind=Identifier.Kind.USER, value=user).first()
    profile = known.profile if known else None
    if profile is not None and not inbox.spend(profile, now=now):
        raise Stop(429, "That is too often; ask again in a minute.", Retry_After="60")
    return Visitor(user, profile, body, now)


def _body(request: HttpRequest) -> dict[str, Any]:
    if request.method not in ("POST", "DELETE"):
        return {}
    try:
        raw = bodies.read(request, _LARGEST)
        body = json.loads(raw) if raw else {}
    except bodies.TooLarge:
        raise Stop(413, f"The body is larger than {_LARGEST:,} bytes.") from None
    except bodies.LengthRequired as error:
        raise Stop(411, str(error)) from None
    except (ValueError, RecursionError, OSError):
        raise Stop(400, "The body must be JSON.") from None
    if not isinstance(body, dict):
        raise Stop(400, "The body must be a JSON object.")
    return body
