"""The ways out: which of them are open, how fast each is used, and what the other side said where one is shut."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.forms import SimpleArrayField
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from foundation import wording
from foundation.admin import ReadOnlyAdmin
from foundation.errors import Invalid
from foundation.pages import Facts, Head, Part, Verb
from messaging import lanes
from messaging.delivery import CHANNELS
from messaging.models import Lane, Pace


@admin.register(Lane)
class LaneAdmin(ReadOnlyAdmin):
    """Those that have a pace, or made trouble; of the others there is nothing to say."""

    empty = (
        "A way out appears here once it has a pace, or once the other side refused what we sent there."
        " Until then all of them are open, and as fast as the other side allows."
    )
    list_display = ("name", "state", "whom", "today", "said")
    ordering = ("channel", "place", "urgent")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lane]:
        self.now = wording.now()
        return super().get_queryset(request)

    @display(description="Way out")
    def name(self, lane: Lane) -> SafeString:
        return wording.wide(_name(lane))

    @display(description="State")
    def state(self, lane: Lane) -> SafeString:
        if lane.stopped_at is not None:
            return wording.badge("Stopped", "bad")
        return wording.badge("Shut for a while", "bad") if lane.shut_until else wording.badge("Open", "good")

    @display(description="For")
    def whom(self, lane: Lane) -> str:
        return _whom(lane)

    @display(description="Sent on its last day, counted by pace")
    def today(self, lane: Lane) -> str:
        return f"{lane.sent:,}" if lane.day else "–"

    @display(description="Why, or what the other side said")
    def said(self, lane: Lane) -> SafeString:
        said = lane.stopped_for or lane.reason
        return wording.wide(wording.shortened(said)) if said else wording.quiet("–")

    def head(self, request: HttpRequest, row: Lane) -> Head:
        lead = "It is open." if row.shut_until is None else "It is shut, and tried again by one message at a time."
        if row.stopped_at is not None:
            lead = f"What can wait is stopped until somebody opens it; what people need goes on. {row.stopped_for}"
        return Head(_name(row).capitalize(), lead=lead, badges=[self.state(row)])

    def parts(self, request: HttpRequest, row: Lane) -> Sequence[Part]:
        facts: list[tuple[str, object]] = [
            ("For", _whom(row)),
            ("Failures in a row", f"{row.failures:,}"),
            ("Stopped", wording.moment(row.stopped_at) if row.stopped_at else ""),
            ("Shut until", wording.moment(row.shut_until, empty="it is open")),
            ("What the other side said", row.reason or "nothing bad"),
        ]
        pace = Pace.objects.filter(channel=row.channel, place=row.place).first()
        if pace:
            facts.append(("Pace", lanes.sentence(pace)))
        return [Facts(title="As it stands", rows=facts)]

    def verbs(self, request: HttpRequest, row: Lane) -> Sequence[Verb]:
        if not request.user.has_perm("messaging.change_lane"):
            return []
        if row.stopped_at is not None:
            question = "Open it? Do so once you know why so many marked it as spam, and have changed that."
            return [Verb("open", "Open it again", question=question)]
        if row.shut_until is None:
            return []
        return [Verb("open", "Open it again", question="Open it? Do so once you know that it takes our messages.")]

    def act(self, request: HttpRequest, row: Lane, verb: str) -> str:
        lanes.open_up(row, now=wording.now())
        return "It is open. What waited for it goes out now."


def _name(lane: Lane) -> str:
    return lanes.Way(lane.channel, lane.place, lane.urgent).name


def _whom(lane: Lane) -> str:
    return "What people need" if lane.urgent else "All else"


class PaceForm(forms.ModelForm):
    channel = forms.ChoiceField(label="By", widget=UnfoldAdminSelectWidget)
    place = forms.CharField(
        label="To",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="The domain of a mailbox provider, such as gmail.com. Empty: wherever it goes.",
    )
    per_minute = forms.IntegerField(label="At most, a minute", min_value=1, widget=UnfoldAdminIntegerFieldWidget)
    warm_up = SimpleArrayField(
        forms.IntegerField(min_value=0),
        label="While it is new, at most on each day",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Such as 50, 100, 200, 400: a number for each of the first days. Empty: as many as there are.",
    )
    warm_up_from = forms.DateField(label="The first of these days", required=False, widget=UnfoldAdminDateWidget)

    class Meta:
        model = Pace
        fields = ("channel", "place", "per_minute", "warm_up", "warm_up_from")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["channel"].choices = [(one.key, one.label) for one in CHANNELS]  # type: ignore[attr-defined]
        if self.instance.pk:
            for name in ("channel", "place"):
                self.fields[name].disabled = True

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if len(given) < len(self.Meta.fields):
            return given
        given["place"] = given["place"].strip().lower()
        try:
            lanes.check(**given)
        except Invalid as refusal:
            for problem in refusal.problems:
                self.add_error(problem.path, f"This {problem.reason}.")
        return given


@admin.register(Pace)
class PaceAdmin(ModelAdmin):
    """`lanes.set_pace` writes it."""

    form = PaceForm
    compressed_fields = True
    warn_unsaved_form = True
    actions = None
    list_display = ("in_words",)

    @display(description="Pace")
    def in_words(self, pace: Pace) -> str:
        return lanes.sentence(pace)

    def save_model(self, request: HttpRequest, obj: Pace, form: Any, change: bool) -> None:
        saved = lanes.set_pace(**{name: form.cleaned_data[name] for name in PaceForm.Meta.fields}, now=wording.now())
        obj.pk = saved.pk

    def delete_model(self, request: HttpRequest, obj: Pace) -> None:
        lanes.drop_pace(obj, now=wording.now())
        messages.info(request, "That way out is as fast as the other side allows.")

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> list[Any]:
        """The domain has told the audit trail."""
        return []

    def log_addition(self, request: HttpRequest, obj: Pace, message: Any) -> None:
        """The same."""

    def log_change(self, request: HttpRequest, obj: Pace, message: Any) -> None:
        """The same."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """The same."""
