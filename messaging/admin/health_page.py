"""How receivers take our mail: the share that they mark as spam, and where that has stopped what can wait."""

from collections import defaultdict
from collections.abc import Sequence

from django.conf import settings
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from foundation import wording
from foundation.admin import page_of
from foundation.pages import Head, Part, Table
from foundation.rest import bounded
from messaging.admin.deliveries import share_of
from messaging.domains import health
from messaging.domains.health import Day
from messaging.domains.models import SenderDomain
from messaging.models import Lane

_BACK = 28  # days that the page shows
_MOST = 40  # receivers, and days of theirs, that it lists
_SECONDS = 10.0


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    if not request.user.has_perm("messaging.view_senderdomain"):
        raise PermissionDenied
    with bounded(_SECONDS):
        days = health.days(wording.now(), _BACK)
    stopped = {one.place: one for one in Lane.objects.filter(channel="email", urgent=False, stopped_at__isnull=False)}
    context = {
        **site.each_context(request),
        "title": "Domain health",
        "head": Head("Domain health", _lead(days, stopped)),
        "main": [_by_receiver(request, days, stopped), _by_day(days)],
        "aside": [],
        "verbs": [],
        "opts": SenderDomain._meta,
    }
    request.current_app = site.name
    return TemplateResponse(request, "admin/cairn/page.html", context)


def _lead(days: Sequence[Day], stopped: dict[str, Lane]) -> str:
    if stopped:
        names = ", ".join(sorted(stopped))
        return f"What can wait is stopped to {names}, where too much was marked as spam. What people need goes on."
    rule = "at three it is stopped" if settings.STOP_AT_COMPLAINTS else "at three they turn mail away"
    return f"Above one mail in a thousand marked as spam, mailbox providers begin to mind; {rule}."


def _by_receiver(request: HttpRequest, days: Sequence[Day], stopped: dict[str, Lane]) -> Part:
    theirs: dict[str, list[Day]] = defaultdict(list)
    for one in days:
        theirs[one.place].append(one)
    largest = sorted(theirs, key=lambda place: (place not in stopped, -sum(one.sent for one in theirs[place]), place))
    return Table(
        title="By who receives mail",
        note=f"Mails of the last {_BACK} days. A mail counts on the day on which it was sent.",
        headers=["Receiver", "Sent", "Marked as spam", "Share", "Worst day", "What can wait"],
        rows=[_receiver(request, place, theirs[place], stopped.get(place)) for place in largest[:_MOST]],
        empty="No mail went out in that time.",
    )


def _receiver(request: HttpRequest, place: str, days: Sequence[Day], lane: Lane | None) -> tuple[object, ...]:
    sent, marked = sum(one.sent for one in days), sum(one.complained for one in days)
    worst = max(days, key=lambda one: one.share)
    goes: SafeString | str = "goes"
    if lane is not None:
        seen = request.user.has_perm("messaging.view_lane")
        goes = wording.link("is stopped", page_of(lane)) if seen else wording.badge("is stopped", "bad")
    return (
        place,
        wording.amount(sent),
        wording.amount(marked),
        share_of(marked / sent if sent else 0.0),
        f"{worst.day:%-d %b}: {worst.share:.2%}" if marked else "",
        goes,
    )


def _by_day(days: Sequence[Day]) -> Part:
    marked = [one for one in days if one.complained]
    return Table(
        title="Days with mail that was marked as spam",
        note="By the day on which it was sent, whenever it was marked.",
        headers=["Day", "Receiver", "Sent", "Marked as spam", "Share"],
        rows=[
            (
                f"{one.day:%-d %b %Y}",
                one.place,
                wording.amount(one.sent),
                wording.amount(one.complained),
                share_of(one.share),
            )
            for one in marked[:_MOST]
        ],
        empty="Nothing of it was.",
    )
