"""The editor's pages: every button sends the whole form and gets the template back as it then stands.

Nothing is kept between two requests, so that it works without JavaScript, and two tabs do not meet.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.utils.text import slugify

from consent.models import Topic
from foundation import registry, wording
from foundation.admin import list_of, page_of
from foundation.errors import Refused
from messaging import brands, languages, templates
from messaging.delivery import CHANNELS, label
from messaging.editor import drawing, history, pieces, samples, showing, tongues, trial, undo
from messaging.editor.history import Change
from messaging.editor.pieces import Board
from messaging.editor.reading import Draft, Reading, read
from messaging.editor.showing import Shown, View
from messaging.editor.undo import Past
from messaging.editor.variables import Catalogue
from messaging.models import Template, TemplateVersion
from messaging.templates import Overtaken
from profiles.models import Profile
from segments.models import Segment

_BESIDE = ("preview", "find", "test")
_VERSIONS = 50


@dataclass
class Desk:
    """One request's state of the editor: the template under way, and how it is looked at."""

    request: HttpRequest
    template: Template | None
    draft: Draft
    past: Past
    language: str = ""
    view: View = field(default_factory=View)
    reason: str = ""
    upon: str = ""
    strict: bool = False
    focus: str = ""
    alert: str = ""
    tested: str = ""
    failed: str = ""
    found: list[Profile] | None = None
    theirs: list[Change] = field(default_factory=list)
    ours: list[Change] = field(default_factory=list)
    overtaken: TemplateVersion | None = None

    def __post_init__(self) -> None:
        self.now = wording.now()
        self.brand = brands.current()
        self.catalogue = Catalogue()

    @cached_property
    def topics(self) -> list[Topic]:
        return list(Topic.objects.filter(archived=False).order_by("name"))

    @cached_property
    def groups(self) -> list[tuple[str, str]]:
        """The segments that a block may be for, as its form sends them."""
        rows = list(Segment.objects.filter(status=Segment.Status.LIVE).order_by("name").values_list("slug", "name"))
        inside = [(slug, f"People in “{name}”") for slug, name in rows]
        return inside + [(f"!{slug}", f"People not in “{name}”") for slug, name in rows]

    @property
    def topic(self) -> Topic | None:
        return next((one for one in self.topics if one.slug == self.draft.topic), None)

    @cached_property
    def reading(self) -> Reading:
        return read(self.draft, self.topic, self.brand, self.catalogue)

    @cached_property
    def shown(self) -> Shown:
        return showing.show(self.draft, self.reading, self.topic, self.brand, self.view)

    @property
    def sees_people(self) -> bool:
        return self.request.user.has_perm("profiles.view_profile")

    @property
    def theirs_by(self) -> str:
        return history.author(self.overtaken) if self.overtaken else ""

    def changed(self, board: Board, focus: str) -> None:
        """The blocks are others now: what was read of them is read again."""
        self.draft.board, self.focus = board, focus
        self.__dict__.pop("reading", None)
        self.__dict__.pop("shown", None)

    def context(self) -> dict[str, Any]:
        shown, reading = self.shown, self.reading  # what is amiss for the person is noted while it is filled in
        if not self.strict:
            reading.be_lenient()
        boxes = drawing.boxes(self.draft.board, reading)
        return {
            "desk": self,
            "template": self.template,
            "draft": self.draft,
            "reading": reading,
            "shown": shown,
            "view": self.view,
            "boxes": boxes,
            "order": ",".join(piece.key for piece in self.draft.board.walk()),
            "all_boxes": drawing.flat(boxes),
            "kinds": drawing.kinds(),
            "groups": self.groups,
            "notes": reading.notes,
            "notes_whole": reading.notes.get("", []),
            "said": [(place, reading.notes.get(place, [])) for place in ("name", "topic", "channel", "subject")],
            "used_subject": reading.used.get("field-subject", []),
            "here": self.request.get_full_path(),
            "tongues": tongues.of(self.template, self.language),
            "channels": [(key, label(key).capitalize()) for key in CHANNELS.keys()],  # noqa: SIM118 (sorted)
            "staff": trial.addresses(),
            "past": self.past.packed(),
        }


