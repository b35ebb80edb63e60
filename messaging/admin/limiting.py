"""How much is enough: caps, cooldowns and quiet hours on one page."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from foundation import wording
from foundation.errors import Invalid
from messaging import limits
from messaging.delivery import CHANNELS
from messaging.limits import Most
from messaging.models import Cap, Limits


class CapForm(forms.ModelForm):
    most = forms.IntegerField(label="At most", min_value=1, max_value=1_000, widget=UnfoldAdminIntegerFieldWidget)
    hours = forms.IntegerField(
        label="In how many hours",
        min_value=1,
        max_value=limits.LONGEST,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="24 is a day, 168 a week.",
    )
    channel = forms.ChoiceField(label="By", required=False, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Cap
        fields = ("most", "hours", "counts", "channel", "topic")
        labels = {"counts": "To", "topic": "About"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        channels = [(channel.key, channel.label) for channel in CHANNELS]
        self.fields["channel"].choices = [("", "All channels"), *channels]  # type: ignore[attr-defined]
        self.fields["topic"].empty_label = "All topics"  # type: ignore[attr-defined]

    def asked(self) -> Most:
        given = self.cleaned_data
        topic = given["topic"].slug if given["topic"] else ""
        return Most(given["most"], given["hours"], given["counts"], given["channel"], topic)


class CapInline(TabularInline):
    model = Cap
    form = CapForm
    extra = 0
    verbose_name, verbose_name_plural = "cap", "Caps"


class LimitsForm(forms.ModelForm):
    class Meta:
        model = Limits
        fields = limits.FIELDS
        labels = {
            "topic_cooldown": "Hours between two of a topic",
            "template_cooldown": "Hours between two of a template",
            "quiet_from": "Quiet from",
            "quiet_to": "Quiet until",
        }
        help_texts = {
            "topic_cooldown": "0: no pause between them.",
            "template_cooldown": "0: no pause between them.",
            "quiet_from": "In the person's own time zone. Hours that people chose themselves count in place of these.",
            "quiet_to": "It may be the next morning.",
        }

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        try:
            if len(given) == len(limits.FIELDS):
                limits.check(given)
        except Invalid as refusal:
            for problem in refusal.problems:
                self.add_error(problem.path, f"This {problem.reason}.")
        return given


@admin.register(Limits)
class LimitsAdmin(ModelAdmin):
    """One row, and its form is its page; `limits.save` writes it."""

    form = LimitsForm
    inlines = (CapInline,)
    compressed_fields = True
    warn_unsaved_form = True
    readonly_fields = ("in_words",)
    fieldsets = (
        ("As it stands", {"fields": ("in_words",)}),
        ("Not so soon again", {"fields": ("topic_cooldown", "template_cooldown")}),
        ("When people sleep", {"fields": ("quiet_from", "quiet_to")}),
    )

    @display(description="Limits now")
    def in_words(self, row: Limits) -> SafeString | str:
        said = limits.sentences()
        if not said:
            return "None: whatever people agreed to goes out at once. Transactional messages never have any."
        return format_html_join("", "<p>{}.</p>", ((line[0].upper() + line[1:],) for line in said))

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:messaging_limits_change", args=[1]))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        return limits.current() if object_id == "1" else None

    def save_model(self, request: HttpRequest, obj: Limits, form: Any, change: bool) -> None:
        """`save_related` does, with the caps."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Sequence[Any], change: bool) -> None:
        caps = None
        for formset in formsets:
            kept = [one for one in formset.forms if one not in formset.deleted_forms and one.cleaned_data.get("most")]
            caps = [one.asked() for one in kept]
        limits.save(now=wording.now(), caps=caps, **{name: form.cleaned_data[name] for name in limits.FIELDS})

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> list[Any]:
        """`limits.save` has told the audit trail."""
        return []

    def log_change(self, request: HttpRequest, obj: Limits, message: Any) -> None:
        """The same."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return self.changelist_view(request)
