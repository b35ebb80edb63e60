"""Where a tracked link leads: straight on, whoever follows it, and nothing but a hit is written (BT-04)."""

import logging

from django.db import DatabaseError, transaction
from django.http import Http404, HttpRequest, HttpResponse

from consent import tokens
from consent.public import token_page
from foundation import clock
from messaging import clicks, tracking
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
