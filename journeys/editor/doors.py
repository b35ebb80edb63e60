"""The ways into the editor from the admin: what the page of journeys takes part in."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path

from foundation.admin import ReadOnlyAdmin
from journeys.editor import choosing, launching, looking_back, proving, saying, steering, views
from journeys.models import Journey

_PAGES: dict[str, tuple[str, Callable[..., HttpResponse]]] = {
    "edit": ("edit/", views.page),
    "act": ("edit/act/", views.act),
    "palette": ("edit/palette/", views.palette),
    "pulse": ("edit/pulse/", views.pulse),
    "rename": ("edit/rename/", views.renamed),
    "saying": ("edit/saying/", saying.beside),
    "templates": ("edit/templates/", choosing.templates),
    "versions": ("versions/", looking_back.versions),
    "check": ("check/", launching.check),
    "backtest": ("check/backtest/", launching.backtest),
    "drive": ("drive/", steering.drive),
    "tests": ("tests/", proving.tests),
    "panel": ("edit/panel/<path:name>/", views.panel),
}


class Drawn(ReadOnlyAdmin):
    """An admin of journeys whose rows can be drawn."""

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("journeys.add_journey")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return views.begin(request, self.admin_site)

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"<int:pk>/{route}", self.admin_site.admin_view(self._serving(view)), name=f"journeys_journey_{name}")
            for name, (route, view) in _PAGES.items()
        ]
        return [*own, *super().get_urls()]

    def _serving(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        def serve(request: HttpRequest, pk: int, **named: Any) -> HttpResponse:
            journey = get_object_or_404(Journey.objects.select_related("version"), pk=pk)
            return view(request, journey, self.admin_site, **named)

        return serve
