"""The builder's page: every button sends the whole form and gets the builder back as it then stands.

Nothing is kept between two requests, so that it works without JavaScript, and two tabs do not meet.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from foundation import clock, registry, wording
from foundation.admin import list_of, page_of
from foundation.errors import Invalid, Refused
from profiles.models import Profile
from segments import definitions, limits
from segments.definitions import Overtaken
from segments.editor import asking, drawing, files, tree
from segments.editor.asking import Counted, Difference
from segments.editor.details import DetailsForm, free_slug, initial
from segments.editor.drawing import Reading
from segments.editor.history import Said, author, lines_of
from segments.editor.known import Known
from segments.editor.tree import Group
from segments.language import Finding
from segments.models import Segment

_SAVES = ("save", "save_live")


@dataclass
class Desk:
    """One request's state of the builder: the tree, the words on the segment, and what is to be shown beside them."""

    request: HttpRequest
    segment: Segment | None
    root: Group
    details: DetailsForm
    focus: str = ""
    alert: str = ""
    review: Difference | None = None
    reviewed: str = ""
    theirs: list[Said] = field(default_factory=list)
    overtaken: bool = False
    upon: str = ""
    saving: str = ""

    def __post_init__(self) -> None:
        self.known = Known()
        self.now = clock.now()
        self.reading: Reading = drawing.read(self.root, self.segment)

    @property
    def is_by_hand(self) -> bool:
        return self.segment is not None and self.segment.kind == Segment.Kind.STATIC

    @property
    def sees_people(self) -> bool:
        return self.request.user.has_perm("profiles.view_profile")

    @property
    def users(self) -> list[str]:
        return used_by(self.segment) if self.segment else []

    @property
    def ours(self) -> list[Said]:
        return lines_of(self.reading.written.definition)

    @property
    def theirs_by(self) -> str:
        version = self.segment.version if self.segment else None
        return author(version) if version else ""

    def context(self) -> dict[str, Any]:
        top = drawing.boxes(self.root, self.reading, self.known)
        return {
            "desk": self,
            "segment": self.segment,
            "top": top,
            "boxes": list(drawing.all_boxes(top)),
            "kinds": drawing.kinds(),
            "lists": list(self.known.lists()),
            "reading": self.reading,
            "details": self.details,
            "here": self.request.path,
            "sees_people": self.sees_people,
        }


def edit(request: HttpRequest, segment: Segment | None, site: AdminSite) -> HttpResponse:
    """The builder, for a new segment or one that there is."""
    needed = "segments.change_segment" if segment else "segments.add_segment"
    if not request.user.has_perm(needed):
        raise PermissionDenied
    desk = _sent(request, segment) if request.method == "POST" else _opened(request, segment)
    do = request.POST.get("do", "") if request.method == "POST" else ""
    if do == "live":
        return render(request, "segments/live.html", {**desk.context(), **_beside(desk)})
    if do in _SAVES:
        saved = _save(desk, do)
        if saved is not None:
            return saved
    elif do and not _explains(do):
        place = tree.act(desk.root, do)
        desk.focus = _focus(do, place)
        desk.reading = drawing.read(desk.root, segment)
    is_part = bool(getattr(request, "htmx", False))
    if is_part and _explains(do):
        return render(request, "segments/explained.html", _explained(desk))
    if is_part and do not in _SAVES:
        return render(request, "segments/tree.html", desk.context())
    return _page(desk, site)


def _opened(request: HttpRequest, segment: Segment | None) -> Desk:
    if segment is None:
        owner = {"owner": request.user.pk}
        return Desk(request, None, Group("all"), DetailsForm(None, initial=owner))
    root = tree.from_definition(segment.definition or {"any": []})
    upon = str(segment.version.number) if segment.version else ""
    return Desk(request, segment, root, DetailsForm(segment, initial=initial(segment)), upon=upon)


