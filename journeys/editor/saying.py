"""Beside a message step: how the template reads, what it is about, and how many may hear it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from consent.models import Topic
from foundation import clock
from foundation.errors import Invalid
from foundation.pages import Mail
from foundation.wording import amount, plural
from journeys.editor import revisions
from journeys.models import Journey
from messaging import delivery, preview
from messaging.models import Cap, Template
from segments import language
from segments.editor import asking

_ADDRESS = {"email": "email", "sms": "phone"}  # channel to the value that it needs


@dataclass(frozen=True)
class Reach:
    """How many of those who may enter may hear it; `failed` says why that is not known."""

    may: str = ""
    of: str = ""
    failed: str = ""


def beside(request: HttpRequest, journey: Journey, site: Any) -> HttpResponse:
    """What is to be said of the template that is chosen."""
    if not request.user.has_perm("journeys.change_journey"):
        raise PermissionDenied
    slug = request.GET.get("f.template.is", "").replace("\x00", "")[:100]
    context = {
        "told": told(request, journey, slug),
        "choose": reverse("admin:journeys_journey_templates", args=[journey.pk]),
        "may_write": request.user.has_perm("messaging.add_template"),
    }
    return render(request, "journeys/editor/saying.html", context)


def told(request: HttpRequest, journey: Journey, slug: str) -> dict[str, Any]:
    """A template as it reads, with its topic, the caps that count it, and how many may hear it; empty without one."""
    template = Template.objects.filter(slug=slug).select_related("topic", "version").first() if slug else None
    if template is None:
        return {}
    found: dict[str, Any] = {"template": template, "channel": delivery.label(template.channel)}
    if template.version is None:
        return found
    now = clock.now()
    sample = preview.of(template, template.version)
    entry = revisions.head(journey, now=now).document.get("entry") or {}
    may_edit = request.user.has_perm("messaging.change_template")
    return found | {
        "part": Mail(title="", subject=sample.subject, html=sample.html, text=sample.text),
        "edit": reverse("admin:messaging_template_edit", args=[template.pk]) if may_edit else "",
        "reach": reach(template.topic, template.channel, entry.get("filter"), now=now),
        "caps": caps(template),
    }


def caps(template: Template) -> list[str]:
    """The caps that count it."""
    if template.topic.transactional:
        return []
    rows = Cap.objects.filter(channel__in=["", template.channel])
    return [_cap(row) for row in rows.select_related("topic") if row.topic_id in (None, template.topic_id)]


def overall() -> list[str]:
    """The caps that count every message, whatever it is about."""
    return [_cap(row) for row in Cap.objects.filter(topic=None)]


def _cap(row: Cap) -> str:
    about = f" about {row.topic.name}" if row.topic else ""
    whose = "a company" if row.counts == Cap.Counts.ACCOUNT else "a person"
    hours = plural(row.hours // 24, "day") if row.hours % 24 == 0 else plural(row.hours, "hour")
    return f"at most {plural(row.most, 'message')}{about} in {hours}, {whose}"


def reach(topic: Topic, channel: str, only: Any, *, now: datetime) -> Reach:
    """Asked as things are today: who has an address, and agreed to the topic or did not decline it."""
    among: list[Any] = [only] if only is not None else []
    asked: dict[str, Any] = {"kind": "consent", "topic": topic.slug, "channel": channel, "state": "granted"}
    if topic.basis != Topic.Basis.CONSENT:
        asked = {"not": {**asked, "state": "denied"}}
    address = _ADDRESS.get(channel)
    has = [{"kind": "attribute", "name": address, "op": "is_set"}] if address else []
    try:
        may = asking.counted(language.parse({"all": [*among, asked, *has]}), marketing=not topic.transactional, at=now)
        everybody = asking.counted(language.parse({"all": among}), marketing=False, at=now)
    except Invalid:
        return Reach(failed="How many may hear it depends on when they enter.")
    if failed := may.failed or everybody.failed:
        return Reach(failed=failed)
    return Reach(amount(may.all), amount(everybody.all))
