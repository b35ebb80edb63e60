"""The inbox API and the files for a customer's site: its script, and the worker that shows notifications."""

from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse
from django.views.decorators.http import require_safe

from consent import preferences
from consent.visits import language_of
from foundation.errors import Invalid
from foundation.inbound import storable
from messaging import brands, push
from messaging.inapp import inbox, words
from messaging.inapp.doors import Stop, Visitor, door
from messaging.mjml import contrast
from profiles.models import Profile

_LEGIBLE = 4.5


@door("GET")
def messages(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """What lies in the inbox, the newest first, and what a page needs to show it."""
    profile = visitor.profile
    limit = _limit(request)
    language, spoken = words.of(_language(profile))
    return JsonResponse(
        {
            "unread": inbox.unread(profile, now=visitor.now) if profile else 0,
            "messages": inbox.shown(profile, now=visitor.now, limit=limit) if profile else [],
            "brand": _brand(),
            "language": language,
            "words": spoken,
        }
    )


@door("GET")
def unread(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """How many are not read yet."""
    return JsonResponse({"unread": inbox.unread(visitor.profile, now=visitor.now) if visitor.profile else 0})


@door("POST")
def act(request: HttpRequest, visitor: Visitor, message: UUID, what: str) -> HttpResponse:
    """Somebody saw, read, clicked or dismissed a message; to say so again changes nothing."""
    link = visitor.body.get("link", "")
    if not isinstance(link, str) or "\0" in link or len(link) > 4_000:
        raise Stop(400, "`link` must be the address that was followed.")
    if visitor.profile is None or not inbox.act(visitor.profile, message, what, now=visitor.now, link=storable(link)):
        raise Stop(404, "There is no such message in this inbox.")
    return _left(visitor.profile, visitor.now)


@door("POST")
def read_all(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Everything in the inbox is read."""
    if visitor.profile:
        inbox.read_all(visitor.profile, now=visitor.now)
    return _left(visitor.profile, visitor.now)


@door("GET", "POST", "DELETE")
def subscription(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """The key that a browser subscribes with; a browser that may be notified; one that may be no longer."""
    if request.method == "GET":
        return JsonResponse({"key": push.public_key()})
    if request.method == "DELETE":
        push.forget(visitor.body.get("endpoint"))
        return HttpResponse(status=204)
    if visitor.profile is None:
        raise Stop(404, "Nothing is known of this user yet.")
    agent = request.headers.get("User-Agent", "")
    try:
        push.register(visitor.profile, visitor.user, visitor.body, agent=agent, now=visitor.now)
    except Invalid as invalid:
        raise Stop(400, str(invalid)) from None
    return HttpResponse(status=204)


def _left(profile: Profile | None, now: datetime) -> HttpResponse:
    return JsonResponse({"unread": inbox.unread(profile, now=now) if profile else 0})


def _limit(request: HttpRequest) -> int:
    given = request.GET.get("limit", "")
    if not given:
        return 20
    if not given.isascii() or not given.isdecimal() or len(given) > 4 or not 1 <= int(given) <= inbox.MOST:
        raise Stop(400, f"`limit` is a whole number from 1 to {inbox.MOST}.")
    return int(given)


def _language(profile: Profile | None) -> str | None:
    return language_of(profile, preferences.of([profile.id])[profile.id]) if profile else None


def _brand() -> dict[str, Any]:
    """Its name and colour, and in which colour words are legible on it."""
    brand = brands.current()
    return {
        "name": brand.name,
        "colour": brand.colour,
        "ink": "#ffffff" if contrast("#ffffff", brand.colour) >= _LEGIBLE else "#111827",
    }


# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@require_safe
def script(request: HttpRequest) -> HttpResponse:
    """What a site includes, under an address that stays."""
    return _file(request, "in_app/cairn.js")


@require_safe
def style(request: HttpRequest) -> HttpResponse:
    """What the script puts into its own tree."""
    return _file(request, "in_app/cairn.css", "text/css")


@require_safe
def worker(request: HttpRequest) -> HttpResponse:
    """What a site's own service worker imports, to show notifications."""
    return _file(request, "in_app/push-worker.js")


def _file(request: HttpRequest, name: str, kind: str = "text/javascript") -> HttpResponse:
    found = finders.find(name)
    path = Path(str(found)) if found else settings.STATIC_ROOT / name
    content = path.read_bytes()
    tag = f'"{sha256(content).hexdigest()[:20]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "public, max-age=3600",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("If-None-Match") == tag:
        return HttpResponseNotModified(headers=headers)
    return HttpResponse(content, content_type=f"{kind}; charset=utf-8", headers=headers)
