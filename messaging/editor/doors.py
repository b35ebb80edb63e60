"""The ways into the editor from the admin: what the page of templates takes part in."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse

from foundation.admin import ReadOnlyAdmin
from foundation.pages import Verb
from messaging.editor.views import edit, versions
from messaging.models import Template


class Edited(ReadOnlyAdmin):
    """An admin of templates whose rows can be written and looked back on."""

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("messaging.add_template")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return edit(request, None, self.admin_site)

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return edit(request, self._row(request, pk), self.admin_site)

    def versions_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return versions(request, self._row(request, pk), self.admin_site)

    def verbs(self, request: HttpRequest, row: Template) -> Sequence[Verb]:
        found = [Verb("versions", "Versions", address=reverse("admin:messaging_template_versions", args=[row.pk]))]
        if request.user.has_perm("messaging.change_template"):
            found.append(Verb("edit", "Edit", address=reverse("admin:messaging_template_edit", args=[row.pk])))
        return found

    def _row(self, request: HttpRequest, pk: int) -> Template:
        found: Template = get_object_or_404(self.get_queryset(request), pk=pk)
        return found

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        own = [
            path("<int:pk>/edit/", guarded(self.edit_view), name="messaging_template_edit"),
            path("<int:pk>/versions/", guarded(self.versions_view), name="messaging_template_versions"),
        ]
        return [*own, *super().get_urls()]
