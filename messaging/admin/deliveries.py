"""How messages fare: by channel, reason, day and receiver; each number leads to the messages behind it."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from foundation import wording
from foundation.admin import list_of
from foundation.pages import Head, Part, Table, Verb
from foundation.rest import bounded
from foundation.sql import statements
from messaging.delivery import label
from messaging.domains.health import STOP, WARN
from messaging.judging import GUARDRAILS
from messaging.models import Message, MessageState
from messaging.returns.models import Meaning, Report

SPANS = (7, 30, 90)
_SECONDS = 20.0
_COLUMNS: tuple[tuple[str, tuple[MessageState, ...]], ...] = (
    ("Sent", (MessageState.SENT, MessageState.DELIVERED, MessageState.OPENED, MessageState.CLICKED)),
    ("Opened or clicked", (MessageState.OPENED, MessageState.CLICKED)),
    ("Bounced", (MessageState.BOUNCED,)),
    ("Marked as spam", (MessageState.COMPLAINED,)),
    ("Failed", (MessageState.FAILED, MessageState.EXPIRED)),
    ("Unknown", (MessageState.UNKNOWN,)),
    ("Stopped", (MessageState.SUPPRESSED,)),
    ("Waiting", (MessageState.QUEUED, MessageState.DEFERRED, MessageState.SENDING)),
)
_sql = statements("messaging", "deliveries")


def overview(request: HttpRequest, site: AdminSite) -> HttpResponse:
    if not request.user.has_perm("messaging.view_report"):
        raise PermissionDenied
    days = next((span for span in SPANS if str(span) == request.GET.get("days")), SPANS[1])
    now = wording.now()
    others = [Verb(f"days{span}", f"{span} days", address=f"?days={span}") for span in SPANS if span != days]
    with bounded(_SECONDS):
        parts = _parts(now - timedelta(days=days), now)
    context = {
        **site.each_context(request),
        "title": "Deliveries",
        "head": Head("Deliveries", f"What became of the messages of the last {days} days, and why."),
        "main": parts,
        "aside": [],
        "verbs": others,
        "opts": Message._meta,
    }
    request.current_app = site.name
    return TemplateResponse(request, "admin/cairn/page.html", context)


def _parts(since: datetime, now: datetime) -> Sequence[Part]:
    asked = {"since": since, "now": now, "zone": settings.PROJECT_TIME_ZONE}
    return [
        _by_channel(_sql.rows("by_channel", asked), since),
        _held_back(_sql.rows("held_back", asked), since),
        _told(_sql.rows("told", asked), since),
        _by_domain(_sql.rows("by_domain", asked), since),
        _by_day(_sql.rows("by_day", asked)),
    ]


def _counted(n: int, model: type[Any], **filters: object) -> SafeString | str:
    return wording.link(wording.amount(n), list_of(model, **filters)) if n else ""


def _since(since: datetime) -> dict[str, str]:
    return {"queued_at__gt": since.isoformat()}


def _by_channel(rows: Sequence[tuple[Any, ...]], since: datetime) -> Part:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for channel, state, n in rows:
        found[channel][state] = n
    return Table(
        title="By channel",
        headers=["By", *(name for name, _ in _COLUMNS)],
        rows=[
            (
                label(channel).capitalize(),
                *(
                    _counted(
                        sum(states.get(state, 0) for state in among),
                        Message,
                        channel__exact=channel,
                        state__in=",".join(among),
                        **_since(since),
                    )
                    for _, among in _COLUMNS
                ),
            )
            for channel, states in sorted(found.items())
        ],
        empty="No message was queued in that time.",
    )


def _held_back(rows: Sequence[tuple[Any, ...]], since: datetime) -> Part:
    return Table(
        title="What held messages back",
        note="The first check that said no. What was put off is judged again at its time.",
        headers=["Check", "So it was", "Messages"],
        rows=[
            (
                f"{rail.label}: no" if (rail := GUARDRAILS.get(key)) else wording.spoken(key),
                MessageState(state).label,
                _counted(n, Message, guardrail__exact=key, state__exact=state, **_since(since)),
            )
            for key, state, n in rows
        ],
        empty="Nothing was held back in that time.",
    )


def _told(rows: Sequence[tuple[Any, ...]], since: datetime) -> Part:
    return Table(
        title="What came back",
        note="What mail providers and mail servers told of messages, and whether it was acted on.",
        headers=["It says", "It was", "Reports"],
        rows=[
            (
                Meaning(meaning).label,
                Report.State(state).label,
                _counted(n, Report, meaning__exact=meaning, state__exact=state, received_at__gt=since.isoformat()),
            )
            for meaning, state, n in rows
        ],
        empty="Nothing was told in that time.",
        more=("All of them", list_of(Report)) if rows else None,
    )


def _by_domain(rows: Sequence[tuple[Any, ...]], since: datetime) -> Part:
    return Table(
        title="By who receives mail",
        note="Above 1 complaint in 1,000 mails the large providers begin to mind; above 3 they turn mail away.",
        headers=["Receiver", "Sent", "Bounced", "Marked as spam", "Share of complaints"],
        rows=[
            (
                domain,
                wording.amount(sent),
                _counted(bounced, Message, address__iendswith=f"@{domain}", state__exact="bounced", **_since(since)),
                _counted(spam, Message, address__iendswith=f"@{domain}", state__exact="complained", **_since(since)),
                share_of(spam / sent),
            )
            for domain, sent, bounced, spam in rows
        ],
        empty="No mail went out in that time.",
    )


def share_of(share: float) -> SafeString:
    return wording.badge(f"{share:.2%}", "bad" if share >= STOP else "warn" if share >= WARN else "good")


def _by_day(rows: Sequence[tuple[Any, ...]]) -> Part:
    return Table(
        title="Day by day",
        note="By the day on which they were queued.",
        headers=["Day", "Sent", "Known to have arrived", "Bounced", "Marked as spam", "Failed", "Stopped"],
        rows=[(f"{day:%-d %b %Y}", *(wording.amount(n) if n else "" for n in counts)) for day, *counts in rows],
        empty="No message was queued in that time.",
    )
