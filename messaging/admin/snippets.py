"""What several templates say alike, with what includes it."""

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from foundation import wording
from foundation.admin import page_of
from foundation.pages import Facts, Head, Part, Table, Verb
from messaging.editor.doors import Edited
from messaging.editor.history import author, changed
from messaging.editor.rooms import SNIPPETS
from messaging.snippets import saving
from messaging.snippets.models import Snippet


@admin.register(Snippet)
class SnippetAdmin(Edited):
    room = SNIPPETS
    empty = (
        "Snippets are written here, or come with a playbook: what several templates say alike. Templates include them."
    )
    list_display = ("name_", "used", "version_", "since")
    list_filter = ("archived",)
    search_fields = ("name__istartswith", "slug__istartswith")
    search_help_text = "The beginning of a name"
    ordering = ("archived", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Snippet]:
        return super().get_queryset(request).select_related("version")

    @display(description="Snippet", ordering="name")
    def name_(self, row: Snippet) -> SafeString:
        return wording.wide(row.name)

    @display(description="Used by")
    def used(self, row: Snippet) -> str:
        many = saving.templates_with(row.slug)[:1000].count()
        return wording.plural(many, "template") if many else ""

    @display(description="Version")
    def version_(self, row: Snippet) -> SafeString | str:
        if row.archived:
            return wording.badge("Out of use")
        return str(row.version.number) if row.version else ""

    @display(description="Changed", ordering="version__created_at")
    def since(self, row: Snippet) -> SafeString:
        return wording.moment(row.version.created_at if row.version else None)

    def head(self, request: HttpRequest, row: Snippet) -> Head:
        badges = [wording.badge("Out of use")] if row.archived else []
        lead = "What several templates say alike. When it changes, each of them gets a new version."
        return Head(row.name, lead, badges, since=row.version.created_at if row.version else None)

    def parts(self, request: HttpRequest, row: Snippet) -> Sequence[Part]:
        version = row.version
        blocks = changed([], version.blocks) if version else []
        return [
            Table(
                title="What it says",
                headers=["Block", "Words"],
                rows=[(one.label, "".join(bit.text for bit in one.bits)) for one in blocks],
                empty="It says nothing yet.",
            ),
            Table(
                title="Used by",
                headers=["What"],
                rows=[
                    *((wording.link(one.name, page_of(one)),) for one in saving.templates_with(row.slug)[:100]),
                    *(
                        (wording.link(f"{one.name} (a snippet)", page_of(one)),)
                        for one in saving.snippets_with(row.slug)
                    ),
                ],
                empty="Nothing includes it yet.",
            ),
            Facts(
                title="The snippet",
                aside=True,
                rows=[
                    ("Version", version.number if version else ""),
                    ("Written by", author(version) if version else ""),
                    ("Because", version.reason if version else ""),
                    ("Short name", row.slug),
                ],
            ),
        ]

    def verbs(self, request: HttpRequest, row: Snippet) -> Sequence[Verb]:
        found = list(super().verbs(request, row))
        if self.room.may(request.user, "delete") and not row.archived:
            question = f"Take “{row.name}” out of use? It can be had back by saving it again."
            found.append(Verb("archive", "Take out of use", question=question, danger=True))
        return found

    def act(self, request: HttpRequest, row: Snippet, verb: str) -> str:
        saving.archive(row.slug, now=wording.now())
        return f"“{row.name}” is out of use."
