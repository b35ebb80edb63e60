"""The page before publishing: the list, a backtest, what becomes of those on the way, and the button."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from foundation import clock
from foundation.admin import page_of
from foundation.errors import Invalid, Refused
from foundation.wording import plural
from journeys import backtesting, following, pressure, publishing
from journeys.editor import charts, checking, flow, problems, revisions, words
from journeys.editor.shape import Document
from journeys.following import Group
from journeys.models import Journey, JourneyVersion
from journeys.testing import gate, keeping
from journeys.testing.gate import TestsFail

DAYS = 14
_WAYS = {
    following.FOLLOW: "Go on in the new version",
    following.FINISH: "Finish in the old version",
    following.MOVE: "Are put on another step",
    following.EXIT: "Leave the journey",
}


@dataclass
class Standing:
    """Those on one step of an older version, with what was chosen for them."""

    group: Group
    do: str
    to: str

    @property
    def name(self) -> str:
        return f"plan.{self.group.version}.{self.group.step}"

    @property
    def ways(self) -> list[tuple[str, str]]:
        return [(key, _WAYS[key]) for key in self.group.choices]

    @property
    def said(self) -> str:
        return plural(self.group.people, "person stands", "people stand")


def check(request: HttpRequest, journey: Journey, site: AdminSite) -> HttpResponse:
    """The list; sent, it publishes the draft, by those who may."""
    if not request.user.has_perm("journeys.change_journey"):
        raise PermissionDenied
    now = clock.now()
    document = revisions.head(journey, now=now).document
    alert = ""
    if request.method == "POST":
        if not request.user.has_perm("journeys.publish_journey"):
            raise PermissionDenied
        alert = _publish(request, journey, document)
        if not alert:
            return HttpResponseRedirect(page_of(journey))
    results = [] if problems.find(document) else keeping.run(journey, document, now=now)
    found = checking.items(journey, document, results, sees_people=request.user.has_perm("journeys.view_enrollment"))
    to_mend = sum(item.state == "mend" for item in found)
    draft = publishing.draft_of(journey)
    count, segments = checking.members(document)
    context = {
        **site.each_context(request),
        "title": f"Check {journey.name}",
        "opts": Journey._meta,
        "journey": journey,
        "base": reverse("admin:journeys_journey_edit", args=[journey.pk]),
        "items": found,
        "to_mend": to_mend,
        "failing": sum(not one.passed for one in results),
        "despite_tests": request.POST.get("despite_tests") == "1",
        "paragraph": flow.drawn(document).paragraph,
        "has_draft": draft is not None or journey.status == Journey.Status.STOPPED,
        "may_publish": request.user.has_perm("journeys.publish_journey"),
        "members": plural(count, "person is", "people are") if count else "",
        "member_segments": segments,
        "standing": [] if to_mend or draft is None else _standing(journey, draft, request.POST),
        "steps": _steps(document),
        "reason": request.POST.get("reason", ""),
        "include_members": request.POST.get("include_members") == "1",
        "alert": alert,
        "upon": revisions.head(journey, now=now).number,
        "days": DAYS,
    }
    request.current_app = site.name
    return render(request, "journeys/editor/check.html", context, status=409 if alert else 200)


def _publish(request: HttpRequest, journey: Journey, document: Document) -> str:
    """Publishes; else what is to be said."""
    now = clock.now()
    seen = request.POST.get("upon", "")
    if seen != str(revisions.head(journey, now=now).number):
        return "Somebody changed the draft since you looked at it. Look again, and publish it then."
    draft = publishing.draft_of(journey)
    try:
        plan = _plan(journey, draft, request.POST) if draft else []
        version = publishing.publish(
            journey.slug,
            include_members=request.POST.get("include_members") == "1",
            plan=plan,
            reason=request.POST.get("reason", "").replace("\x00", "")[:1000],
            despite_tests=request.POST.get("despite_tests") == "1",
            now=now,
        )
    except Invalid as invalid:
        if [problem.path for problem in invalid.problems] == ["reason"]:
            return "Say why it is published although a test fails."
        return "It is not published: something is to be mended first. See the list."
    except TestsFail as failed:
        return f"It is not published: {gate.said(failed.failed)}. Mend it, or say that it is meant, and why."
    except Refused as refusal:
        return str(refusal)
    messages.success(request, f"{journey.name} is published (version {version.number}): people enter it from now on.")
    return ""


def _standing(journey: Journey, draft: JourneyVersion, sent: Mapping[str, str]) -> list[Standing]:
    rows = [Standing(group, group.default, "") for group in following.groups(journey, draft)]
    for row in rows:
        row.do, row.to = sent.get(row.name, row.do), sent.get(f"{row.name}.to", "")
    return rows


def _plan(journey: Journey, draft: JourneyVersion, sent: Mapping[str, str]) -> list[dict[str, Any]]:
    """What staff chose beside what is usual."""
    plan = []
    for row in _standing(journey, draft, sent):
        if row.do and row.do != row.group.default:
            to = {"to": row.to} if row.do == following.MOVE else {}
            plan.append({"version": row.group.version, "step": row.group.step, "do": row.do, **to})
    return plan


def _steps(document: Document) -> list[tuple[str, str]]:
    return [(card.key, card.called) for card in flow.drawn(document, checked=False).cards_of()]


def backtest(request: HttpRequest, journey: Journey, site: AdminSite) -> HttpResponse:
    """What would have been in the last days: a part of the page, since it takes a while."""
    if not request.user.has_perm("journeys.change_journey"):
        raise PermissionDenied
    now = clock.now()
    asked = request.GET.get("days", "")
    days = min(90, max(1, int(asked))) if asked.isdecimal() and len(asked) < 4 else DAYS
    document = revisions.head(journey, now=now).document
    try:
        found = backtesting.backtest(journey.slug, document, days=days, now=now)
    except Invalid:
        return render(request, "journeys/editor/backtest.html", {"unsound": True})
    context = {
        "found": found,
        "days": days,
        "charts": [charts.entries(found), charts.messages(found)] if found.entered else [],
        "ways": charts.ways(found, document),
        "said": charts.said(found, document),
        "converted": plural(found.converted, "person", "people"),
        "per_person": f"{sum(one['messages'] for one in found.messages) / found.people:.1f}" if found.people else "0",
        "now": words.listed(found.as_of_now),
        "pressure": charts.pressed(pressure.forecast(journey.slug, found)) if found.per_person else None,
    }
    return render(request, "journeys/editor/backtest.html", context)
