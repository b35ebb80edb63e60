"""Holdouts: who gets no marketing for a while, so that everybody else can be compared with them."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from unfold.decorators import display

from foundation import wording
from foundation.admin import ReadOnlyAdmin, list_of, page_of
from foundation.errors import Conflict, Invalid
from foundation.pages import Facts, Head, Number, Numbers, Part, Prose, Verb
from foundation.sql import statements
from messaging.holdouts import periods
from messaging.holdouts.models import Holdout

_sql = statements("messaging", "holdouts")
_WHAT = (
    "A small share of all people, drawn by chance, get no marketing for a while. What the others do beyond them is what"
    " marketing brings about. Whoever is drawn stays drawn until the end, and still gets all that they need: receipts,"
    " links they asked for, answers about their data."
)


class HoldoutForm(forms.Form):
    period = forms.CharField(
        max_length=50,
        label="What the time is called",
        help_text="Small letters, digits and dashes, such as 2026-q4.",
        error_messages={"required": "Give it a name, such as 2026-q4."},
    )
    percent = forms.IntegerField(
        min_value=1,
        max_value=periods.MOST,
        initial=periods.USUAL,
        label="How many of a hundred people",
        help_text="Five is usual. It cannot be changed while it is on: a new share needs a new holdout.",
    )


@admin.register(Holdout)
class HoldoutAdmin(ReadOnlyAdmin):
    empty = f"{_WHAT} Begin the first with Add holdout."
    list_display = ("period", "share", "state_", "since", "until")
    ordering = ("-started_at",)

    @display(description="Share")
    def share(self, row: Holdout) -> str:
        return f"{row.percent} %"

    @display(description="State")
    def state_(self, row: Holdout) -> SafeString:
        return _badge(row)

    @display(description="Began", ordering="started_at")
    def since(self, row: Holdout) -> SafeString:
        return wording.moment(row.started_at)

    @display(description="Ended", ordering="ended_at")
    def until(self, row: Holdout) -> SafeString:
        return wording.moment(row.ended_at, "not yet")

    def head(self, request: HttpRequest, row: Holdout) -> Head:
        now = "get no marketing" if row.ended_at is None else "got no marketing"
        lead = f"{row.percent} of a hundred people {now}, so that we learn what it does."
        return Head(f"Holdout {row.period}", lead, [_badge(row)])

    def parts(self, request: HttpRequest, row: Holdout) -> Sequence[Part]:
        found = _sql.rows("sides", {"ids": [row.id]})
        held, others, crossed = found[0][1:] if found else (0, 0, 0)
        return [
            Numbers(
                title="Whom it made a difference to so far",
                note="People who were to get marketing in that time: held out, or not.",
                numbers=[
                    Number("Held out", wording.amount(held)),
                    Number("Got marketing", wording.amount(others)),
                    Number("Of both sides", wording.amount(crossed), "merged since; left out of comparisons"),
                ],
            ),
            Prose(title="How it works", text=_WHAT),
            Facts(
                title="When",
                aside=True,
                rows=[("Began", wording.moment(row.started_at)), ("Ended", wording.moment(row.ended_at, "not yet"))],
            ),
        ]

    def verbs(self, request: HttpRequest, row: Holdout) -> Sequence[Verb]:
        if row.ended_at is not None or not request.user.has_perm("messaging.change_holdout"):
            return []
        return [Verb("end", "End it", "End it? Everybody may get marketing again, and it cannot be gone on with.")]

    def act(self, request: HttpRequest, row: Holdout, verb: str) -> str:
        periods.end(row.period, now=wording.now())
        return "It is over: nobody is held out by it any more."

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("messaging.add_holdout")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = HoldoutForm(request.POST if request.method == "POST" else None)
        if form.is_valid() and (row := _started(form)):
            messages.success(request, "It is on, from now.")
            return HttpResponseRedirect(page_of(row))
        context = {
            **self.admin_site.each_context(request),
            "title": "Begin a holdout",
            "about": _WHAT,
            "form": form,
            "back": list_of(Holdout),
            "opts": self.opts,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "messaging/broadcasts/holdout.html", context)


def _started(form: HoldoutForm) -> Holdout | None:
    try:
        return periods.start(form.cleaned_data["period"], form.cleaned_data["percent"], now=wording.now())
    except Invalid as refusal:
        for problem in refusal.problems:
            form.add_error(problem.path, f"It {problem.reason}.")
    except Conflict as conflict:
        form.add_error(None, str(conflict))
    return None


def _badge(row: Holdout) -> SafeString:
    return wording.badge("On", "calm") if row.ended_at is None else wording.badge("Over", "plain")
