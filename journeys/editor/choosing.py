"""The dialog in which a message step's template is chosen: looked for, looked at, copied, or begun anew."""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from journeys.editor import saying
from journeys.models import Journey
from messaging import delivery
from messaging.models import Template

_MOST = 60


@dataclass(frozen=True)
class Choice:
    """A template in the list."""

    slug: str
    name: str
    topic: str
    by: str
    subject: str
    is_chosen: bool = False


def templates(request: HttpRequest, journey: Journey, site: Any) -> HttpResponse:
    """The whole dialog; asked by what is in it, the list for the words, or one of the templates as it reads."""
    if not request.user.has_perm("journeys.change_journey"):
        raise PermissionDenied
    look, words = _text(request, "look"), _text(request, "words")
    context: dict[str, Any] = {
        "journey": journey,
        "may_write": request.user.has_perm("messaging.add_template"),
        "add": reverse("admin:messaging_template_add"),
    }
    if request.GET.get("part") == "look":
        context |= {"looked": saying.told(request, journey, look)}
        return render(request, "journeys/editor/templates_look.html", context)
    chosen = _text(request, "f.template.is")
    found = _found(words, chosen)
    context |= {"choices": found[:_MOST], "more": len(found) > _MOST, "words": words, "chosen": chosen}
    if request.GET.get("part") == "list":
        return render(request, "journeys/editor/templates_list.html", context)
    context |= {"looked": saying.told(request, journey, chosen)}
    return render(request, "journeys/editor/templates.html", context)


def _text(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "").replace("\x00", "")[:100]


def _found(words: str, chosen: str) -> list[Choice]:
    """Templates in which every word stands somewhere: in the name, the topic, the subject, or the way it goes."""
    rows = Template.objects.filter(version__isnull=False, archived=False, one_off=False)
    for word in words.split()[:8]:
        by = [key for key in delivery.CHANNELS.keys() if word.lower() in delivery.label(key).lower()]  # noqa: SIM118
        rows = rows.filter(
            Q(name__icontains=word)
            | Q(topic__name__icontains=word)
            | Q(version__subject__icontains=word)
            | Q(version__text__icontains=word)
            | Q(channel__in=by)
        )
    listed = rows.select_related("topic", "version").order_by("name", "slug")[: _MOST + 1]
    return [
        Choice(
            row.slug,
            row.name,
            row.topic.name,
            delivery.label(row.channel),
            row.version.subject if row.version else "",
            row.slug == chosen,
        )
        for row in listed
    ]
