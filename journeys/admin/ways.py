"""Screens on journeys: each with who stands where, each person's way with its reasons, and who did not enter."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from foundation import wording
from foundation.admin import ReadOnlyAdmin, Serve, list_of, page_of
from foundation.pages import Entry, Facts, Flow, Head, Number, Numbers, Part, Story, Table, Verb, fragment
from journeys import documents, numbers, publishing, resuming, telling
from journeys.admin import finding, living
from journeys.editor.doors import Drawn
from journeys.models import Enrollment, EnrollmentState, Journey, JourneyVersion, Refusal, Transition

_STATUS: dict[str, wording.Tone] = {"draft": "plain", "live": "good", "paused": "warn", "stopped": "bad"}
_STATE: dict[str, wording.Tone] = {"active": "calm", "completed": "good", "exited": "plain", "failed": "bad"}
_SHOWN = 25


def _state(row: Enrollment) -> SafeString:
    return wording.badge(row.get_state_display(), _STATE[row.state])


def _sees_people(request: HttpRequest) -> bool:
    return request.user.has_perm("journeys.view_enrollment")


# ── Journeys ─────────────────────────────────────────────────────────────────────────────────────────────────────────
_VERBS = {
    "pause": Verb("pause", "Pause"),
    "queue": Verb("queue", "Pause, and keep who comes", "Whoever comes meanwhile enters when it is resumed. Pause it?"),
    "resume": Verb("resume", "Resume", "Waits went on meanwhile: those who are late go on now. Resume it?"),
    "shift": Verb("shift", "Resume, with waits put off", "Waits stood still during the pause. Resume it?"),
    "skip": Verb(
        "skip", "Resume without what was missed", "What would have happened during the pause is left out. Resume it?"
    ),
    "stop": Verb("stop", "Stop", "Everybody who is on the way is taken off, and nothing more is sent. Stop it?", True),
}
_ACTS: dict[str, tuple[Callable[..., Any], dict[str, Any], str]] = {
    "pause": (publishing.pause, {}, "{} is paused: nobody enters, goes on or hears from it."),
    "queue": (publishing.pause, {"queue": True}, "{} is paused: whoever comes meanwhile enters when it is resumed."),
    "resume": (publishing.resume, {}, "{} goes on."),
    "skip": (publishing.resume, {"how": "skip"}, "{} goes on, without what was missed."),
    "shift": (publishing.resume, {"shift": True}, "{} goes on, with all waits put off by the pause."),
    "stop": (publishing.stop, {}, "{} is stopped; people are taken off within moments."),
}
_OFFERED = {
    "live": ["pause", "queue", "stop"],
    "paused": ["resume", "shift", "skip", "stop"],
}


@admin.register(Journey)
class JourneyAdmin(Drawn):
    empty = (
        "Add a journey to begin: say what starts it, and draw what happens then. The API and playbooks make some, too."
    )
    list_display = ("name_", "starts", "status_", "on_the_way", "completed", "converted")
    list_filter = (("status", ChoicesDropdownFilter),)
    search_fields = ("name", "slug")
    ordering = ("name",)

    @display(description="Journey", ordering="name")
    def name_(self, journey: Journey) -> SafeString:
        return wording.wide(journey.name)

    @display(description="Starts when")
    def starts(self, journey: Any) -> SafeString:
        version = journey.version or publishing.draft_of(journey)
        if version is None or not _readable(version):
            return wording.quiet("")
        return wording.wide(", or ".join(telling.triggers(version.document)))

    @display(description="Status", ordering="status")
    def status_(self, journey: Journey) -> SafeString:
        return wording.badge(journey.get_status_display(), _STATUS[journey.status])

    @display(description="On the way")
    def on_the_way(self, journey: Any) -> str:
        return wording.amount(journey.totals.active)

    @display(description="Completed")
    def completed(self, journey: Any) -> str:
        return wording.amount(journey.totals.completed)

    @display(description="Reached the goal")
    def converted(self, journey: Any) -> str:
        return wording.amount(journey.totals.converted)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Journey]:
        return super().get_queryset(request).select_related("version")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list, with the totals of all that it shows asked at once."""
        found: Any = super().get_changelist_instance(request)
        totals = numbers.totals([row.pk for row in found.result_list])
        for row in found.result_list:
            row.totals = totals[row.pk]
        return found

    def head(self, request: HttpRequest, row: Any) -> Head:
        since = f" Paused {wording.ago(row.paused_at)}." if row.paused_at else ""
        if row.paused_because:
            since = f" It paused itself {wording.ago(row.paused_at or wording.now())}: {row.paused_because}"
        since += f" {resuming.said(row)}".rstrip()
        entered = numbers.totals([row.pk])[row.pk].entered
        lead = f"{row.description} {wording.plural(entered, 'person has', 'people have')} taken part.{since}"
        return Head(row.name, lead.strip(), [self.status_(row)])

    def parts(self, request: HttpRequest, row: Any) -> Sequence[Part]:
        version = row.version or publishing.draft_of(row)
        people = (
            [*finding.parts(request, row), _who_is_on_it(row), _who_did_not_enter(row)] if _sees_people(request) else []
        )
        flow = living.part(request, row, sees_people=_sees_people(request)) or _flow(row, version)
        return [_numbers(row), flow, *people, _versions(row)]

    def verbs(self, request: HttpRequest, row: Journey) -> Sequence[Verb]:
        draws = (
            [Verb("edit", "Edit", address=reverse("admin:journeys_journey_edit", args=[row.pk]))]
            if request.user.has_perm("journeys.change_journey")
            else []
        )
        if request.user.has_perm("journeys.view_journeytest"):
            draws.append(Verb("tests", "Tests", address=reverse("admin:journeys_journey_tests", args=[row.pk])))
        if not request.user.has_perm("journeys.publish_journey"):
            return draws
        if publishing.draft_of(row) is not None:
            check = reverse("admin:journeys_journey_check", args=[row.pk])
            draws.append(Verb("publish", "Check and publish", address=check))
        return [*draws, *(_VERBS[key] for key in _OFFERED.get(row.status, []))]

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        own = [
            path("<int:pk>/people/", guarded(self.standing_view), name="journeys_journey_standing"),
            path("<int:pk>/counts/", guarded(self.counts_view), name="journeys_journey_counts"),
        ]
        return [*own, *super().get_urls()]

    def counts_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        journey = get_object_or_404(Journey.objects.select_related("version"), pk=pk)
        return living.counts(request, journey, _numbers(journey), self.head(request, journey).lead)

    def standing_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        journey = get_object_or_404(Journey.objects.select_related("version"), pk=pk)
        return living.standing(request, journey, self.admin_site)

    def act(self, request: HttpRequest, row: Journey, verb: str) -> str:
        act, options, done = _ACTS[verb]
        act(row.slug, **options, now=wording.now())
        return done.format(row.name)


