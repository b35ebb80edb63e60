"""Two names for two kinds of visitors: staff and programs of ours come by one, customers by the other (TR-06).

Whatever customers can be made to open then shares no cookie and no script's reach with where staff are signed in.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class HostsMiddleware:
    """Where `ADMIN_URL` is set, every other name leads to customers' pages alone: the rest is not there."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.ADMIN_URL and not _is_at(request, settings.ADMIN_URL):
            request.urlconf = "config.public_urls"
        return self.get_response(request)


def _is_at(request: HttpRequest, origin: str) -> bool:
    """Whether the request came by the name of this origin; a port that goes without saying may be said."""
    parts, said = urlsplit(origin), urlsplit(f"//{request.get_host()}")
    usual = 443 if parts.scheme == "https" else 80
    return (said.hostname, said.port or usual) == (parts.hostname, parts.port or usual)
