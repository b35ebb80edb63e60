"""The screen on journeys, with the ways to begin from what is there: playbooks, and files brought and taken along."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from foundation.pages import Verb
from journeys.admin import ways
from journeys.models import Journey
from playbooks import gallery

admin.site.unregister(Journey)  # what journeys know of themselves, and what is known of them up here


@admin.register(Journey)
class JourneyAdmin(ways.JourneyAdmin):
    @property
    def empty(self) -> SafeString:  # type: ignore[override]
        """What stands where no journey is yet: the ways to the first."""
        return format_html(
            'Say what starts it, and draw what happens then: <a class="c-link" href="{}">begin with nothing</a>,'
            ' or <a class="c-link" href="{}">start from a playbook</a>. The API makes some, too.',
            reverse("admin:journeys_journey_add"),
            reverse("admin:journeys_journey_playbooks"),
        )

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        own = [
            path("playbooks/", guarded(self._on_site(gallery.gallery)), name="journeys_journey_playbooks"),
            path("playbooks/<slug:slug>/", guarded(self._on_site(gallery.playbook)), name="journeys_journey_playbook"),
            path("file/", guarded(self._on_site(gallery.upload)), name="journeys_journey_upload"),
            path("<int:pk>/file/", guarded(self.download_view), name="journeys_journey_download"),
        ]
        return [*own, *super().get_urls()]

    def _on_site(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        def serve(request: HttpRequest, **named: Any) -> HttpResponse:
            return view(request, self.admin_site, **named)

        return serve

    def download_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return gallery.download(request, get_object_or_404(Journey, pk=pk), self.admin_site)

    def verbs(self, request: HttpRequest, row: Journey) -> Sequence[Verb]:
        along = Verb("file", "Download as file", address=reverse("admin:journeys_journey_download", args=[row.pk]))
        return [*super().verbs(request, row), along]
