"""Requests under the GDPR, for staff: what is asked for, by when, what was done about it, and all that is held."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.utils import timezone, translation
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from consent import everything, reading, requests, stories
from consent.admin.parts import Field, Form
from consent.api_privacy import in_status
from consent.models import PrivacyRequest, PrivacyStep
from consent.public import page
from foundation import clock, wording
from foundation.admin import ReadOnlyAdmin, Serve, page_of
from foundation.errors import Invalid, Refused
from foundation.pages import Entry, Facts, Head, Part, Prose, Story, Verb
from profiles import people
from profiles.models import Profile
from staff import audit

_STATUS: dict[str, tuple[str, wording.Tone]] = {
    "open": ("Open", "calm"),
    "due_soon": ("Due soon", "warn"),
    "overdue": ("Overdue", "bad"),
    "closed": ("Closed", "good"),
}


class StatusFilter(admin.SimpleListFilter):
    title, parameter_name = "status", "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key, label) for key, (label, _tone) in _STATUS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        status = self.value()
        return queryset.filter(in_status(status, requests.today(clock.now()))) if status in _STATUS else queryset


@admin.register(PrivacyRequest)
class PrivacyRequestAdmin(ReadOnlyAdmin):
    empty = "What people ask for about their data, on their page or through you, stands here with the day it is due."
    list_display = ("kind_", "person", "status_", "due", "raised")
    list_filter = (StatusFilter, ("kind", ChoicesDropdownFilter))
    list_select_related = ("profile",)
    # Those that are open before those that are closed; of the open, who has waited longest beyond their day.
    ordering = (F("closed_at").desc(nulls_first=True), "due_on", "id")

    @display(description="Asked for", ordering="kind")
    def kind_(self, row: PrivacyRequest) -> SafeString:
        return wording.wide(row.get_kind_display())

    @display(description="Person")
    def person(self, row: PrivacyRequest) -> object:
        return row.profile or wording.quiet("erased")

    @display(description="Status")
    def status_(self, row: PrivacyRequest) -> SafeString:
        return wording.badge(*_STATUS[requests.status(row, clock.now())])

    @display(description="Due", ordering="due_on")
    def due(self, row: PrivacyRequest) -> str:
        return f"{row.due_on:%-d %B %Y}"

    @display(description="Raised", ordering="raised_at")
    def raised(self, row: PrivacyRequest) -> SafeString:
        return wording.moment(row.raised_at)

    # ── One request ──────────────────────────────────────────────────────────────────────────────────────────────────
    def head(self, request: HttpRequest, row: PrivacyRequest) -> Head:
        whose = str(row.profile) if row.profile else "Somebody who was erased"
        lead = f"Closed: {row.answer}" if row.closed_at else f"To be answered by {self.due(row)}."
        return Head(f"{whose}: {row.get_kind_display()}", lead, [self.status_(row)])

    def parts(self, request: HttpRequest, row: PrivacyRequest) -> Sequence[Part]:
        return [
            Prose(title="In their words", text=row.said, empty="They said no more than this."),
            *self._forms(request, row),
            Story(
                title="What was done",
                entries=[_told(step) for step in row.steps.order_by("-at", "-id")],
                empty="Nothing yet.",
            ),
            Facts(
                title="About it",
                aside=True,
                rows=[
                    ("Person", wording.link(row.profile, page_of(row.profile)) if row.profile else "erased"),
                    ("Came by", row.get_via_display()),
                    ("Due", self.due(row)),
                    ("Takes longer, since", row.extended),
                    ("Is it them?", row.identity or _known_by(row)),
                    ("Ended as", row.get_outcome_display() if row.outcome else ""),
                ],
            ),
            Prose(title="What is asked of you", aside=True, text=_GUIDE[row.kind]),
        ]

    def _forms(self, request: HttpRequest, row: PrivacyRequest, wrong: Mapping[str, str] | None = None) -> list[Form]:
        if not request.user.has_perm("consent.change_privacyrequest"):
            return []
        posted, wrong = request.POST, wrong or {}
        return [form(row, posted, wrong) for do, form in _FORMS.items() if _offers(do, row)]

    def verbs(self, request: HttpRequest, row: PrivacyRequest) -> Sequence[Verb]:
        may_do = request.user.has_perm("consent.change_privacyrequest")
        if row.closed_at is not None or row.profile is None or not may_do:
            return []
        if row.kind == PrivacyRequest.Kind.RECTIFICATION:
            return []
        erases = row.kind == PrivacyRequest.Kind.ERASURE
        question = "All that names them is erased, and cannot be brought back." if erases else ""
        return [Verb("carry_out", "Do it now", question, danger=erases)]

    def act(self, request: HttpRequest, row: PrivacyRequest, verb: str) -> str:
        return requests.carry_out(row.id, now=clock.now()).answer

    def _do(self, request: HttpRequest, row: Any) -> HttpResponse:
        do = request.POST.get("do", "")
        if not do:
            return super()._do(request, row)
        if not request.user.has_perm("consent.change_privacyrequest") or do not in _FORMS or not _offers(do, row):
            raise PermissionDenied
        try:
            messages.success(request, _ACTS[do](row, request.POST))
        except Invalid as refusal:
            wrong = {problem.path: f"It {problem.reason}." for problem in refusal.problems}
            response = self._page(request, row)
            shown = response.context_data or {}
            others = [part for part in shown.get("main", []) if not isinstance(part, Form)]
            shown["main"] = [*others[:1], *self._forms(request, row, wrong), *others[1:]]
            response.status_code = 422
            return response
        except Refused as refusal:
            messages.error(request, str(refusal))
        return HttpResponseRedirect(request.path)

    # ── Raising one for somebody ─────────────────────────────────────────────────────────────────────────────────────
    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("consent.add_privacyrequest")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """For whoever is named in the form."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._ask(request, None)

    def _ask_for(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """For this person."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._ask(request, _person(key))

    def _ask(self, request: HttpRequest, profile: Profile | None) -> HttpResponse:
        wrong: dict[str, str] = {}
        if request.method == "POST":
            who = request.POST.get("who", "").strip()
            whose = profile or people.find(who) or _by_email(who)
            if whose is None:
                wrong["who"] = "Nobody is known by this. Write their email address, or your id of them, in full."
            else:
                try:
                    row = _raise(whose, request.POST)
                except Invalid as refusal:
                    wrong = {problem.path: f"It {problem.reason}." for problem in refusal.problems}
                else:
                    messages.success(request, f"It is raised, and due on {self.due(row)}.")
                    return HttpResponseRedirect(page_of(row))
        title = f"A request for {profile}" if profile else "A request for somebody"
        lead = "Raise here what somebody asked for by mail, by telephone or face to face: the month counts from now."
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "head": Head(title, lead),
            "main": [_asking(profile, request.POST, wrong)],
            "aside": [Prose(title="How do you know that it is them?", text=_IDENTITY)],
            "verbs": [],
        }
        return TemplateResponse(request, "admin/cairn/page.html", context, status=422 if wrong else 200)

    # ── All that is held ─────────────────────────────────────────────────────────────────────────────────────────────
    def fragments(self) -> dict[str, Serve]:
        return {
            "request_for_person": self._ask_for,
            "everything_of_person": _everything,
            "everything_as_file": _as_file,
        }


def _person(key: UUID) -> Profile:
    profile = Profile.objects.select_related("account").filter(pk=key).first()
    if profile is None:
        raise Http404
    return profile


def _by_email(text: str) -> Profile | None:
    """Who has this address, if that is one person."""
    found = list(Profile.objects.filter(email__iexact=text)[:2]) if text else []
    return found[0] if len(found) == 1 else None


def _everything(request: HttpRequest, key: UUID) -> HttpResponse:
    """What the person themselves can read, in their language, to look at, print and hand over."""
    profile = _taken_out(request, key, "Read everything that is held about a person.")
    with translation.override(everything.language_of(profile)), timezone.override(timezone.get_default_timezone()):
        shown = reading.page_of(everything.gather(profile, clock.now()))
        return page("consent/everything.html", {**shown, "by_staff": True})


def _as_file(request: HttpRequest, key: UUID) -> HttpResponse:
    profile = _taken_out(request, key, "Downloaded everything that is held about a person.")
    data = everything.gather(profile, clock.now())
    return JsonResponse(data, headers={"Content-Disposition": 'attachment; filename="person.json"'})


def _taken_out(request: HttpRequest, key: UUID, what: str) -> Profile:
    if not request.user.has_perm("consent.export_privacyrequest"):
        raise PermissionDenied
    profile = _person(key)
    audit.record("export", "profile", str(profile.pk), what)
    return profile


def _told(step: PrivacyStep) -> Entry:
    who = stories.who(step.actor)
    said = f": {step.said}" if step.said else "."
    return Entry(step.what, wording.moment(step.at), f"{who[:1].upper()}{who[1:]}{said}")


def _known_by(row: PrivacyRequest) -> str:
    return "By the link of their page." if row.via == PrivacyRequest.Via.PAGE else "Nobody noted how that is known."


# ── Forms ────────────────────────────────────────────────────────────────────────────────────────────────────────────
Posted = Mapping[str, str]


def _asking(profile: Profile | None, posted: Posted, wrong: Mapping[str, str]) -> Form:
    who = Field(
        name="who",
        label="Who",
        value=posted.get("who", ""),
        hint="Their email address, or your id of them.",
        flaw=wrong.get("who", ""),
    )
    return Form(
        title="What they ask for",
        do="raise",
        button="Raise it",
        fields=[
            *([] if profile else [who]),
            Field(name="kind", label="What", value=posted.get("kind", ""), choices=PrivacyRequest.Kind.choices),
            _words("said", "In their words", posted, wrong, required=False),
            _words("identity", "How you know that it is them", posted, wrong, lines=2, required=False),
        ],
    )


def _answering(row: PrivacyRequest, posted: Posted, wrong: Mapping[str, str]) -> Form:
    return Form(
        title="Close it with an answer",
        do="close",
        button="Close it",
        fields=[
            Field(name="outcome", label="How", value=posted.get("outcome", ""), choices=PrivacyRequest.Outcome.choices),
            _words(
                "answer",
                "What they were told",
                posted,
                wrong,
                hint="If it is refused: why, and that they can complain.",
            ),
        ],
    )


def _extending(row: PrivacyRequest, posted: Posted, wrong: Mapping[str, str]) -> Form:
    hint = "They are mailed it. The law allows this once, for what is complex, before it is overdue."
    return Form(
        title="It takes two months more",
        do="extend",
        button="Tell them, and take longer",
        fields=[_words("extended", "Why", posted, wrong, lines=2, hint=hint)],
    )


def _identifying(row: PrivacyRequest, posted: Posted, wrong: Mapping[str, str]) -> Form:
    hint = "Ask for more than they gave only where you have reason to doubt, and keep no copy of a document."
    return Form(
        title="Is it them?",
        do="identify",
        button="Note it",
        fields=[_words("identity", "How you made sure", posted, wrong, lines=2, hint=hint)],
    )


def _lifting(row: PrivacyRequest, posted: Posted, wrong: Mapping[str, str]) -> Form:
    restricted = row.kind == PrivacyRequest.Kind.RESTRICTION
    return Form(
        title="Lift the restriction" if restricted else "Lift the objection",
        note="Their data is only stored." if restricted else "They get no marketing, whatever they agree to.",
        do="lift",
        button="Lift it",
        question="Their data is used as before from then on. Lift it?",
        fields=[_words("reason", "Why", posted, wrong, lines=2, hint="They are mailed it." if restricted else "")],
    )


def _words(
    name: str,
    label: str,
    posted: Posted,
    wrong: Mapping[str, str],
    *,
    hint: str = "",
    lines: int = 4,
    required: bool = True,
) -> Field:
    return Field(
        name=name,
        label=label,
        value=posted.get(name, ""),
        hint=hint,
        flaw=wrong.get(name, ""),
        lines=lines,
        required=required,
    )


_FORMS: dict[str, Callable[[PrivacyRequest, Posted, Mapping[str, str]], Form]] = {
    "close": _answering,
    "identify": _identifying,
    "extend": _extending,
    "lift": _lifting,
}


def _offers(do: str, row: PrivacyRequest) -> bool:
    if do == "lift":
        return requests.may_lift(row)
    if do == "extend":
        return row.closed_at is None and not row.extended and requests.status(row, clock.now()) != "overdue"
    return row.closed_at is None


def _raise(profile: Profile, posted: Posted) -> PrivacyRequest:
    return requests.raise_(
        profile,
        posted.get("kind", ""),
        via=PrivacyRequest.Via.STAFF,
        said=posted.get("said", "").strip(),
        identity=posted.get("identity", ""),
        now=clock.now(),
    )


def _close(row: PrivacyRequest, posted: Posted) -> str:
    outcome, answer = posted.get("outcome", ""), posted.get("answer", "")
    requests.close(row.id, outcome=outcome, answer=answer, now=clock.now())
    return "It is closed."


def _extend(row: PrivacyRequest, posted: Posted) -> str:
    requests.extend(row.id, reason=posted.get("extended", ""), now=clock.now())
    return "They are told that it takes two months longer."


def _identify(row: PrivacyRequest, posted: Posted) -> str:
    requests.note_identity(row.id, posted.get("identity", ""), now=clock.now())
    return "It is noted."


def _lift(row: PrivacyRequest, posted: Posted) -> str:
    requests.lift(row.id, reason=posted.get("reason", ""), now=clock.now())
    return "It is lifted, and they are told." if row.kind == PrivacyRequest.Kind.RESTRICTION else "It is lifted."


_ACTS: dict[str, Callable[[PrivacyRequest, Posted], str]] = {
    "close": _close,
    "extend": _extend,
    "identify": _identify,
    "lift": _lift,
}

_IDENTITY = (
    "Whoever writes from the address that you know, or calls back on the number that you know, is them as far as"
    " anybody can tell. Ask for more only where you have a reason to doubt, and never keep a copy of a document."
)
_GUIDE: dict[str, str] = {
    "access": "“Do it now” mails them a link to a page with everything, to read and to download. Where they have no"
    " email address, print “Everything held” on their page and hand it over.",
    "portability": "As for access: the file is in a published format that other programs can read.",
    "rectification": "Correct it where it comes from, or it will be wrong again with the next event. Then close the"
    " request with what you told them.",
    "restriction": "From then on their data is only stored: no segment, no journey, no message, but what they ask for"
    " themselves. Lift it here, with a reason, once the dispute is settled.",
    "objection": "It was done at once: they get no marketing, and no segment for marketing counts them.",
    "erasure": "“Do it now” erases all that names them, here and in what is built on it; your webhooks are told. Keep"
    " what the law makes you keep (invoices, say) in the systems that are for that.",
}
