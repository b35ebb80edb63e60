"""The flow of a published journey with its numbers, by version and period; and who stands at a step, to be helped."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from foundation import wording
from foundation.admin import page_of
from foundation.errors import Refused
from foundation.pages import Part
from journeys import moving, numbers
from journeys.editor import flow, shape
from journeys.editor.flow import Flow
from journeys.models import Enrollment, EnrollmentState, Journey, JourneyVersion
from journeys.moving import Done
from journeys.numbers import Numbers
from segments.editor.controls import Option

PERIODS = (
    ("", "since ever"),
    ("7", "in the last 7 days"),
    ("30", "in the last 30 days"),
    ("90", "in the last 90 days"),
)
_MOST = 200


@dataclass(frozen=True, kw_only=True)
class Living(Part):
    """The flow, drawn with how many came by."""

    template: ClassVar[str] = "journeys/live/flow.html"
    journey: Journey
    flow: Flow
    numbers: Numbers
    versions: Sequence[Option] = ()
    version: str = ""
    period: str = ""
    sees_people: bool = False
    shown: int = 0
    is_live: bool = False
    """Whether its numbers are asked for again while somebody looks."""
    periods: Sequence[tuple[str, str]] = field(default=PERIODS)

    @property
    def entered(self) -> str:
        return wording.amount(self.numbers.entered)

    @property
    def converted(self) -> str:
        return wording.amount(self.numbers.converted)

    @property
    def seen(self) -> str:
        """What its numbers are, in short: nothing is swapped while they are the same."""
        return hashlib.sha256(repr(self.numbers).encode()).hexdigest()[:16]

    @property
    def share(self) -> str:
        return f"{100 * self.numbers.converted / self.numbers.entered:.0f} %" if self.numbers.entered else ""


def part(request: HttpRequest, journey: Journey, *, sees_people: bool) -> Living | None:
    """The flow of the version that is asked for, else of the one that people enter; None where none can be shown."""
    published = list(journey.versions.exclude(published_at=None).order_by("-number")[:50])
    if not published:
        return None
    asked = request.GET.get("version", "")
    version = next((one for one in published if str(one.number) == asked), None)
    drawn = next((one for one in published if str(one.number) == request.GET.get("shown", "")), None)
    shown: JourneyVersion = version or drawn or journey.version or published[0]
    if shape.flaws(shown.document):
        return None
    period = request.GET.get("period", "")
    days = int(period) if period in {key for key, _ in PERIODS if key} else 0
    since = wording.now() - timedelta(days=days) if days else None
    found = numbers.of(journey, version, since)
    note = "" if version else " Numbers are those of all versions together; steps that are gone are not shown."
    return Living(
        title="The journey",
        note=f"Version {shown.number}.{note if len(published) > 1 else ''}",
        journey=journey,
        flow=flow.drawn(shown.document, found, checked=False),
        numbers=found,
        versions=[Option(str(one.number), f"version {one.number}") for one in published],
        version=str(version.number) if version else "",
        period=period if days else "",
        sees_people=sees_people,
        shown=shown.number,
        is_live=journey.status == Journey.Status.LIVE,
    )


def counts(request: HttpRequest, journey: Journey, totals: Part, lead: object) -> HttpResponse:
    """The numbers anew, each for its place; nothing where they are as they were."""
    if not request.user.has_perm("journeys.view_journey"):
        raise PermissionDenied
    found = part(request, journey, sees_people=request.user.has_perm("journeys.view_enrollment"))
    if found is None or not found.is_live or found.seen == request.GET.get("seen"):
        return HttpResponse(status=204)
    return render(request, "journeys/live/counts.html", {"part": found, "totals": totals, "lead": lead})


# ── Who stands at a step ─────────────────────────────────────────────────────────────────────────────────────────────
def standing(request: HttpRequest, journey: Journey, site: AdminSite) -> HttpResponse:
    """Those on the way at one step, and those who were parked there; sent, they are helped on, with a reason."""
    if not request.user.has_perm("journeys.view_enrollment"):
        raise PermissionDenied
    step = request.GET.get("step", "")[:100]
    if request.method == "POST":
        if not request.user.has_perm("journeys.change_enrollment"):
            raise PermissionDenied
        _help_on(request, journey, step)
        return HttpResponseRedirect(request.get_full_path())
    rows = Enrollment.objects.filter(
        journey=journey, step=step, state__in=[EnrollmentState.ACTIVE, EnrollmentState.FAILED]
    )
    people = list(rows.select_related("profile", "version").order_by("-step_entered_at")[: _MOST + 1])
    document = journey.version.document if journey.version else shape.empty()
    drawn = flow.drawn(document, checked=False)
    card = drawn.card(step)
    context = {
        **site.each_context(request),
        "title": f"Who stands at “{card.called if card else step}”",
        "opts": Journey._meta,
        "journey": journey,
        "back": page_of(journey),
        "card": card,
        "step": step,
        "people": people[:_MOST],
        "more": len(people) > _MOST,
        "steps": [(one.key, one.called) for one in drawn.cards_of()],
        "may_help": request.user.has_perm("journeys.change_enrollment"),
        "any_failed": any(one.state == EnrollmentState.FAILED for one in people),
    }
    request.current_app = site.name
    return render(request, "journeys/live/standing.html", context)


def _help_on(request: HttpRequest, journey: Journey, step: str) -> None:
    """Does with those who are chosen what the button says."""
    reason = request.POST.get("reason", "").strip()
    try:
        ids = _ids(request.POST.getlist("who"))
        chosen = moving.chosen(journey, step=step, ids=ids) if ids else []
        if not chosen:
            messages.error(request, "Choose at least one person first.")
        elif not reason:
            messages.error(request, "Say why: it is kept with their story and in the audit trail.")
        else:
            done = _done(request.POST.get("do", ""), journey, chosen, reason, request.POST.get("to", ""))
            _tell(request, done)
    except Refused as refusal:
        messages.error(request, str(refusal))


def _ids(sent: Sequence[str]) -> list[UUID]:
    found = []
    for one in sent[: moving.MOST]:
        try:
            found.append(UUID(one))
        except ValueError:
            continue
    return found


def _done(do: str, journey: Journey, chosen: Sequence[UUID], reason: str, to: str) -> Done:
    now = wording.now()
    match do:
        case "move":
            return moving.move(journey.slug, chosen, step=to, reason=reason, now=now)
        case "exit":
            return moving.exit(journey.slug, chosen, reason=reason, now=now)
        case "retry":
            return moving.retry(journey.slug, chosen, reason=reason, now=now)
    raise PermissionDenied


def _tell(request: HttpRequest, done: Done) -> None:
    if done.done:
        messages.success(request, f"Done for {wording.plural(done.done, 'person', 'people')}.")
    if done.skipped:
        said = f"It could not be done for {wording.plural(done.skipped, 'person', 'people')}. {done.why}"
        messages.warning(request, said.strip())
