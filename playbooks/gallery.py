"""The screens on playbooks: the gallery, what one would do here, and files that are brought and taken along."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from foundation import clock
from foundation.admin import list_of, page_of
from foundation.errors import Invalid, Refused
from foundation.wording import plural
from journeys.editor import shape
from journeys.models import Journey
from playbooks import asking, exporting, files, installing, planning, reading, showing
from playbooks.asking import Asked, Name
from playbooks.files import Playbook
from playbooks.planning import Item
from staff import audit

KEEP, CHANGE, BESIDE = "keep", "change", "beside"
_MOST_TOLD = 30


# ── The gallery ──────────────────────────────────────────────────────────────────────────────────────────────────────
def gallery(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """The playbooks that come with Cairn, each a card."""
    _may(request, "view")
    there = set(Journey.objects.values_list("slug", "name"))
    context = {
        "title": "Playbooks",
        "cards": [showing.card(files.load(slug), there) for slug in files.slugs()],
        "may_begin": request.user.has_perm("journeys.add_journey"),
        "back": list_of(Journey),
    }
    return _render(request, site, "playbooks/gallery.html", context)


def playbook(request: HttpRequest, site: AdminSite, slug: str) -> HttpResponse:
    """One of them: what it is, what it would do here; sent, it is made as drafts."""
    _may(request, "view")
    if slug not in files.slugs():
        raise Http404
    if request.method == "POST":
        _may(request, "add")
    desk = Desk(request, files.load(slug), ours=True)
    return _answer(desk, site, "playbooks/playbook.html", {"slug": slug})


# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def upload(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Asks for a file, shows what it would do, and does it. What was sent comes back with each answer."""
    _may(request, "add")
    problems: list[str] = []
    if request.method == "POST":
        try:
            book, text = reading.playbook(_sent(request))
            desk = Desk(request, book)
            return _answer(desk, site, "playbooks/playbook.html", {"text": text, "name": request.POST.get("name", "")})
        except Invalid as invalid:
            problems = _said(invalid)
    context = {"title": "A journey from a file", "problems": problems, "back": list_of(Journey)}
    return _render(request, site, "playbooks/upload.html", {**context, "largest": reading.LARGEST // 1000}, problems)


def _sent(request: HttpRequest) -> bytes:
    if text := request.POST.get("text"):
        return text.encode("utf-8", "surrogatepass")
    file = request.FILES.get("file")
    if file is None:
        raise Invalid.at("", "Choose a file first.")
    return bytes(file.read(reading.LARGEST + 1))


def download(request: HttpRequest, journey: Journey, site: AdminSite) -> HttpResponse:
    """The journey with all that it needs, as a file that this page takes elsewhere."""
    _may(request, "view")
    try:
        text = files.written(exporting.of_journeys([journey.slug], what=journey.description))
    except Refused as refusal:
        messages.error(request, f"It cannot be taken along as a file yet. {refusal}")
        return HttpResponseRedirect(page_of(journey))
    answer = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{journey.slug}.yaml"'
    return answer


# ── What one would do here ───────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Desk:
    """One request about one playbook: by which names, what would become of what, and what was chosen."""

    request: HttpRequest
    book: Playbook
    ours: bool = False
    problems: list[str] = field(default_factory=list)

    @cached_property
    def chosen(self) -> dict[Name, str]:
        """What is called otherwise here, of the names that can be chosen."""
        found = {}
        for one in asking.asked(self.book):
            name = self.request.POST.get(f"name.{one.field}", "")
            if name and name in dict(one.choices):
                found[one.of, one.name] = name
        return found

    @cached_property
    def asked(self) -> list[Asked]:
        return asking.asked(self.book, self.chosen)

    @cached_property
    def there(self) -> str:
        """What becomes of what is there already and says something else."""
        sent = self.request.POST.get("there", "")
        return sent if sent in (KEEP, CHANGE, BESIDE) else KEEP if self.ours else CHANGE

    @cached_property
    def mapped(self) -> Playbook:
        return asking.called(self.book, self.chosen)

    @cached_property
    def items(self) -> list[Item]:
        return planning.items(self.mapped, self.request.user, ours=self.ours)

    @property
    def changed(self) -> list[Item]:
        return [item for item in self.items if item.how == "changed"]

    @property
    def fresh(self) -> list[Item]:
        return [item for item in self.items if item.how == "new"]

    @property
    def same(self) -> list[Item]:
        return [item for item in self.items if item.how == "same"]

    @property
    def taken(self) -> list[str]:
        """Of what is there, what is to be changed: all of it, unless single ones were chosen."""
        if "chosen" in self.request.POST:
            return self.request.POST.getlist("take")
        return [item.key for item in self.changed]

    @property
    def digest(self) -> str:
        return planning.digest(self.items)

    # ── Making it ────────────────────────────────────────────────────────────────────────────────────────────────────
    def plan(self) -> Playbook:
        """What is to be made, after what was chosen."""
        if self.there == BESIDE:
            return asking.called(self.mapped, self._beside())
        take = set(self.taken) if self.there == CHANGE else set()
        return planning.without(
            self.mapped,
            [
                (one.kind, one.slug)
                for one in self.items
                if one.how == "same" or (one.how == "changed" and one.key not in take)
            ],
        )

    def _beside(self) -> dict[Name, str]:
        """Other slugs for what is there already and says something else; topics and teams are what they are."""
        found = {}
        for item in self.changed:
            if item.kind in ("journey", "template", "segment"):
                found[item.kind, item.slug] = _free(item.kind, item.slug)
        return found

    def refused(self, book: Playbook) -> list[str]:
        """What this member of staff may not do of it."""
        made = planning.items(book, self.request.user, ours=self.ours)
        return [f"{one.called} “{one.name}”: {one.refusal}" for one in made if one.refusal]


def _free(kind: str, slug: str) -> str:
    stem = slug[:90]
    taken = {f"{stem}-{n}" for n in range(2, 200) if exporting.row(kind, f"{stem}-{n}") is not None}
    wanted = f"{stem}-2"
    return wanted if wanted not in taken else shape.fresh(stem, {stem, *taken})


def _answer(desk: Desk, site: AdminSite, template: str, more: Mapping[str, Any]) -> HttpResponse:
    if desk.request.POST.get("do") == "start" and (made := _make(desk)):
        return made
    book = desk.mapped
    context = {
        "title": book.name,
        "desk": desk,
        "book": book,
        "journeys": showing.journeys(book),
        "groups": showing.groups(book),
        "mails": showing.messages(book),
        "lacks": [one for one in desk.asked if not one.said],
        "has": [one for one in desk.asked if one.said],
        "may_begin": desk.request.user.has_perm("journeys.add_journey"),
        "back": reverse("admin:journeys_journey_playbooks"),
        "refused": [item for item in desk.items if item.refusal],
        **more,
    }
    return _render(desk.request, site, template, context, desk.problems)


def _make(desk: Desk) -> HttpResponse | None:
    """Makes what was chosen, all or nothing, and goes on to the journey; None where something is in the way."""
    if desk.request.POST.get("seen") != desk.digest:
        desk.problems = [
            "What is here was changed since you looked, by you or by somebody else. Look again, then start."
        ]
        return None
    book = desk.plan()
    if refused := desk.refused(book):
        desk.problems = refused[:_MOST_TOLD]
        return None
    made = sum(len(getattr(book, part)) for part in files.PARTS)
    if made:
        try:
            _install(book, desk)
        except Refused as refusal:
            desk.problems = _said(refusal)
            return None
    return _on(desk, book, made)


def _install(book: Playbook, desk: Desk) -> None:
    with transaction.atomic():
        installing.install(book, now=clock.now(), publish=False)
        made = {part: [row["slug"] for row in getattr(book, part)] for part in files.PARTS}
        where = "the playbook" if desk.ours else "a file"
        summary = f"Made drafts from {where} {book.name}."
        called = {f"{of} {name}": other for (of, name), other in desk.chosen.items()}
        audit.record("start", "playbook", book.slug, summary, made=made, called=called)


def _on(desk: Desk, book: Playbook, made: int) -> HttpResponse:
    if made:
        told = f"{plural(made, 'definition is', 'definitions are')} made from {book.name}."
        more = " Nobody enters before you publish: look it through, then press Check and publish."
        messages.success(desk.request, told + (more if book.journeys else ""))
    else:
        messages.info(desk.request, "All of it is here already, and stays as it is.")
    rows = book.journeys or desk.mapped.journeys
    journey = Journey.objects.filter(slug=rows[0]["slug"]).first() if rows else None
    if journey is None:
        return HttpResponseRedirect(reverse("admin:journeys_journey_changelist"))
    if desk.request.user.has_perm("journeys.change_journey"):
        return HttpResponseRedirect(reverse("admin:journeys_journey_edit", args=[journey.pk]))
    return HttpResponseRedirect(page_of(journey))


def _said(refusal: Refused) -> list[str]:
    """What is in the way, a line for each thing, with its place."""
    if not isinstance(refusal, Invalid):
        return [str(refusal)]
    found = [f"{one.path}: {one.reason}" if one.path else one.reason for one in refusal.problems]
    more = len(found) - _MOST_TOLD
    return [*found[:_MOST_TOLD], f"And {plural(more, 'more problem')}."] if more > 0 else found


def _may(request: HttpRequest, verb: str) -> None:
    if not request.user.has_perm(f"journeys.{verb}_journey"):
        raise PermissionDenied


def _render(
    request: HttpRequest, site: AdminSite, template: str, context: Mapping[str, Any], problems: list[str] | None = None
) -> HttpResponse:
    request.current_app = site.name
    context = {**site.each_context(request), "opts": Journey._meta, **context}
    return render(request, template, context, status=400 if problems else 200)
