"""Screens on segments: what each says in words, who is in it, who came and went, and how it became what it is."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from foundation import clock, registry, wording
from foundation.admin import ReadOnlyAdmin, Serve, page_of
from foundation.errors import Conflict, Invalid, Refused
from foundation.pages import Entry, Facts, Flow, Head, Line, Number, Numbers, Part, Prose, Story, Table, Verb, fragment
from profiles.models import Profile
from segments import definitions, language, limits
from segments import learnings as noting
from segments.editor import health as seen
from segments.editor.charting import chart
from segments.editor.history import history
from segments.editor.learnt import learnings
from segments.editor.views import edit, from_file, to_file
from segments.language import Condition
from segments.models import Membership, MembershipChange, Segment, SegmentVersion

_TONES: dict[str, wording.Tone] = {"draft": "plain", "live": "good", "archived": "calm"}
_SHOWN = 25
_LATELY = timedelta(days=7)
_WEEK = "in the last 7 days"
_BY_HAND = "People are put into it by hand, from a file, by the API or by a journey."


def _status(segment: Segment) -> SafeString:
    return wording.badge(segment.get_status_display(), _TONES[segment.status])


def _health(segment: Segment) -> SafeString:
    flags = _seen(segment).flags
    if flags:
        # What a flag means stands on the page of the segment, and here for whoever points at it.
        return format_html_join(
            " ",
            '<span class="c-badge {}" title="{}">{}</span>',
            (("c-bad" if word == "Needs attention" else "c-warn", said, word) for word, said in flags),
        )
    return wording.badge("Well", "good") if segment.status == Segment.Status.LIVE else wording.quiet("not live")


def _read(segment: Segment) -> Condition | None:
    try:
        return language.parse(segment.definition)
    except Invalid:
        return None


def _sentence(segment: Segment) -> str:
    if segment.kind == Segment.Kind.STATIC:
        return _BY_HAND
    condition = _read(segment)
    return f"{condition.sentence()}." if condition else "Its definition cannot be read any more."


def _sees_people(request: HttpRequest) -> bool:
    return request.user.has_perm("profiles.view_profile")


def _person(profile: Profile, request: HttpRequest) -> SafeString | str:
    return wording.link(profile, page_of(profile)) if _sees_people(request) else str(profile)


@admin.register(Segment)
class SegmentAdmin(ReadOnlyAdmin):
    empty = "Press + at the top to add one: you say in words who is in it. The API and playbooks make some, too."
    list_display = ("name_", "says", "size_", "week", "status_", "owner_", "used_by", "health")
    list_filter = (("status", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter), "family")
    search_fields = ("name", "slug")
    ordering = ("family", "position", "name")

    @display(description="Segment", ordering="name")
    def name_(self, segment: Segment) -> SafeString:
        return format_html('<bdi class="c-name">{}</bdi>', segment.name)

    @display(description="Who is in it")
    def says(self, segment: Segment) -> SafeString:
        return wording.wide(_sentence(segment))

    @display(description="People", ordering="size")
    def size_(self, segment: Segment) -> str:
        return wording.amount(segment.size)

    @display(description="Status", ordering="status")
    def status_(self, segment: Segment) -> SafeString:
        return _status(segment)

    @display(description="In a week")
    def week(self, segment: Segment) -> SafeString:
        return _week(_seen(segment))

    @display(description="Owner", ordering="owner__username")
    def owner_(self, segment: Segment) -> SafeString | str:
        return str(segment.owner) if segment.owner else wording.quiet("nobody")

    @display(description="Used by")
    def used_by(self, segment: Segment) -> SafeString:
        users = _seen(segment).used_by
        if not users:
            return wording.quiet("nothing")
        return format_html('<span title="{}">{}</span>', "; ".join(users), wording.plural(len(users), "place"))

    @display(description="Health")
    def health(self, segment: Segment) -> SafeString:
        return _health(segment)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Catalogue

    # ── Its page ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def head(self, request: HttpRequest, row: Segment) -> Head:
        badges = [_status(row)]
        if row.flagged:
            badges.append(wording.badge("Needs attention", "bad"))
        return Head(row.name, _sentence(row), badges)

    def parts(self, request: HttpRequest, row: Segment) -> Sequence[Part]:
        parts: list[Part] = [_numbers(row)]
        if flags := seen.of([row], wording.now())[row.pk].flags:
            parts.append(Prose(title="What to look at", text="\n\n".join(said for _, said in flags)))
        if row.kind == Segment.Kind.DYNAMIC:
            parts.append(_flow(row))
        if row.refreshed_at is not None:
            parts.append(chart(row, Membership.objects.filter(segment=row).count(), wording.now()))
        may = request.user.has_perm("segments.change_segment")
        return [
            *parts,
            learnings(row, may_add=request.user.has_perm("segments.add_learning")),
            _lately(request, row),
            _sample(request, row),
            history(row, may_restore=may and row.status != Segment.Status.ARCHIVED),
            _about(row),
            _used_by(row),
            _alike(row),
        ]

    def verbs(self, request: HttpRequest, row: Segment) -> Sequence[Verb]:
        if not request.user.has_perm("segments.change_segment"):
            return []
        return _page_verbs(row)

    def act(self, request: HttpRequest, row: Segment, verb: str) -> str:
        now = clock.now()
        if verb == "archive":
            definitions.archive(row.slug, now=now)
            return f"“{row.name}” is archived: nobody is in it any more, and its history stays."
        if verb == "draft":
            definitions.save(row.slug, status=Segment.Status.DRAFT, now=now)
            return f"“{row.name}” is a draft: nobody is in it."
        if verb.startswith("restore-"):
            return _restore(row, int(verb.removeprefix("restore-")), now)
        entered, left, size = definitions.refresh(row, clock.now())
        people = wording.plural(size, "person is", "people are")
        return f"{wording.amount(entered)} came, {wording.amount(left)} went; {people} in it now."

    def fragments(self) -> dict[str, Serve]:
        return {"segments_of_person": _of_person}

    def _do(self, request: HttpRequest, row: Any) -> HttpResponse:
        """What was learnt, and which version is restored, is said in their cards; the other verbs stand at the top."""
        verb = request.POST.get("verb", "")
        if verb == "note":
            return self._noted(request, row)
        if verb.startswith("restore-"):
            return self._restored(request, row, verb)
        return super()._do(request, row)

    def _noted(self, request: HttpRequest, row: Segment) -> HttpResponse:
        if not request.user.has_perm("segments.add_learning"):
            raise PermissionDenied
        try:
            noting.note(row, request.POST.get("text", ""), now=clock.now())
        except Invalid as invalid:
            messages.error(request, invalid.problems[0].reason)
        else:
            messages.success(request, "It is noted.")
        return HttpResponseRedirect(request.path)

    def _restored(self, request: HttpRequest, row: Segment, verb: str) -> HttpResponse:
        number = verb.removeprefix("restore-")
        is_there = number.isascii() and number.isdigit() and len(number) < 9
        if not (is_there and request.user.has_perm("segments.change_segment")):
            raise PermissionDenied
        try:
            messages.success(request, self.act(request, row, verb))
        except Refused as refusal:
            messages.error(request, str(refusal))
        return HttpResponseRedirect(request.path)

    def _page(self, request: HttpRequest, row: Any) -> TemplateResponse:
        page = super()._page(request, row)
        page.template_name = "segments/page.html"
        links = []
        if request.user.has_perm("segments.change_segment"):
            links.append(("Edit", reverse("admin:segments_segment_edit", args=[row.pk])))
        links.append(("Take it along as a file", reverse("admin:segments_segment_file", args=[row.pk])))
        page.context_data = {**(page.context_data or {}), "links": links}
        return page

    # ── The builder ──────────────────────────────────────────────────────────────────────────────────────────────────
    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("segments.add_segment")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return edit(request, None, self.admin_site)

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return edit(request, get_object_or_404(self.get_queryset(request), pk=pk), self.admin_site)

    def from_file_view(self, request: HttpRequest) -> HttpResponse:
        return from_file(request, self.admin_site)

    def file_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return to_file(get_object_or_404(self.get_queryset(request), pk=pk))

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("<int:pk>/edit/", wrap(self.edit_view), name="segments_segment_edit"),
            path("<int:pk>/file/", wrap(self.file_view), name="segments_segment_file"),
            path("from-file/", wrap(self.from_file_view), name="segments_segment_from_file"),
        ]
        return [*own, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        return super().get_queryset(request).select_related("owner", "version")


class Catalogue(ChangeList):
    """The list of segments; what is told of a page's rows is asked for all of them at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        found = seen.of(self.result_list, wording.now())
        for row in self.result_list:
            row.seen = found[row.pk]


