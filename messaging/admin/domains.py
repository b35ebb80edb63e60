"""The domains that mail comes from: what a look at each found, and what to do about it."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from foundation import wording
from foundation.admin import ReadOnlyAdmin, list_of, page_of
from foundation.errors import Conflict, Invalid
from foundation.pages import Facts, Head, Part, Table, Verb
from messaging import brands
from messaging.admin import health_page
from messaging.domains import doctor, keeping, policy
from messaging.domains.doctor import Finding, Level
from messaging.domains.models import SenderDomain

Status = SenderDomain.Status
_TONES: dict[str, wording.Tone] = {Status.NEW: "warn", Status.VERIFIED: "good", Status.FAILED: "bad"}
_LEVELS: dict[Level, tuple[str, wording.Tone]] = {
    Level.FINE: ("Fine", "good"),
    Level.ADVICE: ("Advice", "warn"),
    Level.WRONG: ("Wrong", "bad"),
    Level.UNKNOWN: ("Not known", "plain"),
}
_ABOUT = {
    "spf": "SPF: who may send",
    "dkim": "DKIM: signatures",
    "dmarc": "DMARC: what is not yours",
    "return": "What comes back",
    "server": "The server that sends",
    "tls": "Cover on the way",
    "links": "Links in mails",
}


class DomainForm(forms.Form):
    name = forms.CharField(
        max_length=253,
        label="Domain",
        help_text="What stands behind the @ of your sender's address, such as example.com.",
        error_messages={"required": "Name the domain."},
    )
    selectors = forms.CharField(
        max_length=300,
        required=False,
        label="DKIM selectors",
        help_text="Under which names its keys are published, parted by commas. Empty: the usual ones are tried.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs["aria-describedby"] = f"help-{name}"

    def keys(self) -> list[str]:
        return str(self.cleaned_data["selectors"]).split(",")


@admin.register(SenderDomain)
class SenderDomainAdmin(ReadOnlyAdmin):
    empty = (
        "Add the domain that your mail comes from. It is looked at as mailbox providers look at it, again and again,"
        " and where mail leaves this machine, nothing is sent from a domain that is not verified."
    )
    list_display = ("name_", "status_", "lacks", "checked")
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SenderDomain]:
        return super().get_queryset(request)

    @display(description="Domain")
    def name_(self, row: SenderDomain) -> SafeString:
        return wording.wide(row.name)

    @display(description="Status")
    def status_(self, row: SenderDomain) -> SafeString:
        return _badge(row)

    @display(description="What it lacks")
    def lacks(self, row: SenderDomain) -> SafeString:
        wrong = [one.says for one in keeping.findings(row) if one.level == Level.WRONG]
        return wording.wide(" ".join(wrong)) if wrong else wording.quiet("–")

    @display(description="Looked at")
    def checked(self, row: SenderDomain) -> SafeString:
        return wording.moment(row.checked_at, "not yet")

    # ── Its page ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def head(self, request: HttpRequest, row: SenderDomain) -> Head:
        return Head(row.name, _lead(row), [_badge(row)])

    def parts(self, request: HttpRequest, row: SenderDomain) -> Sequence[Part]:
        found = keeping.findings(row)
        ours = policy.domain_of(brands.current().sender_address) == row.name
        return [
            Table(
                title="What was found",
                note="The first three decide whether mail is believed. The rest helps it to be taken.",
                headers=["About", "It is", "What was found", "What to do"],
                rows=[_row(one) for one in found],
                empty="It has not been looked at yet. That happens within a minute, or now by the button above.",
            ),
            Facts(
                title="As it stands",
                aside=True,
                rows=[
                    ("Since", wording.moment(row.since)),
                    ("Looked at", wording.moment(row.checked_at, "not yet")),
                    ("Looked at again", wording.moment(row.next_at)),
                    ("DKIM selectors", ", ".join(row.selectors) or "the usual ones"),
                    ("Your mail comes from it", "yes" if ours else "no"),
                ],
            ),
        ]

    def verbs(self, request: HttpRequest, row: SenderDomain) -> Sequence[Verb]:
        if not request.user.has_perm("messaging.change_senderdomain"):
            return []
        return [
            Verb("look", "Look again"),
            Verb("edit", "Change", address=reverse("admin:messaging_senderdomain_edit", args=[row.pk])),
            Verb("drop", "Take away", f"Take {row.name} from the sender domains?", danger=True),
        ]

    def act(self, request: HttpRequest, row: SenderDomain, verb: str) -> str:
        now = wording.now()
        if verb == "drop":
            keeping.drop(row, now=now)
            return f"{row.name} is no sender domain any more."
        good = doctor.verdict(keeping.look(row, now=now))
        if good is None:
            return "Not all could be looked up, so nothing is changed. It is tried again by itself."
        return "All that it needs is there." if good else "Something is wrong. What to do stands beside it."

    # ── Its form ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("messaging.add_senderdomain")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = DomainForm(request.POST if request.method == "POST" else None)
        if form.is_valid() and (row := _added(form)):
            messages.success(request, f"{row.name} is added. It is looked at within a minute.")
            return HttpResponseRedirect(page_of(row))
        return self._form(request, form, "Add a sender domain", list_of(SenderDomain))

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.has_perm("messaging.change_senderdomain"):
            raise PermissionDenied
        row = self.get_object(request, str(pk))
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(pk))
        first = {"name": row.name, "selectors": ", ".join(row.selectors)}
        given = {"name": row.name, "selectors": request.POST.get("selectors", "")} if request.method == "POST" else None
        form = DomainForm(given, initial=first)
        form.fields["name"].disabled = True
        if form.is_valid() and _changed(form, row):
            messages.success(request, "It is looked at again within a minute.")
            return HttpResponseRedirect(page_of(row))
        return self._form(request, form, f"Change {row.name}", page_of(row))

    def _form(self, request: HttpRequest, form: DomainForm, title: str, back: str) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": title, "form": form, "back": back}
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "messaging/domain_form.html", {**context, "opts": self.opts})

    def health_view(self, request: HttpRequest) -> HttpResponse:
        return health_page.show(request, self.admin_site)

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        return [
            path("health/", guarded(self.health_view), name="messaging_senderdomain_health"),
            path("<int:pk>/edit/", guarded(self.edit_view), name="messaging_senderdomain_edit"),
            *super().get_urls(),
        ]


def _added(form: DomainForm) -> SenderDomain | None:
    try:
        return keeping.add(form.cleaned_data["name"], selectors=form.keys(), now=wording.now())
    except Invalid as refusal:
        _show(form, refusal)
    except Conflict as conflict:
        form.add_error("name", str(conflict))
    return None


def _changed(form: DomainForm, row: SenderDomain) -> bool:
    try:
        keeping.change(row, selectors=form.keys(), now=wording.now())
    except Invalid as refusal:
        _show(form, refusal)
        return False
    return True


def _show(form: DomainForm, refusal: Invalid) -> None:
    for problem in refusal.problems:
        form.add_error(problem.path, f"This {problem.reason}.")


def _lead(row: SenderDomain) -> str:
    match row.status:
        case Status.VERIFIED:
            return "Receivers can tell that mail from it is yours."
        case Status.FAILED:
            waits = " What can wait is not sent from it until that is mended." if policy.applies() else ""
            return f"Something that it needs is missing.{waits}"
        case _:
            return "It is not known yet whether mail from it is believed."


def _badge(row: SenderDomain) -> SafeString:
    return wording.badge(Status(row.status).label, _TONES[row.status])


def _row(one: Finding) -> tuple[object, ...]:
    name, tone = _LEVELS[one.level]
    return (
        _ABOUT.get(one.about, one.about),
        wording.badge(name, tone),
        format_html('<span class="c-wide">{}</span>', one.says),
        format_html('<span class="c-wide">{}</span>', one.do or "–"),
    )
