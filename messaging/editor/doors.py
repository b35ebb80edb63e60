"""The ways into the editor from the admin: what the pages of templates and of snippets take part in."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse

from foundation.admin import ReadOnlyAdmin
from foundation.pages import Verb
from messaging.editor import inside
from messaging.editor.desk import Row
from messaging.editor.rooms import TEMPLATES, Room
from messaging.editor.views import edit, versions


class Edited(ReadOnlyAdmin):
    """An admin whose rows can be written and looked back on."""

    room: Room = TEMPLATES

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return self.room.may(request.user, "add")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        like = request.GET.get("like", "")
        source = self.get_queryset(request).filter(slug=like[:100]).first() if like and "\0" not in like else None
        return inside.served(request, edit(request, None, self.admin_site, self.room, source))

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return inside.served(request, edit(request, self._row(request, pk), self.admin_site, self.room))

    def versions_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return versions(request, self._row(request, pk), self.admin_site, self.room)

    def verbs(self, request: HttpRequest, row: Any) -> Sequence[Verb]:
        found = [Verb("versions", "Versions", address=reverse(f"admin:{self._name}_versions", args=[row.pk]))]
        if self.room.may(request.user, "change"):
            found.append(Verb("edit", "Edit", address=reverse(f"admin:{self._name}_edit", args=[row.pk])))
        return found

    @property
    def _name(self) -> str:
        return f"messaging_{self.room.what}"

    def _row(self, request: HttpRequest, pk: int) -> Row:
        found: Row = get_object_or_404(self.get_queryset(request), pk=pk)
        return found

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        own = [
            path("<int:pk>/edit/", guarded(self.edit_view), name=f"{self._name}_edit"),
            path("<int:pk>/versions/", guarded(self.versions_view), name=f"{self._name}_versions"),
        ]
        return [*own, *super().get_urls()]