def _readable(version: JourneyVersion | None) -> bool:
    return version is not None and not documents.flaws(version.document)


def _numbers(row: Any) -> Part:
    def leading(state: str) -> str:
        return list_of(Enrollment, journey__id__exact=row.pk, state__exact=state)

    totals = numbers.totals([row.pk])[row.pk]
    shown = [
        Number("On the way", wording.amount(totals.active), address=leading("active"), icon="hiking"),
        Number("Completed", wording.amount(totals.completed), address=leading("completed"), icon="flag"),
        Number("Left", wording.amount(totals.exited), address=leading("exited"), icon="logout"),
        Number("Reached the goal", wording.amount(totals.converted), icon="emoji_events"),
    ]
    if totals.failed:
        shown.append(Number("Failed", wording.amount(totals.failed), address=leading("failed"), icon="error"))
    return Numbers(title="How it goes", numbers=shown)


def _flow(row: Journey, version: JourneyVersion | None) -> Part:
    standing = {key: step.waiting for key, step in numbers.of(row).steps.items() if step.waiting}
    shown = telling.lines(version.document, standing) if version and _readable(version) else []
    number = f"Version {version.number}" if version else ""
    note = number if row.version else f"{number}, which is not published yet"
    return Flow(title="The journey", note=note, lines=shown, empty="It cannot be shown: its document is not sound.")


def _who_is_on_it(row: Journey) -> Part:
    rows = row.enrollments.filter(state=EnrollmentState.ACTIVE).select_related("profile", "version")
    return Table(
        title="Who is on it",
        headers=["Person", "Stands at", "Since", "Goes on"],
        rows=[
            (
                wording.link(one.profile, page_of(one)),
                _place(one),
                wording.moment(one.step_entered_at),
                wording.moment(one.due_at),
            )
            for one in rows.order_by("-step_entered_at")[:_SHOWN]
        ],
        empty="Nobody is on the way now.",
        more=("Everybody who took part", list_of(Enrollment, journey__id__exact=row.pk)),
    )


