"""The editor's pages: every button sends the whole form and gets what is written back as it then stands.

Nothing is kept between two requests, so that it works without JavaScript, and two tabs do not meet.
"""

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from foundation.admin import list_of, page_of
from foundation.errors import Refused
from messaging import languages
from messaging.editor import desk as desks
from messaging.editor import history, inside, pieces, samples, tongues, trial
from messaging.editor.desk import Desk, Row
from messaging.editor.history import Change
from messaging.editor.rooms import TEMPLATES, Room
from messaging.models import Template
from messaging.templates import Overtaken

_BESIDE = ("preview", "find", "test")
_SURE = "save:sure"
_VERSIONS = 50


def edit(
    request: HttpRequest, row: Row | None, site: AdminSite, room: Room = TEMPLATES, like: Row | None = None
) -> HttpResponse:
    """The editor, for something new or something that there is. What is new may begin `like` another."""
    if not room.may(request.user, "change" if row else "add"):
        raise PermissionDenied
    is_snippet = room is not TEMPLATES
    if request.method != "POST":
        desk = desks.opened(request, row or like, is_snippet=is_snippet)
        return _page(desk if row or like is None else inside.as_new(desk), site, room)
    desk, do = desks.sent(request, row, is_snippet=is_snippet), request.POST.get("do", "")[:200]
    desk.strict = do in ("save", _SURE, "test") or request.POST.get("strict") == "1"
    if do in ("save", _SURE):
        return _save(desk, room, is_sure=do == _SURE) or _page(desk, site, room)
    if do == "drop-language" and row and desk.language:
        return _drop(desk, row, room)
    if do == "test" and not is_snippet:
        _test(desk)
    elif do == "find":
        desk.found = samples.people(request.POST.get("who", "")) if desk.sees_people else []
        if len(desk.found) == 1:
            desk.view.person = desk.found[0]
    elif do.startswith("as:") and desk.sees_people:
        desk.view.person = samples.person(do.removeprefix("as:"))
    elif do != "preview":
        _act(desk, do)
    if not getattr(request, "htmx", None):
        return _page(desk, site, room)
    is_beside = do in _BESIDE or do.startswith("as:")
    answer = "live" if is_beside else "swapped"
    return render(request, f"messaging/editor/{answer}.html", desk.context() | _who(desk, do))


def _who(desk: Desk, do: str) -> dict[str, Any]:
    return {"is_asked": do == "find" or do.startswith("as:"), "is_test": do == "test", "asked": _term(desk)}


def _term(desk: Desk) -> str:
    return desk.request.POST.get("who", "")[:200]


def _act(desk: Desk, do: str) -> None:
    past, board = desk.past, desk.draft.board
    past.note(board)
    if do in ("undo", "redo"):
        back = past.undo() if do == "undo" else past.redo()
        desk.changed(back or board, f"press-{do}")
        return
    focus = pieces.act(board, do)
    past.note(board)
    desk.changed(board, focus or "")


def _page(desk: Desk, site: AdminSite, room: Room) -> HttpResponse:
    row = desk.row
    context = {
        **site.each_context(desk.request),
        **desk.context(),
        **_who(desk, desk.request.POST.get("do", "")),
        "title": f"Edit {row.name}" if row else f"New {room.what}",
        "opts": room.model._meta,
        "what": room.what,
        "back": page_of(row) if row else list_of(room.model),
        "users": room.used_by(row) if row else [],
        "variables": desk.catalogue.groups,
        "is_page": True,
    }
    desk.request.current_app = site.name
    return render(desk.request, "messaging/editor/page.html", context, status=409 if desk.overtaken else 200)


# ── Saving ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _save(desk: Desk, room: Room, *, is_sure: bool) -> HttpResponse | None:
    """Saves and goes to its page; None where something is to be mended or agreed to, or was changed by another."""
    row, draft = desk.row, desk.draft
    if desk.reading.must:
        desk.alert = "It cannot be saved yet: mend what is marked in red, then save it."
        return None
    if _is_overtaken(desk):
        return None
    version = row.version if row else None
    blocks, before = desk.reading.written.blocks, tongues.said(version, desk.language)
    if said := desk.oversteps(before.blocks if before else []):
        desk.alert = said
        return None
    if before and pieces.is_same(draft.board, before.blocks):
        blocks = before.blocks
    elif not is_sure and (asked := room.asks_about(desk)):
        desk.asked = asked
        return None
    try:
        saved = room.save(desk, blocks)
    except Overtaken:
        if row is not None:
            row.refresh_from_db()
        if not _is_overtaken(desk):
            desk.alert = f"Somebody else made a {room.what} of this name in this moment. Save it again."
        return None
    except Refused as refusal:
        desk.alert = str(refusal)
        return None
    number = saved.version.number if saved.version else 0
    is_new = version is None or number != version.number
    if is_new:
        told = f"“{saved.name}” is saved as version {number}, and used from now on.{room.also(saved, is_new)}"
    else:
        told = f"“{saved.name}” says what it said before, so there is no new version."
    messages.success(desk.request, told)
    return HttpResponseRedirect(page_of(saved))


