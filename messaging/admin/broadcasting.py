"""Broadcasts: what is drafted, under way and done, and how far each of them is."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from foundation import wording
from foundation.admin import ReadOnlyAdmin, list_of, page_of
from foundation.pages import Facts, Head, Number, Numbers, Part, Table, Verb
from messaging.broadcasts import form, reach, running
from messaging.broadcasts.models import Broadcast
from messaging.delivery import label
from messaging.judging import GUARDRAILS
from messaging.models import Message, MessageState

States = Broadcast.State
_TONES: dict[str, wording.Tone] = {
    States.DRAFT: "plain",
    States.RUNNING: "calm",
    States.PAUSED: "warn",
    States.DONE: "good",
    States.CANCELLED: "plain",
}
_SENT = (MessageState.SENT, MessageState.DELIVERED, MessageState.OPENED, MessageState.CLICKED)
_UNDER_WAY = (MessageState.QUEUED, MessageState.DEFERRED, MessageState.SENDING)


@admin.register(Broadcast)
class BroadcastAdmin(ReadOnlyAdmin):
    empty = "A broadcast is one message to everybody in a segment, once. Write the first with Add broadcast."
    list_display = ("name_", "to", "what", "state_", "audience_", "started")
    list_filter = (("state", ChoicesDropdownFilter),)
    search_fields = ("name__istartswith",)
    search_help_text = "The beginning of a name"
    ordering = ("-created_at", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Broadcast]:
        return super().get_queryset(request).select_related("segment", "template__topic")

    @display(description="Broadcast")
    def name_(self, row: Broadcast) -> SafeString:
        return wording.wide(row.name)

    @display(description="To")
    def to(self, row: Broadcast) -> str:
        return row.segment.name

    @display(description="What")
    def what(self, row: Broadcast) -> str:
        return row.template.name

    @display(description="State")
    def state_(self, row: Broadcast) -> SafeString:
        return wording.badge(States(row.state).label, _TONES[row.state])

    @display(description="People", ordering="audience")
    def audience_(self, row: Broadcast) -> str:
        return wording.amount(row.audience) if row.started_at else ""

    @display(description="Started", ordering="started_at")
    def started(self, row: Broadcast) -> SafeString:
        return wording.moment(row.started_at, "not yet")

    # ── Its page ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def head(self, request: HttpRequest, row: Broadcast) -> Head:
        lead = f"To {row.segment}, by {label(row.template.channel)}. {_lead(row)}"
        return Head(row.name, lead, [wording.badge(States(row.state).label, _TONES[row.state])])

    def parts(self, request: HttpRequest, row: Broadcast) -> Sequence[Part]:
        if row.state == States.DRAFT:
            return [_reach(row), _about(request, row)]
        found = running.progress(row)
        return [_numbers(row, found), _by_reason(row, found), _about(request, row), _times(row)]

    def verbs(self, request: HttpRequest, row: Broadcast) -> Sequence[Verb]:
        found: list[Verb] = []
        if row.state == States.DRAFT and request.user.has_perm("messaging.change_broadcast"):
            found.append(Verb("edit", "Change", address=reverse("admin:messaging_broadcast_edit", args=[row.pk])))
        if row.state == States.DRAFT and request.user.has_perm("messaging.delete_broadcast"):
            found.append(Verb("delete", "Throw away", "Throw this draft away?", danger=True))
        if not request.user.has_perm("messaging.start_broadcast"):
            return found
        if row.state == States.DRAFT:
            size = wording.plural(row.segment.memberships.count(), "person", "people")
            found.append(Verb("start", "Start", f"Start it now, to {size}? The audience is fixed at this moment."))
        if row.state == States.RUNNING:
            found.append(Verb("pause", "Pause"))
        if row.state == States.PAUSED:
            found.append(Verb("resume", "Go on"))
        if row.state in (States.RUNNING, States.PAUSED):
            question = "Cancel it? Who has not got it yet will not. What was sent stays sent."
            found.append(Verb("cancel", "Cancel it", question, danger=True))
        return found

    def act(self, request: HttpRequest, row: Broadcast, verb: str) -> str:
        now = wording.now()
        match verb:
            case "start":
                started = running.start(row.id, now=now)
                return f"It is under way, to {wording.plural(started.audience, 'person', 'people')}."
            case "pause":
                running.pause(row.id, now=now)
                return "It is paused: nothing more of it goes out before you go on."
            case "resume":
                running.resume(row.id, now=now)
                return "It goes on."
            case "cancel":
                running.cancel(row.id, now=now)
                return "It is cancelled."
            case _:
                running.delete(row.id, now=now)
                return "The draft is gone."

    # ── Its form ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("messaging.add_broadcast")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return form.edit(request, None, self.admin_site)

    def edit_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        return form.edit(request, get_object_or_404(self.get_queryset(request), pk=pk), self.admin_site)

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        own = [
            path("<uuid:pk>/edit/", guarded(self.edit_view), name="messaging_broadcast_edit"),
            path("reach/", guarded(form.told), name="messaging_broadcast_reach"),
        ]
        return [*own, *super().get_urls()]


def _lead(row: Broadcast) -> str:
    match row.state:
        case States.DRAFT:
            return "Nothing is sent before it is started."
        case States.RUNNING:
            return "It is under way."
        case States.PAUSED:
            return row.note or "It is paused: nothing more of it goes out before somebody goes on."
        case States.DONE:
            return "Everybody has got it, or it says why not."
        case _:
            return "It was cancelled; what had been sent stays sent."


def _reach(row: Broadcast) -> Part:
    found = reach.of(row.segment, row.template, wording.now())
    about = "" if found.exact else "about "
    return Facts(
        title="Whom it would reach now",
        note="" if found.exact else f"Estimated from {wording.amount(found.asked)} of them.",
        rows=[
            ("In the segment", wording.amount(found.size)),
            ("Get it", f"{about}{wording.amount(found.reached)}"),
            *((f"{said}: no", f"{about}{wording.amount(n)}") for _, said, n in found.held),
        ],
    )


def _numbers(row: Broadcast, found: running.Progress) -> Part:
    under_way = found.of(*_UNDER_WAY)
    return Numbers(
        title="How far it is",
        numbers=[
            Number("People", wording.amount(found.audience), "fixed when it started"),
            Number("Sent", wording.amount(found.of(*_SENT))),
            Number("Under way", wording.amount(found.waiting + under_way), "waiting, or put off"),
            Number("Did not get it", wording.amount(sum(n for _, _, n in found.counts) - under_way - found.of(*_SENT))),
        ],
    )


def _by_reason(row: Broadcast, found: running.Progress) -> Part:
    rows = []
    for state, guardrail, n in found.counts:
        rail = GUARDRAILS.get(guardrail) if guardrail else None
        filters = {"idempotency_key__startswith": running.key_of(row.id), "state__exact": state}
        if guardrail:
            filters["guardrail__exact"] = guardrail
        why = f"{rail.label}: no" if rail else ""
        rows.append((wording.link(MessageState(state).label, list_of(Message, **filters)), why, wording.amount(n)))
    return Table(
        title="What became of its messages",
        headers=["State", "Why", "Messages"],
        rows=rows,
        empty="None is queued yet: they are when their time has come.",
    )


def _about(request: HttpRequest, row: Broadcast) -> Part:
    def linked(model: str, what: Any) -> object:
        return wording.link(what, page_of(what)) if request.user.has_perm(model) else str(what)

    return Facts(
        title="What it is",
        aside=True,
        rows=[
            ("To", linked("segments.view_segment", row.segment)),
            ("Template", linked("messaging.view_template", row.template)),
            ("Topic", row.template.topic.name),
            ("When", _when(row)),
            ("At most", f"{wording.amount(row.rate)} an hour" if row.rate else ""),
            ("Written by", row.author),
        ],
    )


def _when(row: Broadcast) -> str:
    if row.send_at is None:
        return "As soon as it is started"
    return f"{wording.exact(row.send_at)}, {'where each person is' if row.local else 'for all'}"


def _times(row: Broadcast) -> Part:
    moments = [("Started", row.started_at), ("Paused", row.paused_at), ("Ended", row.ended_at)]
    return Facts(title="Since when", aside=True, rows=[(name, wording.moment(at)) for name, at in moments if at])
