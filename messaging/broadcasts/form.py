"""The form that writes a broadcast: who, what, when; and how many it would reach, told beside it."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import reverse

from foundation import wording
from foundation.admin import list_of, page_of
from foundation.errors import Conflict, Invalid
from messaging.broadcasts import reach, running
from messaging.broadcasts.models import Broadcast
from messaging.broadcasts.running import Plan
from messaging.delivery import label
from messaging.models import Template
from segments.models import Segment

_AT_ONCE, _AT, _LOCAL = "now", "at", "local"


class BroadcastForm(forms.Form):
    name = forms.CharField(
        max_length=200, label="Name", help_text="For staff alone.", error_messages={"required": "Give it a name."}
    )
    segment = forms.ChoiceField(label="Segment", error_messages={"required": "Choose whom it goes to."})
    template = forms.ChoiceField(label="Template", error_messages={"required": "Choose what is said."})
    when = forms.ChoiceField(label="When", widget=forms.RadioSelect)
    send_at = forms.DateTimeField(
        required=False, label="Day and time", widget=forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M")
    )
    rate = forms.IntegerField(
        required=False,
        min_value=running.LEAST_RATE,
        max_value=running.MOST_RATE,
        label="At most so many an hour",
        help_text="Leave it empty to send as fast as it goes.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = settings.PROJECT_TIME_ZONE
        self._choices("segment", [("", "Choose a segment"), *_segments()])
        self._choices("template", [("", "Choose a template"), *_templates()])
        self._choices(
            "when",
            [
                (_AT_ONCE, "As soon as it is started"),
                (_AT, f"At a time, the same moment for all ({zone})"),
                (_LOCAL, "At a time of day, where each person is"),
            ],
        )
        for name, field in self.fields.items():
            if field.help_text:
                field.widget.attrs["aria-describedby"] = f"help-{name}"

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if given.get("when") != _AT_ONCE and not given.get("send_at") and "send_at" not in self.errors:
            self.add_error("send_at", "Say on which day, and at what time.")
        return given

    def plan(self) -> Plan:
        given = self.cleaned_data
        at: datetime | None = given["send_at"] if given["when"] != _AT_ONCE else None
        if at is not None:  # as it reads in the project's zone, whatever Django thinks in
            at = at.replace(tzinfo=ZoneInfo(settings.PROJECT_TIME_ZONE))
        return Plan(
            name=given["name"],
            segment=given["segment"],
            template=given["template"],
            send_at=at,
            local=given["when"] == _LOCAL,
            rate=given["rate"],
        )


def edit(request: HttpRequest, row: Broadcast | None, site: AdminSite) -> HttpResponse:
    """The form, new or of a draft; what is saved is a draft, which somebody who may then starts."""
    if not request.user.has_perm(f"messaging.{'change' if row else 'add'}_broadcast"):
        raise PermissionDenied
    if row is not None and row.state != Broadcast.State.DRAFT:
        messages.error(request, "It has been started, so it cannot be changed any more.")
        return HttpResponseRedirect(page_of(row))
    form = BroadcastForm(request.POST if request.method == "POST" else None, initial=_initial(row))
    if form.is_valid() and (saved := _saved(request, form, row)):
        messages.success(request, "It is saved as a draft. Nothing is sent before it is started.")
        return HttpResponseRedirect(page_of(saved))
    context = {
        **site.each_context(request),
        "title": "Change the broadcast" if row else "New broadcast",
        "form": form,
        "reach": _reach(form["segment"].value(), form["template"].value()),
        "reach_at": reverse("admin:messaging_broadcast_reach"),
        "back": page_of(row) if row else list_of(Broadcast),
        "opts": Broadcast._meta,
    }
    request.current_app = site.name
    return TemplateResponse(request, "messaging/broadcasts/form.html", context)


def _saved(request: HttpRequest, form: BroadcastForm, row: Broadcast | None) -> Broadcast | None:
    try:
        return running.save(row.id if row else None, form.plan(), now=wording.now())
    except Invalid as refusal:
        for problem in refusal.problems:
            form.add_error(problem.path if problem.path in form.fields else None, f"{problem.reason.capitalize()}.")
    except Conflict as conflict:
        form.add_error(None, str(conflict))
    return None


def _initial(row: Broadcast | None) -> dict[str, Any]:
    if row is None:
        return {"when": _AT_ONCE}
    at = row.send_at.astimezone(ZoneInfo(settings.PROJECT_TIME_ZONE)).replace(tzinfo=None) if row.send_at else None
    return {
        "name": row.name,
        "segment": row.segment.slug,
        "template": row.template.slug,
        "when": _LOCAL if row.local else _AT if at else _AT_ONCE,
        "send_at": at,
        "rate": row.rate,
    }


def _segments() -> list[tuple[str, str]]:
    rows = Segment.objects.filter(status=Segment.Status.LIVE).order_by("name")
    return [(row.slug, f"{row.name} ({wording.plural(row.size, 'person', 'people')})") for row in rows]


def _templates() -> list[tuple[str, str]]:
    in_use = Template.objects.filter(archived=False, one_off=False, version__isnull=False)
    rows = in_use.exclude(slug__startswith="house-")  # mails that the house sends on its own
    return [
        (row.slug, f"{row.name} (by {label(row.channel)}, about {row.topic.name})")
        for row in rows.select_related("topic").order_by("name")
    ]


# ── Whom it would reach ──────────────────────────────────────────────────────────────────────────────────────────────
def told(request: HttpRequest) -> HttpResponse:
    """The part beside the form, as the choices stand."""
    if not request.user.has_perm("messaging.view_broadcast"):
        raise PermissionDenied
    found = _reach(request.GET.get("segment", ""), request.GET.get("template", ""))
    return render(request, "messaging/broadcasts/reach.html", {"reach": found})


def _reach(segment: object, template: object) -> reach.Reach | None:
    who = Segment.objects.filter(slug=segment).first() if segment and "\0" not in str(segment) else None
    what = (
        Template.objects.select_related("topic").filter(slug=template, version__isnull=False).first()
        if template and "\0" not in str(template)
        else None
    )
    return reach.of(who, what, wording.now()) if who and what else None
