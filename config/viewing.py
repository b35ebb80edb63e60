"""How a member of staff reads times: in their own zone, and all of a page from one moment."""

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from foundation import clock, wording


class ViewingMiddleware:
    """Lets pages under /admin/ tell times from the moment of the request, in the zone of who reads them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/admin/") or not request.user.is_authenticated:
            return self.get_response(request)
        with timezone.override(_zone(request.user.time_zone)), wording.read_at(clock.now()):
            return self.get_response(request)


def _zone(name: str) -> ZoneInfo:
    """The zone that the user chose; the project's where there is none of that name."""
    try:
        return ZoneInfo(name or settings.PROJECT_TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(settings.PROJECT_TIME_ZONE)
