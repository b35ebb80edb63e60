"""The page of a journey's tests: what came of each, how it differs, and what is done about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from foundation import clock
from foundation.errors import Refused
from foundation.wording import plural
from journeys.editor import revisions
from journeys.models import Journey
from journeys.testing import keeping, running
from journeys.testing.differing import MARKS, Line
from journeys.testing.models import JourneyTest


@dataclass
class Row:
    """A test, with what its last run said."""

    test: JourneyTest
    lines: list[Line] = field(default_factory=list)
    why: str = ""

    @property
    def tone(self) -> str:
        return {"passed": "good", "failed": "bad"}.get(self.test.result, "plain")

    @property
    def word(self) -> str:
        return self.test.get_result_display() if self.test.result else "Not run yet"


def tests(request: HttpRequest, journey: Journey, site: AdminSite) -> HttpResponse:
    """The list; what is pressed is done, and the list shown again."""
    if not request.user.has_perm("journeys.view_journeytest"):
        raise PermissionDenied
    if request.method == "POST":
        try:
            _do(request, journey)
        except Refused as refusal:
            messages.error(request, str(refusal))
        return HttpResponseRedirect(reverse("admin:journeys_journey_tests", args=[journey.pk]))
    rows = [_row(test) for test in keeping.of(journey)]
    context = {
        **site.each_context(request),
        "title": f"Tests of {journey.name}",
        "opts": Journey._meta,
        "journey": journey,
        "rows": rows,
        "failing": sum(row.test.result == JourneyTest.Result.FAILED for row in rows),
        "may_edit": request.user.has_perm("journeys.change_journey"),
        "may_change": request.user.has_perm("journeys.change_journeytest"),
        "may_delete": request.user.has_perm("journeys.delete_journeytest"),
    }
    request.current_app = site.name
    return render(request, "journeys/editor/tests.html", context)


def _row(test: JourneyTest) -> Row:
    lines = [Line(mark, line[2:]) for line in test.why.splitlines() for mark in MARKS if line.startswith(f"{mark} ")]
    return Row(test, lines, "" if lines else test.why)


_NEEDS: Mapping[str, str] = {"run": "view", "rename": "change", "accept": "change", "delete": "delete"}


def _do(request: HttpRequest, journey: Journey) -> None:
    do, _, key = request.POST.get("do", "").partition(":")
    if do not in _NEEDS:
        return
    if not request.user.has_perm(f"journeys.{_NEEDS[do]}_journeytest"):
        raise PermissionDenied
    now = clock.now()
    document = revisions.head(journey, now=now).document
    if do == "run":
        _tell(request, keeping.run(journey, document, now=now))
        return
    test = get_object_or_404(JourneyTest.objects.select_related("journey"), journey=journey, pk=_number(key))
    if do == "rename":
        keeping.rename(test, request.POST.get("name", ""))
        messages.success(request, "Saved.")
    elif do == "delete":
        keeping.delete(test)
        messages.success(request, f"The test “{test.name}” is deleted.")
    else:
        _accept(request, test, document, now)


def _accept(request: HttpRequest, test: JourneyTest, document: Any, now: Any) -> None:
    result = running.run(test.journey.slug, document, test.name, test.script, test.expect, now=now)
    if result.why:
        messages.error(request, result.why)
        return
    kept = keeping.accept(test, result.found, now=now)
    keeping.note(kept, running.run(test.journey.slug, document, kept.name, kept.script, kept.expect, now=now), now=now)
    messages.success(request, f"“{test.name}” expects from now on what the draft does now.")


def _tell(request: HttpRequest, results: list[running.Result]) -> None:
    failed = sum(not one.passed for one in results)
    if failed:
        messages.error(
            request, f"{plural(failed, 'test fails', 'tests fail')} of {len(results)}: see below what differs."
        )
    elif results:
        messages.success(request, f"{plural(len(results), 'test passes', 'tests pass')}.")


def _number(key: str) -> int:
    return int(key) if key.isdecimal() and len(key) < 12 else 0
