"""One request's state of the editor: what is under way, read from what is stored or from what the form sent."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.http import HttpRequest, QueryDict

from consent.models import Topic
from foundation import wording
from messaging import brands, languages
from messaging.building import BLOCKS
from messaging.delivery import CHANNELS, label
from messaging.editor import drawing, history, pieces, samples, showing, tongues, trial, undo
from messaging.editor.history import Change
from messaging.editor.pieces import Board
from messaging.editor.reading import Draft, Reading, read
from messaging.editor.showing import Shown, View
from messaging.editor.undo import Past
from messaging.editor.variables import Catalogue
from messaging.languages import Spoken
from messaging.models import Template, TemplateVersion
from messaging.snippets.models import Snippet
from profiles.models import Profile
from segments.models import Segment

Row = Template | Snippet


@dataclass
class Desk:
    """One request's state of the editor: the template or snippet under way, and how it is looked at."""

    request: HttpRequest
    row: Row | None
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
    overtaken: Spoken | None = None
    asked: list[Template] = field(default_factory=list)
    """The templates that would be made anew, to be asked about first."""

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

    @cached_property
    def snippets(self) -> list[tuple[str, str]]:
        """What may be included: all but itself."""
        rows = Snippet.objects.filter(archived=False, version__isnull=False).order_by("name", "id")
        mine = self.draft.slug if self.draft.is_snippet else ""
        return list(rows.exclude(slug=mine).values_list("slug", "name"))

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
    def may_write_mjml(self) -> bool:
        return self.request.user.has_perm(BLOCKS["mjml"].permission)

    def oversteps(self, before: Any) -> str:
        """What is new since the blocks of `before` and may not be written by whoever writes, in a sentence."""
        own = {piece.values.get("source") for piece in self.draft.board.walk() if piece.kind == "mjml"}
        there = {piece.values.get("source") for piece in pieces.from_blocks(before).walk() if piece.kind == "mjml"}
        if self.may_write_mjml or own <= there:
            return ""
        return "You may not write MJML. Say it with other blocks, or have somebody write it who may."

    @property
    def sees_people(self) -> bool:
        return self.request.user.has_perm("profiles.view_profile")

    @property
    def because_it_is_dropped(self) -> str:
        return self.reason or f"No longer in {languages.label(self.language)}"

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
        boxes = drawing.boxes(self.draft.board, reading, dict(self.snippets))
        return {
            "desk": self,
            "template": self.row,
            "draft": self.draft,
            "reading": reading,
            "shown": shown,
            "view": self.view,
            "boxes": boxes,
            "order": ",".join(piece.key for piece in self.draft.board.walk()),
            "all_boxes": drawing.flat(boxes),
            "kinds": drawing.kinds(self.request.user.has_perm),
            "groups": self.groups,
            "snippets": self.snippets,
            "notes": reading.notes,
            "notes_whole": reading.notes.get("", []),
            "said": [(place, reading.notes.get(place, [])) for place in ("name", "topic", "channel", "subject")],
            "used_subject": reading.used.get("field-subject", []),
            "here": self.request.get_full_path(),
            "tongues": tongues.of(self.row, self.language),
            "channels": [(key, label(key).capitalize()) for key in CHANNELS.keys()],  # noqa: SIM118 (sorted)
            "asks": trial.asks(self.draft.channel, self.request.user, self.view.person),  # type: ignore[arg-type]
            "past": self.past.packed(),
        }


def opened(request: HttpRequest, row: Row | None, *, is_snippet: bool = False) -> Desk:
    """As it is stored."""
    version = row.version if row else None
    language = tongues.asked_for(request, row)
    said = tongues.said(version, language)
    board = pieces.from_blocks(said.blocks if said else [])
    draft = Draft(
        slug=row.slug if row else "",
        name=row.name if row else "",
        channel=row.channel if isinstance(row, Template) else "email",
        topic=row.topic.slug if isinstance(row, Template) else "",
        subject=said.subject if said else "",
        board=board,
        is_new=row is None,
        is_snippet=is_snippet,
        options=dict(version.options) if isinstance(version, TemplateVersion) else {},
    )
    past = Past(drawn=pieces.written(board).blocks)
    return Desk(request, row, draft, past, language, upon=str(version.number if version else 0))


def sent(request: HttpRequest, row: Row | None, *, is_snippet: bool = False) -> Desk:
    """As the form sends it."""
    data: QueryDict = request.POST
    board = pieces.from_form(data)
    channel = row.channel if isinstance(row, Template) else "email" if is_snippet else data.get("channel", "email")
    draft = Draft(
        slug=row.slug if row else "",
        name=_one(data, "name"),
        channel=channel if channel in CHANNELS else "email",
        topic=_one(data, "topic"),
        subject=_one(data, "subject"),
        board=board,
        is_new=row is None,
        is_snippet=is_snippet,
    )
    draft.options = {one.name: _one(data, f"option-{one.name}") or one.among[0][0] for one in draft.form.options}
    if not draft.form.has_subject:
        draft.subject = ""  # the field is not there, or was left over from another channel
    view = View(_one(data, "width"), _one(data, "scheme"), _one(data, "part"))
    language = tongues.asked_for(request, row)
    desk = Desk(request, row, draft, undo.unpacked(data.get("past", "")), language, view)
    if desk.sees_people:
        view.person = samples.person(_one(data, "person"))
    desk.reason, desk.upon = _one(data, "reason")[:1_000], _one(data, "upon")
    return desk


def _one(data: QueryDict, name: str) -> str:
    return data.get(name, "").replace("\0", "")[:2_000]
