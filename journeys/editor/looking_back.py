"""The page of versions: any two beside each other, one of them put back as the draft, and who did what to it."""

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from foundation import clock, wording
from foundation.admin import page_of
from foundation.errors import Refused
from journeys.editor import revisions, shape
from journeys.editor.comparing import compared
from journeys.editor.edits import Replace
from journeys.models import Journey, JourneyVersion, Revision

_SHOWN = 50


@dataclass(frozen=True)
class Row:
    """A version as the list tells it."""

    number: int
    is_draft: bool
    is_live: bool
    author: str
    when: str
    reason: str


@dataclass(frozen=True)
class Done:
    """An edit as the history tells it."""

    what: str
    who: str
    when: str


def versions(request: HttpRequest, journey: Journey, site: AdminSite) -> HttpResponse:
    """Compares two versions; sent, it puts one back as the draft."""
    if not request.user.has_perm("journeys.view_journeyversion"):
        raise PermissionDenied
    rows = list(journey.versions.order_by("-number")[:_SHOWN])
    if request.method == "POST":
        return _restore(request, journey, rows)
    after = _chosen(rows, request.GET.get("to", "")) or (rows[0] if rows else None)
    older = [row for row in rows if after and row.number < after.number]
    before = _chosen(rows, request.GET.get("from", "")) or (older[0] if older else None)
    readable = before and after and not shape.flaws(before.document) and not shape.flaws(after.document)
    context = {
        **site.each_context(request),
        "title": f"Versions of {journey.name}",
        "opts": Journey._meta,
        "journey": journey,
        "back": page_of(journey),
        "rows": [_row(row, journey) for row in rows],
        "before": before,
        "after": after,
        "compared": compared(before.document, after.document) if readable and before and after else None,
        "may_edit": request.user.has_perm("journeys.change_journey"),
        "history": [
            Done(row.what, revisions.person(row.author), wording.ago(row.at))
            for row in journey.revisions.exclude(kind=Revision.Kind.FOUND).order_by("-number").defer("document")[:30]
        ],
    }
    request.current_app = site.name
    return render(request, "journeys/editor/versions.html", context)


def _chosen(rows: list[JourneyVersion], number: str) -> JourneyVersion | None:
    return next((row for row in rows if str(row.number) == number), None)


def _row(row: JourneyVersion, journey: Journey) -> Row:
    is_draft = row.published_at is None
    return Row(
        row.number,
        is_draft,
        row.pk == journey.version_id,
        revisions.person(row.author),
        wording.ago(row.published_at or row.created_at),
        row.reason,
    )


def _restore(request: HttpRequest, journey: Journey, rows: list[JourneyVersion]) -> HttpResponse:
    if not request.user.has_perm("journeys.change_journey"):
        raise PermissionDenied
    row = _chosen(rows, request.POST.get("restore", ""))
    now = clock.now()
    try:
        if row is None or shape.flaws(row.document):
            messages.error(request, "This version cannot be put back: it is not there, or cannot be read.")
        else:
            revisions.do(journey.slug, Replace(row.document), upon=revisions.head(journey, now=now).number, now=now)
            messages.success(request, f"The draft is as version {row.number} was. Publish it, or undo it.")
    except Refused as refusal:
        messages.error(request, str(refusal))
    return HttpResponseRedirect(reverse("admin:journeys_journey_edit", args=[journey.pk]))
