"""Where a tracked link leads: straight on, whoever follows it, and nothing but a hit is written (BT-04)."""

import logging

from django.db import DatabaseError, InterfaceError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from consent import tokens
from consent.public import token_page
from foundation import clock
from messaging import clicks, openings, tracking
from messaging.models import Link

log = logging.getLogger(__name__)


@token_page("GET", "HEAD")
def click(request: HttpRequest, token: str) -> HttpResponse:
    """On to where the author said; a program that checks links gets there like anybody else (BT-03)."""
    named = tokens.read("click", token)
    link = (
        Link.objects.select_related("message").filter(message=named["message"], place=named["place"]).first()
        if named
        else None
    )
    if link is None or not tracking.is_safe(link.destination):
        raise Http404
    try:
        with transaction.atomic():
            agent = request.headers.get("User-Agent", "")
            clicks.record(link, method=request.method or "", agent=agent, now=clock.now())
    except DatabaseError as error:
        # Whoever follows a link wants to get there, also while nothing can be written (TR-04).
        log.error("a hit was not kept (%s)", type(error).__name__)
    # To the letter what was kept: Django's own redirect writes some characters in another way.
    return HttpResponse(status=302, headers={"Location": link.destination})


@csrf_exempt
def opened(request: HttpRequest, token: str) -> HttpResponse:
    """A picture of one clear point, the same for whoever asks for whatever (TR-05)."""
    try:
        if (named := tokens.read("open", token)) and request.method in ("GET", "HEAD"):
            with transaction.atomic():
                agent = request.headers.get("User-Agent", "")
                openings.record(named["message"], method=request.method, agent=agent, now=clock.now())
    except (DatabaseError, InterfaceError) as error:
        log.error("that a picture was fetched was not kept (%s)", type(error).__name__)
    return HttpResponse(
        openings.PICTURE,
        content_type="image/gif",
        headers={
            "Cache-Control": "no-store, private",
            "Referrer-Policy": "no-referrer",
            "X-Robots-Tag": "noindex, nofollow",
            "X-Content-Type-Options": "nosniff",
        },
    )
