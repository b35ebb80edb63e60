"""Every message, what became of it, and why."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display

from consent.models import State, Suppression, Topic
from foundation import wording
from foundation.admin import ReadOnlyAdmin, Serve, list_of, page_of
from foundation.pages import Facts, Head, Mail, Part, Table, Verb, fragment
from messaging import outbox, tracking
from messaging.admin.returning import told_of
from messaging.delivery import label, told
from messaging.judging import GUARDRAILS
from messaging.models import Hit, Link, Message, MessageState

_TONES: dict[str, wording.Tone] = {
    MessageState.SENT: "good",
    MessageState.DELIVERED: "good",
    MessageState.OPENED: "good",
    MessageState.CLICKED: "good",
    MessageState.QUEUED: "calm",
    MessageState.DEFERRED: "calm",
    MessageState.SENDING: "calm",
    MessageState.SUPPRESSED: "plain",
    MessageState.EXPIRED: "warn",
    MessageState.UNKNOWN: "warn",
    MessageState.BOUNCED: "bad",
    MessageState.COMPLAINED: "bad",
    MessageState.FAILED: "bad",
}
_LEADS = {
    MessageState.QUEUED: "It waits for its turn.",
    MessageState.DEFERRED: "It was put off, and is looked at again {due}.",
    MessageState.SENDING: "It is being sent right now.",
    MessageState.SENT: "It was handed over {sent}.",
    MessageState.SUPPRESSED: "It was not sent, and will not be.",
    MessageState.FAILED: "It could not be sent.",
    MessageState.DELIVERED: "It arrived.",
    MessageState.OPENED: "It was opened.",
    MessageState.CLICKED: "A link in it was followed.",
    MessageState.BOUNCED: "It came back: there is no such address.",
    MessageState.COMPLAINED: "It was marked as spam.",
    MessageState.UNKNOWN: "Nobody knows whether it arrived. You decide.",
    MessageState.EXPIRED: "It was stale before it could go out.",
}
# What evidence is called on a page; what is not here is an id or a word of ours.
_EVIDENCE = {
    "topic": "Topic",
    "channel": "By",
    "basis": "Basis",
    "state": "Their choice",
    "choice": "What they chose about",
    "since": "Since",
    "until": "Until",
    "reason": "Why",
    "scope": "How much is blocked",
    "note": "Note",
    "hours": "Hours",
    "zone": "Time zone",
    "limit": "At most",
    "window": "In",
    "counted": "Counted",
    "intensity": "They asked for",
}
_VALUES: dict[str, str] = {
    "unset": "Not made yet",
    State.GRANTED: "Agreed",
    State.DENIED: "Declined",
    Suppression.Scope.ALL: "Everything",
    Suppression.Scope.MARKETING: "All but what they need",
    **dict(Suppression.Reason.choices),
    **dict(Topic.Basis.choices),
}


def state_badge(message: Message) -> SafeString:
    return wording.badge(MessageState(message.state).label, _TONES[message.state])


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    empty = (
        "Messages appear here as soon as a journey or the API queues one, whether it goes out or is held back,"
        " and each says why."
    )
    list_display = ("who", "what", "by", "state_", "why", "when")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("topic", RelatedDropdownFilter),
        ("template", RelatedDropdownFilter),
        ("queued_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    search_fields = ("profile__email__istartswith", "profile__external_id__istartswith", "journey__istartswith")
    search_help_text = "The beginning of an email address, of your own id, or of a journey's slug"
    ordering = ("-queued_at", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        return super().get_queryset(request).select_related("profile", "topic", "template").defer("html", "text")

    @display(description="To")
    def who(self, message: Message) -> SafeString:
        return wording.wide(message.profile) if message.profile else wording.quiet("erased")

    @display(description="What")
    def what(self, message: Message) -> SafeString:
        return wording.wide(message.subject or message.template.name)

    @display(description="By")
    def by(self, message: Message) -> str:
        return label(message.channel)

    @display(description="State")
    def state_(self, message: Message) -> SafeString:
        return state_badge(message)

    @display(description="Why")
    def why(self, message: Message) -> SafeString | str:
        return wording.wide(message.reason) if message.reason else ""

    @display(description="Queued", ordering="queued_at")
    def when(self, message: Message) -> SafeString:
        return wording.moment(message.queued_at)

    def head(self, request: HttpRequest, row: Message) -> Head:
        to = str(row.profile) if row.profile else "somebody who was erased"
        lead = _LEADS.get(MessageState(row.state), "").format(
            due=wording.ago(row.due_at), sent=wording.ago(row.sent_at) if row.sent_at else ""
        )
        return Head(row.subject or row.template.name, f"To {to}, by {label(row.channel)}. {lead}", [state_badge(row)])

    def parts(self, request: HttpRequest, row: Message) -> Sequence[Part]:
        return [
            _became(row),
            Mail(
                title="What they got" if row.sent_at else "What it says",
                subject=row.subject,
                html=tracking.shown(row),
                text=row.text,
                empty="It is filled in for the person when it goes out, and shown here from then on.",
            ),
            *_clicks(row),
            *told_of(row),
            _about(request, row),
            _times(row),
        ]

    def verbs(self, request: HttpRequest, row: Message) -> Sequence[Verb]:
        if row.state not in outbox.OVER or row.profile is None or not request.user.has_perm("messaging.change_message"):
            return []
        in_doubt = row.state == MessageState.UNKNOWN
        question = "It may have arrived already. Send it once more?" if in_doubt else "Send it once more?"
        return [Verb("again", "Send again", question)]

    def act(self, request: HttpRequest, row: Message, verb: str) -> str:
        outbox.send_again(row.id, now=wording.now())
        return "It is queued again, and judged again before it goes out."

    def fragments(self) -> dict[str, Serve]:
        return {"messages_of_person": _of_person}


def _became(row: Message) -> Part:
    rail = GUARDRAILS.get(row.guardrail) if row.guardrail else None
    held = rail.label if rail else wording.spoken(row.guardrail) if row.guardrail else ""
    known = {name: row.evidence[key] for key, name in _EVIDENCE.items() if row.evidence.get(key) not in (None, "")}
    shown = {name: _VALUES.get(value, value) if isinstance(value, str) else value for name, value in known.items()}
    return Facts(
        title="What became of it",
        rows=[
            ("State", state_badge(row)),
            ("Why", row.reason),
            ("The check that held it back", held),
            ("What that rests on", wording.terms(shown) if shown else ""),
            ("What used it up", _sends(row.evidence.get("used"))),
            ("What went first", _sends(row.evidence.get("lost_to"))),
            ("Tries", wording.amount(row.attempts) if row.attempts else ""),
        ],
    )


def _sends(ids: Any) -> SafeString | str:
    """The messages that a limit counted, each with when it went out."""
    asked = [id for id in ids if isinstance(id, str)] if isinstance(ids, list) else []
    rows = Message.objects.filter(id__in=asked).select_related("template").order_by("sending_at", "id")
    told = (
        (wording.link(one.subject or one.template.name, page_of(one)), wording.moment(one.sending_at)) for one in rows
    )
    return format_html_join("", "<div>{}, {}</div>", told)


def _named(link: Link) -> SafeString | str:
    if link.place == tracking.TRAP:
        return "A link that no person sees: who follows it is a program"
    return wording.wide(link.destination)


def _clicks(row: Message) -> list[Part]:
    links = row.links.order_by("place").annotate(
        people=Count("hits", filter=Q(hits__kind=Hit.Kind.HUMAN)),
        programs=Count("hits", filter=Q(hits__kind=Hit.Kind.BOT)),
        last=Max("hits__at", filter=Q(hits__kind=Hit.Kind.HUMAN)),
    )
    rows = [
        (
            _named(one),
            one.people,
            one.programs,
            wording.moment(one.last) if one.last else "",
        )
        for one in links
    ]
    if not rows:
        return []
    return [
        Table(
            title="Links that say that they were followed",
            note="Programs that check links follow them too; only people count.",
            headers=["Link", "By people", "By programs", "Last by a person"],
            rows=rows,
            empty="",
        )
    ]


def _about(request: HttpRequest, row: Message) -> Part:
    may_see = request.user.has_perm("profiles.view_profile")
    person = wording.link(row.profile, page_of(row.profile)) if row.profile and may_see else row.profile
    template: object = row.template.name
    if request.user.has_perm("messaging.view_template") and not row.template.one_off:
        template = wording.link(row.template.name, page_of(row.template))
    return Facts(
        title="What it is",
        aside=True,
        rows=[
            ("To", person or "Somebody who was erased"),
            ("Address", told(row.channel, row.address)),
            ("From", row.sender),
            ("Topic", row.topic.name),
            ("Template", template),
            ("Version", row.version.number if row.version else ""),
            ("Journey", wording.spoken(row.journey) if row.journey else ""),
            ("Step", wording.spoken(row.step) if row.step else ""),
            ("Variant", row.variant),
        ],
    )


def _times(row: Message) -> Part:
    waits = row.state in (MessageState.QUEUED, MessageState.DEFERRED)
    moments = [
        ("Queued", row.queued_at),
        ("Looked at again", row.due_at if waits else None),
        ("Stale after", row.expires_at if waits else None),
        ("Handing over began", row.sending_at),
        ("Handed over", row.sent_at),
        ("Ended", row.ended_at),
    ]
    return Facts(title="When", aside=True, rows=[(name, wording.moment(at)) for name, at in moments if at])


def _of_person(request: HttpRequest, key: UUID) -> HttpResponse:
    """The last messages to somebody, each with what became of it and why, for their page."""
    rows: Any = Message.objects.filter(profile=key).select_related("template").defer("html", "text")
    shown = list(rows.order_by("-queued_at", "-id")[:11])
    table = Table(
        title="Messages",
        headers=["What", "By", "State", "Why", "Queued"],
        rows=[
            (
                wording.link(row.subject or row.template.name, page_of(row)),
                label(row.channel),
                state_badge(row),
                wording.wide(row.reason) if row.reason else "",
                wording.moment(row.queued_at),
            )
            for row in shown[:10]
        ],
        empty="Nothing has been said to them yet.",
        more=("All of them", list_of(Message, profile__id__exact=key)) if len(shown) > 10 else None,
    )
    return fragment(request, [table])