def _who_did_not_enter(row: Journey) -> Part:
    rows = row.refusals.select_related("profile").order_by("-at")[:_SHOWN]
    return Table(
        title="Who did not enter",
        headers=["Person", "Why", "Last"],
        rows=[(wording.link(one.profile, page_of(one.profile)), _why(one), wording.moment(one.at)) for one in rows],
        empty="Whoever is kept out is listed here, with the reason. Nobody was.",
        more=("All of them", list_of(Refusal, journey__id__exact=row.pk)) if len(rows) == _SHOWN else None,
    )


def _why(row: Refusal) -> str:
    return f"{row.reason} ({wording.plural(row.times, 'time')})" if row.times > 1 else row.reason


def _versions(row: Journey) -> Part:
    return Table(
        title="Versions",
        aside=True,
        headers=["Version", "Published", "By"],
        rows=[
            (
                wording.amount(one.number),
                wording.moment(one.published_at, "a draft"),
                one.author.partition(":")[2] or one.author,
            )
            for one in row.versions.order_by("-number")[:_SHOWN]
        ],
        empty="Nothing was drafted yet.",
    )


def _place(one: Enrollment) -> SafeString:
    """The step at which somebody stands, by what happens there."""
    steps = (one.version.program or {}).get("steps", {})
    laid = steps.get(one.step)
    return wording.wide(telling.name_of(laid["given"]) if laid else one.step)


# ── People on journeys ───────────────────────────────────────────────────────────────────────────────────────────────
_TOLD: dict[str, tuple[str, str]] = {
    Transition.Answer.ENTERED: ("Entered the journey", "login"),
    Transition.Answer.WAIT: ("Waits: {}", "hourglass_empty"),
    Transition.Answer.ADVANCE: ("{}", "check"),
    Transition.Answer.LEAVE: ("Left the journey", "logout"),
    Transition.Answer.ENDED: ("Was taken off the journey", "block"),
    Transition.Answer.RETRY: ("Will be tried again: {}", "replay"),
    Transition.Answer.FAILED: ("Was parked: {}", "error"),
    Transition.Answer.FOLLOW: ("Went on in a new version", "alt_route"),
    Transition.Answer.MOVED: ("Was put on: {}", "moving"),
}


@admin.register(Enrollment)
class EnrollmentAdmin(ReadOnlyAdmin):
    empty = "People appear here as soon as something starts a journey for them."
    list_display = ("person", "journey_", "place", "since", "state_")
    list_filter = (("state", ChoicesDropdownFilter), ("journey", RelatedDropdownFilter))
    list_select_related = ("profile", "journey", "version")
    ordering = ("-entered_at",)

    @display(description="Person")
    def person(self, row: Enrollment) -> SafeString:
        return wording.wide(row.profile)

    @display(description="Journey")
    def journey_(self, row: Enrollment) -> SafeString:
        return wording.wide(row.journey)

    @display(description="Stands at")
    def place(self, row: Enrollment) -> SafeString:
        return _place(row) if row.state == EnrollmentState.ACTIVE else wording.wide(row.reason)

    @display(description="Entered", ordering="entered_at")
    def since(self, row: Enrollment) -> SafeString:
        return wording.moment(row.entered_at)

    @display(description="State", ordering="state")
    def state_(self, row: Enrollment) -> SafeString:
        return _state(row)

    def head(self, request: HttpRequest, row: Enrollment) -> Head:
        if row.state == EnrollmentState.ACTIVE:
            on = wording.ago(row.due_at or row.entered_at)
            lead = f"On the way since {wording.exact(row.entered_at)}; goes on {on}."
        else:
            lead = row.reason
        return Head(f"{row.profile} on {row.journey}", lead, [_state(row)])

    def parts(self, request: HttpRequest, row: Enrollment) -> Sequence[Part]:
        known = telling.names(row.version.document) if _readable(row.version) else {}
        rows = list(row.transitions.order_by("-id")[:500])
        return [
            Story(
                title="The way so far", entries=[_told(one, known) for one in rows], empty="Nothing has happened yet."
            ),
            *([finding.messages(row)] if request.user.has_perm("messaging.view_message") else []),
            *_calls(row),
            Facts(
                title="About it",
                aside=True,
                rows=[
                    ("Person", wording.link(row.profile, page_of(row.profile))),
                    ("Journey", wording.link(row.journey, page_of(row.journey))),
                    ("Version", wording.amount(row.version.number)),
                    ("Entered", wording.moment(row.entered_at)),
                    ("Stands at", _place(row) if row.state == EnrollmentState.ACTIVE else ""),
                    ("Goes on", wording.moment(row.due_at) if row.due_at else ""),
                    ("Or when they do", ", ".join(wording.spoken(name) for name in row.awaits)),
                    ("Reached the goal", wording.moment(row.converted_at) if row.converted_at else ""),
                    ("Ended", wording.moment(row.ended_at) if row.ended_at else ""),
                ],
            ),
            Facts(title="What started it", aside=True, rows=_cause(row), empty="Nothing is known of it."),
        ]

    def fragments(self) -> dict[str, Serve]:
        return {"journeys_of_person": _of_person}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Enrollment]:
        return super().get_queryset(request).select_related("profile", "journey", "version")


