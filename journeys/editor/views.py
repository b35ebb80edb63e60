"""The editor's pages: the flow with a panel beside it. Every answer swaps what changed since the browser last heard."""

from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.text import slugify

from foundation import clock
from foundation.admin import list_of, page_of
from foundation.errors import Conflict, Refused
from journeys import publishing
from journeys.editor import acts, presence, shape, words
from journeys.editor.asked import Condition, sentence
from journeys.editor.desk import Desk
from journeys.editor.flow import step_kinds
from journeys.editor.opened import Panel
from journeys.editor.revisions import Overtaken
from journeys.editor.shape import Gap
from journeys.models import Journey

_LOST = "That is no longer there: somebody took it out."


def begin(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Asks what the new journey is to be called, and opens it."""
    if not request.user.has_perm("journeys.add_journey"):
        raise PermissionDenied
    name, alert = request.POST.get("name", "").strip(), ""
    if request.method == "POST":
        try:
            journey = publishing.begin(_free_slug(name), name=name, document=shape.empty(), now=clock.now())
            return HttpResponseRedirect(reverse("admin:journeys_journey_edit", args=[journey.pk]))
        except Refused:
            alert = "Give it a name of at most 200 characters." if not 0 < len(name) <= 200 else _TAKEN
    context = {"title": "New journey", "opts": Journey._meta, "back": list_of(Journey), "name": name, "alert": alert}
    request.current_app = site.name
    return render(request, "journeys/editor/begin.html", {**site.each_context(request), **context})


_TAKEN = "Somebody else made a journey of this name just now. Save again, and yours stands beside it."


def _free_slug(name: str) -> str:
    wanted = slugify(name)[:90].strip("-_") or "journey"
    return shape.fresh(wanted, set(Journey.objects.filter(slug__startswith=wanted).values_list("slug", flat=True)))


def page(request: HttpRequest, journey: Journey, site: AdminSite) -> HttpResponse:
    """The whole editor; `?at=step/hello` opens that beside it."""
    desk = _desk(request, journey)
    if at := request.GET.get("at"):
        try:
            desk.open(at)
        except Conflict:
            desk.say = _LOST
    return _whole(desk, site)


def _desk(request: HttpRequest, journey: Journey) -> Desk:
    if not request.user.has_perm("journeys.change_journey"):
        raise PermissionDenied
    return Desk(request, journey)


def _whole(desk: Desk, site: AdminSite, *, status: int = 200) -> HttpResponse:
    presence.here(desk.journey, desk.request.user.get_username(), now=desk.now)
    context = {
        **site.each_context(desk.request),
        **desk.context(),
        "others": desk.others(),
        "title": f"Edit {desk.journey.name}",
        "opts": Journey._meta,
        "back": page_of(desk.journey),
    }
    desk.request.current_app = site.name
    return render(desk.request, "journeys/editor/page.html", context, status=status)


# ── The panel ────────────────────────────────────────────────────────────────────────────────────────────────────────
def panel(request: HttpRequest, journey: Journey, site: AdminSite, name: str) -> HttpResponse:
    """Opens what can be said of a step, a way or the whole; keeps it; or draws its condition anew."""
    desk = _desk(request, journey)
    try:
        if request.method == "POST":
            return _sent(desk, site, name)
        desk.open(name)
    except Overtaken as overtaken:
        return _both(desk, site, overtaken)
    except Conflict as conflict:
        return _gone(desk, site, conflict)
    return _panel(desk, site)


def _sent(desk: Desk, site: AdminSite, name: str) -> HttpResponse:
    do = desk.request.POST.get("do", "save")
    opened = desk.open(name, {key: desk.request.POST[key] for key in desk.request.POST})
    if do == "live":
        return render(desk.request, "journeys/editor/asked.html", {**desk.context(), **_live(desk, opened)})
    if do != "save" and opened.asks is not None:
        opened.asks.act(do)
        if desk.is_part:
            return render(
                desk.request, opened.context()["tree_template"], {**desk.context(), "here": _here(desk, name)}
            )
        return _panel(desk, site)
    return _keep(desk, site, opened, name)


def _keep(desk: Desk, site: AdminSite, opened: Panel, name: str) -> HttpResponse:
    edit = opened.edit()
    if edit is None:
        return _panel(desk, site)
    acts.do(desk, edit, insist=desk.request.POST.get("insist") == "1")
    desk.open(name)
    desk.say = f"Saved. {desk.say}" if desk.say != "Nothing changed." else "Saved."
    desk.focus = desk.request.POST.get("focus") or "save"
    return desk.answer()


def _live(desk: Desk, opened: Panel) -> dict[str, Any]:
    if not isinstance(opened.asks, Condition):
        return {}
    said = "" if opened.asks.is_empty else sentence(opened.asks)
    return {"asked_sentence": said, "counted": opened.asks.counted(desk.now), "sees_people": desk.sees_people}


def _here(desk: Desk, name: str) -> str:
    return reverse("admin:journeys_journey_panel", args=[desk.journey.pk, name])


def _panel(desk: Desk, site: AdminSite) -> HttpResponse:
    if not desk.is_part:
        return _whole(desk, site)
    with words.known(desk.document):
        return render(desk.request, "journeys/editor/panel.html", desk.context())


def _both(desk: Desk, site: AdminSite, overtaken: Overtaken) -> HttpResponse:
    """Both versions of what two people changed, and the choice between them. What was typed stays in the form."""
    desk.head = overtaken.theirs
    desk.__dict__.pop("flow", None)
    desk.extra["clash"] = _clash(overtaken)
    desk.extra["sent"] = [
        (key, value)
        for key, value in desk.request.POST.items()
        if key not in ("csrfmiddlewaretoken", "insist", "revision")
    ]
    desk.say, desk.focus = f"{overtaken} Choose whose stays.", "clash"
    if desk.is_part:
        return desk.answer() if desk.opened else _conflict(desk)
    return _whole(desk, site, status=409)


def _conflict(desk: Desk) -> HttpResponse:
    desk.extra["bare_clash"] = True
    desk.closes = True
    return desk.answer()


def _clash(overtaken: Overtaken) -> dict[str, Any]:
    return {
        "sentence": str(overtaken),
        "rows": [(_said(overtaken.theirs.document, key), _said(overtaken.mine, key)) for key in overtaken.clashes[:10]],
    }


def _said(document: shape.Document, key: str) -> str:
    """A step or part of a document in words."""
    with words.known(document):
        try:
            step = shape.find(document, key).step
        except Conflict:
            return _part_said(document, key)
        ways = "; ".join(words.arm(step, one.given) for one in shape.arms(step))
        label = f"{step['label']}: " if step.get("label") else ""
        return f"{label}{words.sentence(step)}{f' ({ways})' if ways else ''}"


def _part_said(document: shape.Document, key: str) -> str:
    name, entry = key.removeprefix("entry."), document["entry"]
    match name:
        case "trigger":
            return ", or when ".join(words.trigger(one) for one in words.triggers_of(entry)) or "nothing starts it"
        case "filter" | "exit":
            given = entry.get("filter") if name == "filter" else document.get("exit")
            return words.people(given) if given is not None else "nobody in particular"
        case "goal":
            return words.goal(document["goal"]) if document.get("goal") else "no goal"
        case "reentry":
            return words.how_often(entry.get("reentry"))
        case "priority" | "pauses_above":
            return words.settings(document) or "as usual"
    return "taken out"


def _gone(desk: Desk, site: AdminSite, conflict: Conflict) -> HttpResponse:
    desk.opened, desk.closes, desk.say = None, True, str(conflict)
    if desk.is_part:
        desk.extra["alert"] = str(conflict)
        return desk.answer()
    return _whole(desk, site, status=409)


# ── What buttons do ──────────────────────────────────────────────────────────────────────────────────────────────────
def act(request: HttpRequest, journey: Journey, site: AdminSite) -> HttpResponse:
    """Does what a button, a key or a dragged card says."""
    desk = _desk(request, journey)
    if request.method != "POST":
        return HttpResponseRedirect(desk.base)
    sent = {key: request.POST[key] for key in request.POST}
    try:
        acts.act(desk, sent.get("do", ""), sent)
        _go_on(desk, sent.get("open", ""))
    except Overtaken as overtaken:
        return _both(desk, site, overtaken)
    except Conflict as conflict:
        return _gone(desk, site, conflict)
    return desk.answer()


def _go_on(desk: Desk, opened: str) -> None:
    """Opens what the act leads to; else what was open is drawn anew, if it is still there."""
    name = desk.extra.pop("then", "") or ("" if desk.closes else opened)
    if not name:
        return
    try:
        desk.open(name)
    except Conflict:
        desk.opened, desk.closes = None, True


def palette(request: HttpRequest, journey: Journey, site: AdminSite) -> HttpResponse:
    """What can be put into a gap."""
    desk = _desk(request, journey)
    at = request.GET.get("at", "in:")
    context = {**desk.context(), "at": at, "where": _where(desk, at), "kinds": step_kinds()}
    if not desk.is_part:
        return render(request, "journeys/editor/palette_page.html", {**site.each_context(request), **context})
    return render(request, "journeys/editor/palette.html", context)


def _where(desk: Desk, at: str) -> str:
    gap = Gap.read(at)
    with words.known(desk.document):
        try:
            if gap.after:
                return f"Behind “{words.title(shape.find(desk.document, gap.after).step)}”"
            if gap.list:
                key, _, arm = gap.list.partition("/")
                step = shape.find(desk.document, key).step
                return f"First on the way “{words.arm(step, shape.arm(step, arm))}”"
        except Conflict:
            return ""
    return "At the beginning"


def pulse(request: HttpRequest, journey: Journey, site: AdminSite) -> HttpResponse:
    """Every few seconds: who else is here, and what they did since."""
    desk = _desk(request, journey)
    step = request.GET.get("open", "").removeprefix("step/").partition("/")[0]
    presence.here(journey, request.user.get_username(), step=step, now=desk.now)
    desk.extra["others"] = desk.others()
    desk.extra["pulse"] = True
    if desk.shown and desk.shown < desk.head.number:
        desk.say = f"{words_of(desk)}"
    return desk.answer()


def words_of(desk: Desk) -> str:
    """What others did last, for those who hear the page."""
    who = desk.head.author.partition(":")[2] or "Somebody"
    mine = who == desk.request.user.get_username()
    return "" if mine else f"{who}: {desk.head.what}"


def renamed(request: HttpRequest, journey: Journey, site: AdminSite) -> HttpResponse:
    """Calls it something else."""
    desk = _desk(request, journey)
    if request.method == "POST":
        name = request.POST.get("name", "")
        about = request.POST.get("description", journey.description)
        try:
            desk.journey = publishing.rename(journey.slug, name=name, description=about, now=desk.now)
            desk.say = "Saved."
        except Refused:
            desk.say = "The name must be a text of at most 200 characters; it stays as it was."
    return desk.answer()