def _sent(request: HttpRequest, segment: Segment | None) -> Desk:
    data = request.POST
    root = tree.from_form({name: data[name] for name in data})
    return Desk(
        request,
        segment,
        root,
        DetailsForm(segment, data),
        reviewed=data.get("reviewed", ""),
        upon=data.get("upon", ""),
    )


def _explains(do: str) -> bool:
    return do == "explain" or do.startswith("explain:")


def _focus(do: str, place: str) -> str:
    """The id of what the keyboard goes on at."""
    verb = do.partition(":")[0]
    at = place.replace(".", "-") or "top"
    if verb in ("up", "down", "negate", "double"):
        return f"press-{verb}-{at}"
    return f"box-{at}"


def _page(desk: Desk, site: AdminSite, *, here: str = "") -> HttpResponse:
    segment = desk.segment
    context = {
        **site.each_context(desk.request),
        **desk.context(),
        **_beside(desk, ask=desk.request.method == "POST"),
        "here": here or desk.request.path,
        "title": f"Edit {segment.name}" if segment else "New segment",
        "opts": Segment._meta,
        "back": page_of(segment) if segment else list_of(Segment),
        "users": desk.users,
    }
    desk.request.current_app = site.name
    status = 409 if desk.overtaken else 200
    return render(desk.request, "segments/builder.html", context, status=status)


# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def from_file(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Asks for a file, and opens what it says in the builder of a new segment; nothing is saved by it."""
    if not request.user.has_perm("segments.add_segment"):
        raise PermissionDenied
    alert = ""
    if request.method == "POST":
        form = files.FileForm(request.POST, request.FILES)
        try:
            if not form.is_valid():
                raise Invalid.at("", str(form.errors["file"][0]))
            row = files.read(form.cleaned_data["file"].read(files.LARGEST + 1))
        except Invalid as invalid:
            alert = str(invalid)
        else:
            given = {"owner": request.user.pk, **files.words(row)}
            desk = Desk(request, None, tree.from_definition(row["definition"]), DetailsForm(None, initial=given))
            return _page(desk, site, here=reverse("admin:segments_segment_add"))
    context = {"title": "A segment from a file", "opts": Segment._meta, "back": list_of(Segment), "alert": alert}
    request.current_app = site.name
    return render(request, "segments/from_file.html", {**site.each_context(request), **context})