def _seen(segment: Segment) -> seen.Health:
    found: seen.Health = getattr(segment, "seen", None) or seen.of([segment], wording.now())[segment.pk]
    return found


def _week(week: seen.Health) -> SafeString:
    if not (week.came or week.went):
        return wording.quiet("as it was")
    return format_html(
        '<span class="c-moment"><span aria-hidden="true">↑</span> {} came</span> '
        '<span class="c-moment"><span aria-hidden="true">↓</span> {} went</span>',
        wording.amount(week.came),
        wording.amount(week.went),
    )


def _page_verbs(row: Segment) -> list[Verb]:
    archive = Verb(
        "archive", "Archive", f"Take “{row.name}” out of use? Nobody is in it then; its history stays.", danger=True
    )
    match row.status:
        case Segment.Status.LIVE:
            look = [Verb("refresh", "Look through everybody now")] if row.kind == Segment.Kind.DYNAMIC else []
            draft = Verb("draft", "Back to a draft", f"Make “{row.name}” a draft again? Nobody is in it then.")
            return [*look, draft, archive]
        case Segment.Status.ARCHIVED:
            return [Verb("draft", "Bring it back as a draft")]
    return [archive]


def _restore(row: Segment, number: int, now: datetime) -> str:
    version = SegmentVersion.objects.filter(segment=row, number=number).first()
    if version is None:
        raise Conflict(f"“{row.name}” has no version {number}.")
    saved = definitions.save(row.slug, definition=version.definition, reason=f"Version {number} was restored.", now=now)
    return f"Version {number} is the definition again, as version {saved.version.number if saved.version else number}."


