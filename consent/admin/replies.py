"""What people wrote back, for staff to read: is it a no, or nothing of the kind?"""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from consent import replies
from consent.models import Reply
from consent.wordings import channel_name
from foundation import clock, wording
from foundation.admin import ReadOnlyAdmin, page_of
from foundation.pages import Facts, Head, Part, Prose, Verb


@admin.register(Reply)
class ReplyAdmin(ReadOnlyAdmin):
    empty = "What people write back, and no program understands, stands here until somebody has read it."
    list_display = ("said_", "from_", "by", "state", "came")
    list_filter = (("channel", ChoicesDropdownFilter), ("outcome", ChoicesDropdownFilter))
    ordering = ("-received_at",)

    @display(description="They wrote")
    def said_(self, row: Reply) -> SafeString:
        return wording.wide(wording.shortened(row.said) or "Nothing.")

    @display(description="From")
    def from_(self, row: Reply) -> object:
        return row.sender or wording.quiet("nobody said")

    @display(description="By")
    def by(self, row: Reply) -> str:
        return channel_name(row.channel)

    @display(description="State")
    def state(self, row: Reply) -> SafeString:
        if row.closed_at is None:
            return wording.badge("To read", "warn")
        return wording.badge(row.get_outcome_display(), "good" if row.outcome == Reply.Outcome.STOPPED else "plain")

    @display(description="Came", ordering="received_at")
    def came(self, row: Reply) -> SafeString:
        return wording.moment(row.received_at)

    def head(self, request: HttpRequest, row: Reply) -> Head:
        return Head(f"{channel_name(row.channel)} from {row.sender or 'somebody'}", _lead(row), [self.state(row)])

    def parts(self, request: HttpRequest, row: Reply) -> Sequence[Part]:
        people = replies.whose(row.channel, row.sender) if row.sender else []
        return [
            Prose(title="What they wrote", text=row.said, empty="Nothing."),
            Facts(
                title="Who has this address",
                aside=True,
                rows=[(f"Person {place}", wording.link(who, page_of(who))) for place, who in enumerate(people, 1)],
                empty="Nobody whom we know.",
                note=""
                if row.channel == replies.SMS
                else "Anybody can write any address under “From”: look whether it is they who ask.",
            ),
        ]

    def verbs(self, request: HttpRequest, row: Reply) -> Sequence[Verb]:
        if row.closed_at is not None or not request.user.has_perm("consent.change_reply"):
            return []
        reach = f"Everybody with this address gets nothing more by {channel_name(row.channel).lower()}."
        return [
            Verb(Reply.Outcome.STOPPED, "It is a no", f"{reach} Only they can take that back.", danger=True),
            Verb(Reply.Outcome.NOTHING, "It asks for nothing"),
        ]

    def act(self, request: HttpRequest, row: Any, verb: str) -> str:
        closed = replies.close(row.id, outcome=verb, now=clock.now())
        return "Taken as a no." if closed.outcome == Reply.Outcome.STOPPED else "Closed; what was held goes on."


def _lead(row: Reply) -> str:
    if row.closed_at is not None:
        return f"{row.get_outcome_display()}."
    held = " Until then they get no marketing by text message." if row.channel == replies.SMS else ""
    return f"To be read.{held}"