def to_file(segment: Segment) -> HttpResponse:
    answer = HttpResponse(files.written(segment), content_type="application/yaml; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{segment.slug}.yaml"'
    return answer


# ── Beside it ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _beside(desk: Desk, *, ask: bool = True) -> dict[str, Any]:
    """How many, who for example, and why somebody is in or out."""
    counted: Counted | None = None
    if ask and desk.reading.condition is not None and not desk.is_by_hand:
        counted = asking.counted(desk.reading.condition, marketing=desk.details.is_marketing, at=desk.now)
    return {"counted": counted, **_explained(desk)}


def _explained(desk: Desk) -> dict[str, Any]:
    """The person who was asked about with each line of the definition, or those among whom to choose."""
    who, do = desk.request.POST.get("who", ""), desk.request.POST.get("do", "")
    found: list[Profile] = []
    person: Profile | None = None
    findings: list[Finding] = []
    kept_out: list[str] = []
    if desk.sees_people and do == "explain":
        found = asking.people(who)
        person = found[0] if len(found) == 1 else None
    elif desk.sees_people:
        chosen = do.removeprefix("explain:") if _explains(do) else desk.request.POST.get("person", "")
        person = asking.person(chosen)
    if person is not None and desk.reading.condition is not None:
        findings = asking.explained(desk.reading.condition, person, at=desk.now)
        kept_out = limits.kept_out(person.pk, marketing=desk.details.is_marketing)
    return {
        "who": who[:200],
        "person": person,
        "found": [] if person else found,
        "findings": findings,
        "holds": bool(findings and findings[0].holds and not kept_out),
        "kept_out": kept_out,
        "asked": do == "explain" and bool(who.strip()),
        "here": desk.request.path,
        "reading": desk.reading,
        "sees_people": desk.sees_people,
    }


# ── Saving ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _save(desk: Desk, do: str) -> HttpResponse | None:
    """Saves and goes to the segment's page; None where something is to be mended, or looked at first."""
    segment = desk.segment
    if not desk.details.is_valid():
        desk.alert = "Some of the words on it cannot be taken as they are; see below."
        return None
    if desk.reading.condition is None and not desk.is_by_hand:
        desk.alert = "It is not finished: mend what is marked, then save it."
        return None
    if _is_overtaken(desk):
        return None
    if not _is_looked_at(desk, do):
        return None
    status = Segment.Status.LIVE if do == "save_live" else None
    slug = segment.slug if segment else free_slug(desk.details.cleaned_data["name"])
    try:
        saved = definitions.save(
            slug,
            definition=None if desk.is_by_hand else desk.reading.written.definition,
            name=desk.details.cleaned_data["name"],
            status=status,
            reason=desk.details.cleaned_data["reason"],
            upon=_upon(desk),
            now=desk.now,
            **desk.details.fields_given(),
        )
    except Overtaken:
        if segment is None:  # somebody else made one of this name at the same moment
            desk.alert = "Somebody else made a segment of this name just now. Save again, and yours stands beside it."
        else:
            segment.refresh_from_db()
            _is_overtaken(desk)
        return None
    except Refused as refusal:
        desk.alert = str(refusal).removeprefix("definition: ")
        return None
    people = wording.plural(saved.size, "person is", "people are")
    told = f" {people} in it." if saved.status == Segment.Status.LIVE else " It is a draft: nobody is in it yet."
    messages.success(desk.request, f"“{saved.name}” is saved.{told if saved.status != 'archived' else ''}")
    return HttpResponseRedirect(page_of(saved))


def _upon(desk: Desk) -> int | None:
    """The version that a change is made from; 0 for what is new, which must not land on what is there."""
    if desk.segment is None:
        return 0
    return int(desk.upon) if desk.upon.isascii() and desk.upon.isdigit() and len(desk.upon) < 9 else None


def _is_overtaken(desk: Desk) -> bool:
    """Whether somebody else saved a version since this was opened; then both are shown."""
    segment = desk.segment
    if segment is None or segment.version is None or desk.upon == str(segment.version.number) or desk.is_by_hand:
        return False
    desk.overtaken = True
    desk.theirs = lines_of(segment.definition)
    desk.upon = str(segment.version.number)
    desk.reviewed = ""
    return True


def _is_looked_at(desk: Desk, do: str) -> bool:
    """Whether who would come and go needs no look, or had one; else it is shown."""
    segment = desk.segment
    is_live = segment is not None and segment.status == Segment.Status.LIVE
    given = desk.details.fields_given()
    place = (given["family"], given["position"], given["marketing"])
    wanted = (desk.reading.written.definition, *place)
    changed = segment is None or (segment.definition, segment.family, segment.position, segment.marketing) != wanted
    if desk.is_by_hand or not ((is_live and changed) or (do == "save_live" and not is_live)):
        return True
    mark = _mark(desk, do)
    if desk.reviewed == mark:
        return True
    about = segment or Segment(slug="")
    about.family, about.position, about.marketing = place
    desk.review = asking.difference(about, desk.reading.written.definition, at=desk.now)
    desk.reviewed, desk.saving = mark, do
    return False


def _mark(desk: Desk, do: str) -> str:
    """What was looked at: it says whether what is saved then is the same."""
    given = desk.details.fields_given()
    about = [do, desk.upon, given["family"], given["position"], given["marketing"], desk.reading.written.definition]
    said = json.dumps(about, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def used_by(segment: Segment) -> list[str]:
    return [sentence for answers in registry.references.ask("segment", segment.slug) for sentence in answers]
