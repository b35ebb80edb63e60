"""What all pages that a token opens have in common: their headers, one 404, and 503 while the database is away."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.csrf import csrf_exempt

from foundation import outages
from foundation.errors import Refused
from staff import actors

View = Callable[..., HttpResponse]
log = logging.getLogger(__name__)

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store, private",
    "Content-Security-Policy": POLICY,
    # The token is in the address: no page that they go to next, and no search engine, gets to know it.
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
}


def framed_by(origins: Sequence[str]) -> str:
    """The policy of a page that these may show in a frame; nobody, if there are none."""
    return POLICY.replace("frame-ancestors 'none'", f"frame-ancestors {' '.join(origins)}") if origins else POLICY


def page(template: str, context: Mapping[str, Any] | None = None, **options: Any) -> HttpResponse:
    """The page, rendered without the request: nothing in it can depend on a session or on who is signed in."""
    return HttpResponse(render_to_string(template, dict(context or {})), **options)


def token_page(*methods: str) -> Callable[[View], View]:
    """Serves a page to whoever has its token. It reads no session and sets no cookie, so there is none to forge by:
    the token itself is the secret that a forged form would lack, which is why CSRF does not apply here.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def serve(request: HttpRequest, **address: str) -> HttpResponse:
            response = _answer(view, request, address) if request.method in methods else _not_allowed(request, methods)
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
            # Django's own line about an error has the path in it, and so the token.
            response._has_been_logged = True  # type: ignore[attr-defined]
            return response

        return serve

    return decorate


def _answer(view: View, request: HttpRequest, address: Mapping[str, str]) -> HttpResponse:
    try:
        with actors.acting_as("customer"):
            return view(request, **address)
    except Http404:
        return page("consent/not_found.html", status=404)
    except Refused as refusal:
        return page("consent/refused.html", {"refusal": refusal}, status=400)
    except Exception as error:
        if outages.is_one(error):
            log.error("a customer's page was not served, for the database did not answer (%s)", type(error).__name__)
            return page("consent/unavailable.html", status=503, headers={"Retry-After": "60"})
        log.exception("a customer's page failed")
        return page("consent/failed.html", status=500)


def _not_allowed(request: HttpRequest, methods: tuple[str, ...]) -> HttpResponse:
    allowed = ", ".join(methods)
    if request.method == "OPTIONS":
        return HttpResponse(status=204, headers={"Allow": allowed})
    return HttpResponse(status=405, headers={"Allow": allowed})
