"""The editor within another page of ours: framed by that alone, and telling it what was saved."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import resolve

from messaging.editor.desk import Desk
from messaging.models import Template


def is_inside(request: HttpRequest) -> bool:
    return request.GET.get("inside") == "1"


def as_new(desk: Desk) -> Desk:
    """What was opened, as the beginning of something new that says the same."""
    desk.row, desk.upon = None, "0"
    desk.draft.slug, desk.draft.is_new = "", True
    desk.draft.name = f"{desk.draft.name} (copy)"[:200]
    return desk


def served(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """The answer of the editor, fit for the page around it; as it is, where there is none."""
    if not is_inside(request):
        return answer
    if isinstance(answer, HttpResponseRedirect):
        answer = _saved(request, answer)
    answer["X-Frame-Options"] = "SAMEORIGIN"
    framed: Any = answer
    framed._csp_replace = {"frame-ancestors": ["'self'"]}
    return answer


def _saved(request: HttpRequest, answer: HttpResponseRedirect) -> HttpResponse:
    """Instead of going to its page: a page that tells the one around it, and says so to whoever sees it."""
    found = resolve(answer.url).kwargs.get("object_id")
    template = Template.objects.filter(pk=found).first() if found else None
    if template is None:
        return HttpResponseRedirect(f"{answer.url}?inside=1")
    said = " ".join(str(one) for one in messages.get_messages(request))
    return render(request, "messaging/editor/saved.html", {"template": template, "said": said})
