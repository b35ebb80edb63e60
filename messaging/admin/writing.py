"""What can be said, version by version as people would read it; and the brand."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from foundation import registry, wording
from foundation.admin import list_of, page_of
from foundation.errors import Invalid
from foundation.pages import Facts, Head, Mail, Part, Table
from messaging import brands, preview
from messaging.delivery import label
from messaging.editor.doors import Edited
from messaging.models import Brand, Message, Template, TemplateVersion


@admin.register(Template)
class TemplateAdmin(Edited):
    empty = "Templates are written here, come with a playbook, or over the API. Journeys send them."
    list_display = ("name_", "subject_", "by", "topic_", "version_", "since")
    list_filter = (("topic", RelatedDropdownFilter), "archived")
    search_fields = ("name__istartswith", "slug__istartswith")
    search_help_text = "The beginning of a name"
    ordering = ("archived", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Template]:
        return super().get_queryset(request).filter(one_off=False).select_related("topic", "version")

    @display(description="Template", ordering="name")
    def name_(self, template: Template) -> SafeString:
        return wording.wide(template.name)

    @display(description="Subject")
    def subject_(self, template: Template) -> SafeString | str:
        return wording.wide(template.version.subject) if template.version else ""

    @display(description="By")
    def by(self, template: Template) -> str:
        return label(template.channel)

    @display(description="Topic")
    def topic_(self, template: Template) -> str:
        return template.topic.name

    @display(description="Version")
    def version_(self, template: Template) -> SafeString | int:
        if template.archived:
            return wording.badge("Out of use")
        return template.version.number if template.version else ""  # type: ignore[return-value]

    @display(description="Changed", ordering="version__created_at")
    def since(self, template: Template) -> SafeString:
        return wording.moment(template.version.created_at if template.version else None)

    def head(self, request: HttpRequest, row: Template) -> Head:
        version = _asked(request, row)
        lead = f"Said by {label(row.channel)}, about {row.topic.name}."
        if version and row.version and version.number != row.version.number:
            lead = f"This is version {version.number} of {row.version.number}, as it was."
        badges = [wording.badge("Out of use")] if row.archived else []
        return Head(row.name, lead, badges, since=version.created_at if version else None)

    def parts(self, request: HttpRequest, row: Template) -> Sequence[Part]:
        version = _asked(request, row)
        return [
            *([_shown(row, version)] if version else []),
            _versions(row, version),
            _used(request, row),
            Facts(
                title="The template",
                aside=True,
                rows=[
                    ("Topic", row.topic.name),
                    ("By", label(row.channel)),
                    ("Version", version.number if version else ""),
                    ("Written by", _author(version) if version else ""),
                    ("Because", version.reason if version else ""),
                    ("Short name", row.slug),
                ],
            ),
        ]


def _asked(request: HttpRequest, row: Template) -> TemplateVersion | None:
    """The version that the address asks for, else the one in use."""
    number = request.GET.get("version", "")
    found = row.versions.filter(number=int(number)).first() if number.isdecimal() and len(number) < 9 else None
    return found or row.version


def _shown(row: Template, version: TemplateVersion) -> Part:
    sample = preview.of(row, version)
    return Mail(
        title="How it reads",
        note="What is filled in for each person stands in [brackets]; the links lead nowhere.",
        subject=sample.subject,
        html=sample.html,
        text=sample.text,
    )


def _versions(row: Template, shown: TemplateVersion | None) -> Part:
    versions = row.versions.order_by("-number")[:25]
    return Table(
        title="Versions",
        note="None of them can ever be changed.",
        headers=["Version", "Subject", "Written by", "Because", "When"],
        rows=[
            (
                wording.link(f"Version {one.number}", f"{page_of(row)}?version={one.number}")
                if shown is None or one.pk != shown.pk
                else f"Version {one.number}, shown here",
                wording.wide(one.subject),
                _author(one),
                one.reason,
                wording.moment(one.created_at),
            )
            for one in versions
        ],
        empty="It says nothing yet.",
    )


def _author(version: TemplateVersion) -> str:
    kind, _, name = version.author.partition(":")
    return name if kind == "user" else f"The key {name}" if kind == "key" else "Cairn"


def _used(request: HttpRequest, row: Template) -> Part:
    users = [sentence for answer in registry.references.ask("template", row.slug) for sentence in answer]
    sent = Message.objects.filter(template=row)[:1000].count() if request.user.has_perm("messaging.view_message") else 0
    rows: list[tuple[str, object]] = [("In use", " ".join(users))]
    if sent:
        many = "over 1,000 messages" if sent == 1000 else wording.plural(sent, "message")
        rows.append(("Sent or held back", wording.link(many, list_of(Message, template__id__exact=row.pk))))
    return Facts(title="Where it is used", rows=rows, empty="Nothing uses it yet.")


class BrandForm(forms.ModelForm):
    """Asks for the brand; `brands.save` judges it."""

    class Meta:
        model = Brand
        fields = brands.FIELDS
        labels = {
            "logo_url": "Logo",
            "colour": "Colour",
            "voice": "Voice",
            "sender_name": "Sender's name",
            "sender_address": "Sender's address",
            "postal_address": "Postal address",
        }
        help_texts = {
            "name": "As people know you.",
            "logo_url": "The address of a picture, beginning with https://. Without one, the name stands there.",
            "colour": "Of buttons and accents, such as #0f766e.",
            "voice": "How you sound: notes for those who write.",
            "sender_name": "Who mails come from; empty: the name above.",
            "sender_address": "Where mails come from; your mail provider must know it.",
            "postal_address": "In the foot of every mail. The law of most places asks for it.",
        }
        widgets = {
            "logo_url": UnfoldAdminTextInputWidget,
            "sender_address": UnfoldAdminTextInputWidget,
            "voice": UnfoldAdminTextareaWidget,
            "postal_address": UnfoldAdminTextareaWidget,
        }
        field_classes = {"logo_url": forms.CharField, "sender_address": forms.CharField}

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        try:
            brands.check(given)
        except Invalid as refusal:
            for problem in refusal.problems:
                self.add_error(problem.path, f"This {problem.reason}.")
        return given


@admin.register(Brand)
class BrandAdmin(ModelAdmin):
    """One row, and its form is its page."""

    form = BrandForm
    compressed_fields = True
    warn_unsaved_form = True
    fieldsets = (
        ("How you look", {"fields": ("name", "logo_url", "colour", "voice")}),
        ("Who stands behind it", {"fields": ("sender_name", "sender_address", "postal_address")}),
    )

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:messaging_brand_change", args=[1]))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        if object_id != "1":
            return None
        return Brand.objects.filter(pk=1).first() or brands.current()

    def save_model(self, request: HttpRequest, obj: Brand, form: Any, change: bool) -> None:
        brands.save(now=wording.now(), **{name: form.cleaned_data[name] or "" for name in brands.FIELDS})

    def log_change(self, request: HttpRequest, obj: Brand, message: Any) -> None:
        """`brands.save` has told the audit trail."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return self.changelist_view(request)