def edit(request: HttpRequest, template: Template | None, site: AdminSite) -> HttpResponse:
    """The editor, for a new template or one that there is."""
    needed = "messaging.change_template" if template else "messaging.add_template"
    if not request.user.has_perm(needed):
        raise PermissionDenied
    if request.method != "POST":
        return _page(_opened(request, template), site)
    desk, do = _sent(request, template), request.POST.get("do", "")[:200]
    desk.strict = do in ("save", "test") or request.POST.get("strict") == "1"
    if do == "save":
        return _save(desk) or _page(desk, site)
    if do == "drop-language" and template and desk.language:
        return _drop(desk, template)
    if do == "test":
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
        return _page(desk, site)
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


def _opened(request: HttpRequest, template: Template | None) -> Desk:
    version = template.version if template else None
    language = tongues.asked_for(request, template)
    said = tongues.said(version, language)
    board = pieces.from_blocks(said.blocks if said else [])
    draft = Draft(
        slug=template.slug if template else "",
        name=template.name if template else "",
        channel=template.channel if template else "email",
        topic=template.topic.slug if template else "",
        subject=said.subject if said else "",
        board=board,
        is_new=template is None,
        options=dict(version.options) if version else {},
    )
    past = Past(drawn=pieces.written(board).blocks)
    return Desk(request, template, draft, past, language, upon=str(version.number if version else 0))


def _sent(request: HttpRequest, template: Template | None) -> Desk:
    data: QueryDict = request.POST
    board = pieces.from_form(data)
    channel = template.channel if template else data.get("channel", "email")
    draft = Draft(
        slug=template.slug if template else "",
        name=_one(data, "name"),
        channel=channel if channel in CHANNELS else "email",
        topic=_one(data, "topic"),
        subject=_one(data, "subject"),
        board=board,
        is_new=template is None,
    )
    draft.options = {one.name: _one(data, f"option-{one.name}") or one.among[0][0] for one in draft.form.options}
    if not draft.form.has_subject:
        draft.subject = ""  # the field is not there, or was left over from another channel
    view = View(_one(data, "width"), _one(data, "scheme"), _one(data, "part"))
    language = tongues.asked_for(request, template)
    desk = Desk(request, template, draft, undo.unpacked(data.get("past", "")), language, view)
    if desk.sees_people:
        view.person = samples.person(_one(data, "person"))
    desk.reason, desk.upon = _one(data, "reason")[:1_000], _one(data, "upon")
    return desk


def _one(data: QueryDict, name: str) -> str:
    return data.get(name, "").replace("\0", "")[:2_000]


def _page(desk: Desk, site: AdminSite) -> HttpResponse:
    template = desk.template
    context = {
        **site.each_context(desk.request),
        **desk.context(),
        **_who(desk, desk.request.POST.get("do", "")),
        "title": f"Edit {template.name}" if template else "New template",
        "opts": Template._meta,
        "back": page_of(template) if template else list_of(Template),
        "users": used_by(template) if template else [],
        "variables": desk.catalogue.groups,
        "is_page": True,
    }
    desk.request.current_app = site.name
    status = 409 if desk.overtaken else 200
    return render(desk.request, "messaging/editor/page.html", context, status=status)


def used_by(template: Template) -> list[str]:
    return [sentence for answers in registry.references.ask("template", template.slug) for sentence in answers]


# ── Saving ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _save(desk: Desk) -> HttpResponse | None:
    """Saves and goes to the template's page; None where something is to be mended, or was changed by another."""
    template, draft = desk.template, desk.draft
    if desk.reading.must:
        desk.alert = "It cannot be saved yet: mend what is marked in red, then save it."
        return None
    if _is_overtaken(desk):
        return None
    version = template.version if template else None
    blocks, before = desk.reading.written.blocks, tongues.said(version, desk.language)
    if before and pieces.is_same(draft.board, before.blocks):
        blocks = before.blocks
    try:
        saved = templates.save(
            template.slug if template else free_slug(draft.name),
            name=draft.name,
            channel=draft.channel,
            topic=draft.topic,
            **tongues.with_said(version, desk.language, draft.subject, blocks),
            options=draft.options,
            reason=desk.reason,
            upon=version.number if version else 0,
            now=desk.now,
        )
    except Overtaken:
        if template is not None:
            template.refresh_from_db()
        if not _is_overtaken(desk):
            desk.alert = "Somebody else made a template of this name in this moment. Save it again."
        return None
    except Refused as refusal:
        desk.alert = str(refusal)
        return None
    number = saved.version.number if saved.version else 0
    if version is None or number != version.number:
        told = f"“{saved.name}” is saved as version {number}, and used from now on."
    else:
        told = f"“{saved.name}” says what it said before, so there is no new version."
    messages.success(desk.request, told)
    return HttpResponseRedirect(page_of(saved))


