"""Requests under the GDPR, for staff: what is asked for, by when, and what was done about it."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from consent import requests, stories
from consent.api_privacy import in_status
from consent.models import PrivacyRequest
from foundation import clock, wording
from foundation.admin import ReadOnlyAdmin, page_of
from foundation.pages import Entry, Facts, Head, Part, Prose, Story, Verb

_STATUS: dict[str, tuple[str, wording.Tone]] = {
    "open": ("Open", "calm"),
    "due_soon": ("Due soon", "warn"),
    "overdue": ("Overdue", "bad"),
    "closed": ("Closed", "good"),
}


class StatusFilter(admin.SimpleListFilter):
    title, parameter_name = "status", "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key, label) for key, (label, _tone) in _STATUS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        status = self.value()
        return queryset.filter(in_status(status, requests.today(clock.now()))) if status in _STATUS else queryset


@admin.register(PrivacyRequest)
class PrivacyRequestAdmin(ReadOnlyAdmin):
    empty = "What people ask for about their data, on their page or through you, stands here with the day it is due."
    list_display = ("kind_", "person", "status_", "due", "raised")
    list_filter = (StatusFilter, ("kind", ChoicesDropdownFilter))
    list_select_related = ("profile",)
    ordering = ("due_on", "id")

    @display(description="Asked for", ordering="kind")
    def kind_(self, row: PrivacyRequest) -> SafeString:
        return wording.wide(row.get_kind_display())

    @display(description="Person")
    def person(self, row: PrivacyRequest) -> object:
        return row.profile or wording.quiet("erased")

    @display(description="Status")
    def status_(self, row: PrivacyRequest) -> SafeString:
        return wording.badge(*_STATUS[requests.status(row, clock.now())])

    @display(description="Due", ordering="due_on")
    def due(self, row: PrivacyRequest) -> str:
        return f"{row.due_on:%-d %B %Y}"

    @display(description="Raised", ordering="raised_at")
    def raised(self, row: PrivacyRequest) -> SafeString:
        return wording.moment(row.raised_at)

    def head(self, request: HttpRequest, row: PrivacyRequest) -> Head:
        whose = str(row.profile) if row.profile else "Somebody who was erased"
        lead = f"Closed: {row.answer}" if row.closed_at else f"To be answered by {self.due(row)}."
        return Head(f"{whose}: {row.get_kind_display()}", lead, [self.status_(row)])

    def parts(self, request: HttpRequest, row: PrivacyRequest) -> Sequence[Part]:
        steps = row.steps.order_by("-at", "-id")
        return [
            Prose(title="In their words", text=row.said, empty="They said no more than this."),
            Story(
                title="What was done",
                entries=[Entry(step.what, wording.moment(step.at), f"By {stories.who(step.actor)}.") for step in steps],
                empty="Nothing yet.",
            ),
            Facts(
                title="About it",
                aside=True,
                rows=[
                    ("Person", wording.link(row.profile, page_of(row.profile)) if row.profile else "erased"),
                    ("Came by", row.get_via_display()),
                    ("Due", self.due(row)),
                    ("Takes longer, since", row.extended),
                    ("Ended as", row.get_outcome_display() if row.outcome else ""),
                ],
            ),
        ]

    def verbs(self, request: HttpRequest, row: PrivacyRequest) -> Sequence[Verb]:
        if row.closed_at is not None or not request.user.has_perm("consent.change_privacyrequest"):
            return []
        verbs = [Verb("done", "Mark as answered")]
        if not row.extended and requests.status(row, clock.now()) != "overdue":
            verbs.append(Verb("extend", "Two months more", "They are told by mail that it is complex. Is it?"))
        if row.profile is not None and row.kind != PrivacyRequest.Kind.RECTIFICATION:
            erases = row.kind == PrivacyRequest.Kind.ERASURE
            question = "All that names them is erased, and cannot be brought back." if erases else ""
            verbs.insert(0, Verb("carry_out", "Do it now", question, danger=erases))
        return verbs

    def act(self, request: HttpRequest, row: PrivacyRequest, verb: str) -> str:
        now = clock.now()
        match verb:
            case "carry_out":
                return requests.carry_out(row.id, now=now).answer
            case "extend":
                requests.extend(row.id, reason="It is complex, and we need to look at much.", now=now)
                return "They are told that it takes two months longer."
        requests.close(row.id, outcome=PrivacyRequest.Outcome.DONE, answer="Answered by staff.", now=now)
        return "Closed as answered."