def _alike(row: Segment) -> Part:
    alike = seen.overlaps([row]).get(row.pk, [])[:8]
    return Table(
        title="Who is in others, too",
        note="Of a sample of its newest people." if alike else "",
        aside=True,
        headers=["Segment", "Share"],
        rows=[(name, f"{share:.0%}") for name, share, _ in alike],
        empty="It shares nobody with another live segment, or it is too small to say.",
    )


def _numbers(row: Segment) -> Part:
    since = wording.now() - _LATELY
    flow = MembershipChange.objects.filter(segment=row, at__gt=since).aggregate(
        came=Count("id", filter=Q(entered=True)), went=Count("id", filter=Q(entered=False))
    )
    return Numbers(
        title="How it stands",
        numbers=[
            Number("People", wording.amount(Membership.objects.filter(segment=row).count()), icon="group"),
            Number("Came", wording.amount(flow["came"]), _WEEK, icon="login"),
            Number("Went", wording.amount(flow["went"]), _WEEK, icon="logout"),
        ],
    )


def _flow(row: Segment) -> Part:
    condition = _read(row)
    lines = [Line(depth, words[:1].upper() + words[1:]) for depth, words in condition.lines()] if condition else []
    note = ""
    if row.family:
        note = f"It belongs to the family {wording.spoken(row.family)}: the first of its segments that matches wins."
    return Flow(title="Who is in it", note=note, lines=lines, empty="Its definition cannot be read any more.")


def _lately(request: HttpRequest, row: Segment) -> Part:
    changes = MembershipChange.objects.filter(segment=row).select_related("profile").order_by("-at", "-id")[:_SHOWN]
    return Story(
        title="Who came and went lately",
        entries=[
            Entry(
                format_html("{} {}", _person(change.profile, request), "came" if change.entered else "went"),
                wording.moment(change.at),
                change.get_cause_display(),
                "login" if change.entered else "logout",
            )
            for change in changes
        ],
        empty="Everybody who comes or goes is told here, with when and why.",
    )


def _sample(request: HttpRequest, row: Segment) -> Part:
    members = Membership.objects.filter(segment=row).select_related("profile").order_by("-entered_at", "-id")[:_SHOWN]
    return Table(
        title="Some who are in it",
        note="Those who came last come first.",
        headers=["Person", "Email", "Since", "Why"],
        rows=[
            (
                _person(member.profile, request),
                (member.profile.email or "") if _sees_people(request) else "",
                wording.moment(member.entered_at),
                member.get_cause_display(),
            )
            for member in members
        ],
        empty="Nobody is in it." if row.status == Segment.Status.LIVE else "It is not live, so nobody is in it.",
    )


def _about(row: Segment) -> Part:
    return Facts(
        title="About it",
        aside=True,
        rows=[
            ("What it is", row.description),
            ("What we think", row.hypothesis),
            ("What they need", row.needs),
            ("How to reach them", ", ".join(wording.spoken(channel) for channel in row.preferred_channels)),
            ("How we know that it works", row.success_metric),
            ("Used for", "marketing: who objects to it is left out" if row.marketing else "service or analysis alone"),
            ("Owner", str(row.owner) if row.owner else ""),
            ("Family", f"{wording.spoken(row.family)}, place {row.position}" if row.family else ""),
            ("Filled", row.get_kind_display()),
            ("Looked through", wording.moment(row.swept_at or row.refreshed_at)),
            ("Made", wording.moment(row.created_at)),
        ],
    )


def _used_by(row: Segment) -> Part:
    users = [sentence for answers in registry.references.ask("segment", row.slug) for sentence in answers]
    return Table(title="Used by", aside=True, headers=["What"], rows=[(user,) for user in users], empty="Nothing yet.")


# ── On a person's page ───────────────────────────────────────────────────────────────────────────────────────────────
def _of_person(request: HttpRequest, key: UUID) -> HttpResponse:
    """In which segments a person is, since when and why."""
    members = (
        Membership.objects.filter(profile_id=key).select_related("segment").order_by("-entered_at", "segment__name")
    )
    part = Table(
        title="Segments",
        headers=["In", "Since", "Why"],
        rows=[
            (
                wording.link(member.segment, page_of(member.segment)),
                wording.moment(member.entered_at),
                member.get_cause_display(),
            )
            for member in members
        ],
        note=" ".join(limits.kept_out(key)),
        empty="This person is in no segment.",
    )
    return fragment(request, [part])