def _drop(desk: Desk, template: Template) -> HttpResponse:
    """No longer says it in this language."""
    try:
        templates.save(
            template.slug,
            name=template.name,
            channel=template.channel,
            topic=template.topic.slug,
            **tongues.without(template.version, desk.language),
            reason=desk.reason or f"No longer in {languages.label(desk.language)}",
            now=desk.now,
        )
    except Refused as refusal:
        messages.error(desk.request, str(refusal))
    else:
        messages.success(desk.request, f"“{template.name}” is no longer said in {languages.label(desk.language)}.")
    return HttpResponseRedirect(desk.request.path)


def _is_overtaken(desk: Desk) -> bool:
    """Whether somebody else saved a version since this was opened; then both are shown, to go on from there."""
    version = desk.template.version if desk.template else None
    if desk.template is None or version is None or desk.upon == str(version.number):
        return False
    number = int(desk.upon) if desk.upon.isdecimal() and len(desk.upon) < 9 else 0
    begun = desk.template.versions.filter(number=number).first()
    desk.overtaken = version
    before, after = tongues.said(begun, desk.language), tongues.said(version, desk.language)
    if after:
        desk.theirs = _only(history.between(before, after.subject, after.blocks))
    desk.ours = _only(history.between(before, desk.draft.subject, desk.reading.written.blocks))
    desk.upon = str(version.number)
    return True


def _only(changes: list[Change]) -> list[Change]:
    return [change for change in changes if change.how != "same"]


def free_slug(name: str) -> str:
    """A short name for a new template, from its name, that no other has."""
    base = slugify(name)[:90].strip("-_") or "template"
    taken = set(Template.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(slug for slug in [base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))] if slug not in taken)


# ── Testing ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _test(desk: Desk) -> None:
    to = next((one for one in trial.addresses() if str(one.pk) == desk.request.POST.get("to", "")), None)
    topic = desk.topic
    if desk.reading.must or topic is None:
        desk.failed = "It cannot be sent yet: mend what is marked in red first."
        return
    if to is None:
        desk.failed = "Choose somebody of the staff to send it to."
        return
    try:
        told = trial.send(desk.draft, desk.reading, topic, desk.view.person, to, now=desk.now)
    except Refused as refusal:
        desk.failed = f"The test was not sent. {refusal}"
        return
    desk.tested = f"A test went to {told.to}. Its links change nothing, and it counts nowhere."
    if told.otherwise:
        desk.tested += f" Were it no test, it would have been held back: {told.otherwise}"


# ── What it said before ──────────────────────────────────────────────────────────────────────────────────────────────
def versions(request: HttpRequest, template: Template, site: AdminSite) -> HttpResponse:
    """All versions with what each changed; one of them can be had back, as a new one."""
    may_edit = request.user.has_perm("messaging.change_template")
    if not request.user.has_perm("messaging.view_template"):
        raise PermissionDenied
    if request.method == "POST":
        if not may_edit:
            raise PermissionDenied
        _restore(request, template)
        return HttpResponseRedirect(request.path)
    rows = list(template.versions.order_by("-number")[:_VERSIONS])
    context = {
        **site.each_context(request),
        "title": f"Versions of {template.name}",
        "opts": Template._meta,
        "template": template,
        "told": history.told(rows, template.version_id),
        "may_edit": may_edit,
        "back": page_of(template),
        "upon": template.version.number if template.version else 0,
    }
    request.current_app = site.name
    return render(request, "messaging/editor/versions.html", context)


def _restore(request: HttpRequest, template: Template) -> None:
    number, upon = request.POST.get("restore", ""), request.POST.get("upon", "")
    found = template.versions.filter(number=int(number)).first() if number.isdecimal() and len(number) < 9 else None
    if found is None:
        messages.error(request, "There is no such version.")
        return
    reason = request.POST.get("reason", "").replace("\0", "").strip()[:900]
    try:
        saved = templates.save(
            template.slug,
            name=template.name,
            channel=template.channel,
            topic=template.topic.slug,
            subject=found.subject,
            blocks=found.blocks,
            options=found.options,
            translations=found.said_in_others,
            reason=f"Version {number} again" + (f": {reason}" if reason else ""),
            upon=int(upon) if upon.isdecimal() and len(upon) < 9 else None,
            now=wording.now(),
        )
    except Refused as refusal:
        messages.error(request, f"Version {number} was not taken up again. {refusal}")
        return
    latest = saved.version.number if saved.version else 0
    messages.success(request, f"It says again what version {number} said, as version {latest}.")
