"""What was told of messages: by providers and by mails, acted on or put aside, each with its reason."""

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from foundation import wording
from foundation.admin import ReadOnlyAdmin, page_of
from foundation.pages import Facts, Head, Part, Prose, Table
from messaging.admin.deliveries import overview
from messaging.models import Message
from messaging.returns.models import Meaning, Report

_TONES: dict[str, wording.Tone] = {
    Report.State.WAITING: "calm",
    Report.State.APPLIED: "good",
    Report.State.IGNORED: "plain",
    Report.State.QUARANTINED: "warn",
}


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    empty = (
        "What mail providers and mail servers tell of messages appears here: that they arrived, came back, or were"
        " marked as spam. Set MAIL_WEBHOOKS for a provider, or BOUNCE_ADDRESS for a mail server of your own."
    )
    list_display = ("says", "about", "by", "state_", "why_", "when")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("meaning", ChoicesDropdownFilter),
        ("received_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    search_fields = ("recipient__istartswith",)
    search_help_text = "The beginning of an email address"
    ordering = ("-received_at", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Report]:
        return super().get_queryset(request).select_related("message__profile").defer("raw")

    @display(description="It says")
    def says(self, row: Report) -> SafeString:
        return wording.wide(Meaning(row.meaning).label)

    @display(description="About")
    def about(self, row: Report) -> SafeString | str:
        return wording.wide(row.recipient) if row.recipient else ""

    @display(description="Told by")
    def by(self, row: Report) -> str:
        return _source(row)

    @display(description="It was")
    def state_(self, row: Report) -> SafeString:
        return _badge(row)

    @display(description="Why")
    def why_(self, row: Report) -> SafeString | str:
        return wording.wide(row.why or row.said) if row.why or row.said else ""

    @display(description="Came in", ordering="received_at")
    def when(self, row: Report) -> SafeString:
        return wording.moment(row.received_at)

    def head(self, request: HttpRequest, row: Report) -> Head:
        about = f"About a message to {row.recipient}, told" if row.recipient else "Told"
        return Head(Meaning(row.meaning).label, f"{about} by {_source(row)}. {row.why}".strip(), [_badge(row)])

    def parts(self, request: HttpRequest, row: Report) -> Sequence[Part]:
        message: object = ""
        if row.message is not None:
            name = row.message.subject or "The message"
            may = request.user.has_perm("messaging.view_message")
            message = wording.link(name, page_of(row.message)) if may else name
        return [
            Facts(
                title="What it says",
                rows=[
                    ("Message", message),
                    ("They call it", wording.spoken(row.kind)),
                    ("In their words", row.said),
                    ("Why not sent", wording.spoken(row.reason) if row.reason else ""),
                    ("Link", row.url),
                    ("Program", row.agent),
                    ("Happened", wording.moment(row.at) if row.at else ""),
                    ("Came in", wording.moment(row.received_at)),
                ],
            ),
            Prose(title="As it came", text=row.raw[:5_000], empty="It is kept for 90 days."),
        ]

    def deliveries_view(self, request: HttpRequest) -> HttpResponse:
        return overview(request, self.admin_site)

    def get_urls(self) -> list[URLPattern]:
        own = path("deliveries/", self.admin_site.admin_view(self.deliveries_view), name="messaging_report_deliveries")
        return [own, *super().get_urls()]


def told_of(row: Message) -> list[Part]:
    """What was told of a message, for its page."""
    rows = list(row.reports.defer("raw").order_by("-received_at", "-id")[:20])
    if not rows:
        return []
    return [
        Table(
            title="What was told of it",
            headers=["It says", "Told by", "It was", "Why", "Came in"],
            rows=[
                (
                    wording.link(Meaning(one.meaning).label, page_of(one)),
                    _source(one),
                    _badge(one),
                    wording.wide(one.why or one.said) if one.why or one.said else "",
                    wording.moment(one.received_at),
                )
                for one in rows
            ],
            empty="",
        )
    ]


def _source(row: Report) -> str:
    return {"dsn": "a mail server", "arf": "a mailbox provider", "mail": "an answer"}.get(
        row.source, wording.spoken(row.source)
    )


def _badge(row: Report) -> SafeString:
    return wording.badge(Report.State(row.state).label, _TONES[row.state])