def _drop(desk: Desk, row: Row, room: Room) -> HttpResponse:
    """No longer says it in this language."""
    try:
        room.drop(desk, row)
    except Refused as refusal:
        messages.error(desk.request, str(refusal))
    else:
        messages.success(desk.request, f"“{row.name}” is no longer said in {languages.label(desk.language)}.")
    return HttpResponseRedirect(desk.request.path)


def _is_overtaken(desk: Desk) -> bool:
    """Whether somebody else saved a version since this was opened; then both are shown, to go on from there."""
    version = desk.row.version if desk.row else None
    if desk.row is None or version is None or desk.upon == str(version.number):
        return False
    number = int(desk.upon) if desk.upon.isdecimal() and len(desk.upon) < 9 else 0
    begun = desk.row.versions.filter(number=number).first()
    desk.overtaken = version
    before, after = tongues.said(begun, desk.language), tongues.said(version, desk.language)
    if after:
        desk.theirs = _only(history.between(before, after.subject, after.blocks))
    desk.ours = _only(history.between(before, desk.draft.subject, desk.reading.written.blocks))
    desk.upon = str(version.number)
    return True


def _only(changes: list[Change]) -> list[Change]:
    return [change for change in changes if change.how != "same"]


# ── Testing ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _test(desk: Desk) -> None:
    to, topic = desk.request.POST.get("to", "").replace("\0", "")[:300], desk.topic
    if desk.reading.must or topic is None:
        desk.failed = "It cannot be sent yet: mend what is marked in red first."
        return
    try:
        template = desk.row if isinstance(desk.row, Template) else None
        told = trial.send(desk.draft, desk.reading, topic, desk.view.person, to, template, now=desk.now)
    except Refused as refusal:
        desk.failed = f"The test was not sent. {refusal}"
        return
    desk.tested = f"A test went to {told.to}. Its links change nothing, and it counts nowhere."
    if told.otherwise:
        desk.tested += f" Were it no test, it would have been held back: {told.otherwise}"


# ── What it said before ──────────────────────────────────────────────────────────────────────────────────────────────
def versions(request: HttpRequest, row: Row, site: AdminSite, room: Room = TEMPLATES) -> HttpResponse:
    """All versions with what each changed; one of them can be had back, as a new one."""
    may_edit = room.may(request.user, "change")
    if not room.may(request.user, "view"):
        raise PermissionDenied
    if request.method == "POST":
        if not may_edit:
            raise PermissionDenied
        _restore(request, row, room)
        return HttpResponseRedirect(request.path)
    rows: list[Any] = list(row.versions.order_by("-number")[: _VERSIONS + 1])
    context = {
        **site.each_context(request),
        "title": f"Versions of {row.name}",
        "opts": room.model._meta,
        "what": room.what,
        "told": history.told(rows, row.version_id, _VERSIONS),
        "may_edit": may_edit,
        "back": page_of(row),
        "upon": row.version.number if row.version else 0,
    }
    request.current_app = site.name
    return render(request, "messaging/editor/versions.html", context)


def _restore(request: HttpRequest, row: Row, room: Room) -> None:
    number, upon = request.POST.get("restore", ""), request.POST.get("upon", "")
    found = row.versions.filter(number=int(number)).first() if number.isdecimal() and len(number) < 9 else None
    if found is None:
        messages.error(request, "There is no such version.")
        return
    reason = request.POST.get("reason", "").replace("\0", "").strip()[:900]
    reason = f"Version {number} again" + (f": {reason}" if reason else "")
    before = int(upon) if upon.isdecimal() and len(upon) < 9 else None
    try:
        saved = room.restore(row, found, reason=reason, upon=before)
    except Refused as refusal:
        messages.error(request, f"Version {number} was not taken up again. {refusal}")
        return
    latest = saved.version.number if saved.version else 0
    messages.success(request, f"It says again what version {number} said, as version {latest}.{room.also(saved, True)}")