def _told(one: Transition, known: dict[str, str]) -> Entry:
    what, icon = _TOLD[one.answer]
    return Entry(
        what=what.format(known.get(one.step, wording.spoken(one.step))),
        when=wording.moment(one.at),
        why=one.reason,
        icon=icon,
    )


def _cause(row: Enrollment) -> list[tuple[str, object]]:
    event = row.context.get("event") or {}
    shown: list[tuple[str, object]] = [("They did", wording.spoken(event["name"]))] if event.get("name") else []
    shown += [(wording.spoken(name), wording.readable(value)) for name, value in event.get("properties", {}).items()]
    if segment := row.context.get("segment"):
        shown.append(("Segment", wording.spoken(segment)))
    shown += [
        (wording.spoken(name), wording.readable(value)) for name, value in (row.context.get("data") or {}).items()
    ]
    return shown


def _calls(row: Enrollment) -> list[Part]:
    """The webhooks that were called for them, where the journey has any."""
    calls = list(row.calls.order_by("created_at")[:50])
    if not calls:
        return []
    shown = [
        (wording.wide(one.host), one.get_state_display(), one.reason, wording.moment(one.ended_at or one.created_at))
        for one in calls
    ]
    return [Table(title="Webhooks", headers=["Called", "What became of it", "Why", "When"], rows=shown, empty="")]


def _of_person(request: HttpRequest, key: UUID) -> HttpResponse:
    """The journeys of a person, for their page: those that they are or were on, and those that did not take them."""
    rows = Enrollment.objects.filter(profile=key).select_related("journey", "version").order_by("-entered_at")
    refusals = Refusal.objects.filter(profile=key).select_related("journey").order_by("-at")
    parts: list[Part] = [
        Table(
            title="Journeys",
            headers=["Journey", "How it stands", "Since", ""],
            rows=[
                (
                    wording.link(one.journey, page_of(one)),
                    _place(one) if one.state == EnrollmentState.ACTIVE else wording.wide(one.reason),
                    wording.moment(one.ended_at or one.entered_at),
                    _state(one),
                )
                for one in rows[:_SHOWN]
            ],
            empty="They have not been on a journey.",
        )
    ]
    if kept_out := list(refusals[:_SHOWN]):
        parts.append(
            Table(
                title="Journeys that they did not enter",
                headers=["Journey", "Why", "Last"],
                rows=[(str(one.journey), _why(one), wording.moment(one.at)) for one in kept_out],
                empty="",
            )
        )
    return fragment(request, parts)


# ── Who did not enter ────────────────────────────────────────────────────────────────────────────────────────────────
@admin.register(Refusal)
class RefusalAdmin(ReadOnlyAdmin):
    empty = "Whoever is kept out of a journey is listed here, with the reason. Nobody was."
    list_display = ("person", "journey_", "why", "when")
    list_filter = (("cause", ChoicesDropdownFilter), ("journey", RelatedDropdownFilter))
    list_select_related = ("profile", "journey")
    ordering = ("-at",)

    @display(description="Person")
    def person(self, row: Refusal) -> SafeString:
        return wording.wide(row.profile)

    @display(description="Journey")
    def journey_(self, row: Refusal) -> SafeString:
        return wording.wide(row.journey)

    @display(description="Why")
    def why(self, row: Refusal) -> SafeString:
        return wording.wide(_why(row))

    @display(description="Last", ordering="at")
    def when(self, row: Refusal) -> SafeString:
        return wording.moment(row.at)

    def head(self, request: HttpRequest, row: Refusal) -> Head:
        return Head(f"{row.profile} did not enter {row.journey}", _why(row))

    def parts(self, request: HttpRequest, row: Refusal) -> Sequence[Part]:
        return [
            Facts(
                title="About it",
                rows=[
                    ("Person", wording.link(row.profile, page_of(row.profile))),
                    ("Journey", wording.link(row.journey, page_of(row.journey))),
                    ("Why", row.get_cause_display()),
                    ("How often", wording.plural(row.times, "time")),
                    ("Last", wording.moment(row.at)),
                ],
            )
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refusal]:
        return super().get_queryset(request).select_related("profile", "journey")
