"""What is to be said of a template under way: what must be mended before it is saved, and what had better be."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.urls import reverse

from consent.models import Topic
from foundation.errors import Invalid, Problem
from messaging import building, mjml, templates
from messaging.building import links_in
from messaging.delivery import CHANNELS, Form, form_of
from messaging.editor import pieces, shapes
from messaging.editor.pieces import Board, Piece, Written
from messaging.editor.variables import Catalogue, Used, tested_in
from messaging.models import Brand
from messaging.snippets import inside
from messaging.snippets import saving as snippets
from messaging.snippets.inside import Held

LARGEST = 90_000
_LEGIBLE = 4.5
_LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_OF_FORM = ("name", "channel", "topic", "subject")
_NAMED = {"name": "The name", "channel": "The channel", "topic": "The topic", "subject": "The subject"}


@dataclass(frozen=True)
class Note:
    """One thing to mend (`must`) or to mind, and what to do. `link`: where one does it, as (words, address).

    `missing`: nothing is there yet, which need not be said before somebody wants to save it.
    """

    text: str
    must: bool = False
    link: tuple[str, str] | None = None
    missing: bool = False


@dataclass
class Draft:
    """A template as the form has it."""

    slug: str
    name: str
    channel: str
    topic: str
    subject: str
    board: Board
    is_new: bool = False
    is_snippet: bool = False
    options: dict[str, str] = field(default_factory=dict)

    @property
    def form(self) -> Form:
        """What its channel asks of a template."""
        return form_of(self.channel)


@dataclass
class Reading:
    """`notes`: by the key of a piece, the name of a field of the form, or "" for the whole."""

    written: Written
    notes: dict[str, list[Note]] = field(default_factory=dict)
    used: dict[str, list[Used]] = field(default_factory=dict)
    standing: list[Any] = field(default_factory=list)
    is_sound: bool = True
    """Whether the blocks can be shown at all."""
    held: Held = field(default_factory=dict)
    """What the snippets say that they include."""

    def say(self, place: str, note: Note) -> None:
        own = self.notes.setdefault(place, [])
        if note not in own:
            own.append(note)

    def be_lenient(self) -> None:
        """Says nothing of what is missing: it is being written."""
        self.notes = {place: [note for note in own if not note.missing] for place, own in self.notes.items()}

    @property
    def all_notes(self) -> list[Note]:
        return [note for notes in self.notes.values() for note in notes]

    @property
    def must(self) -> int:
        return sum(note.must for note in self.all_notes)

    @property
    def minds(self) -> int:
        return len(self.all_notes) - self.must


def read(draft: Draft, topic: Topic | None, brand: Brand, catalogue: Catalogue) -> Reading:
    reading = Reading(pieces.written(draft.board))
    broken: set[int] = set()
    for problem in _problems(draft, reading.written.blocks):
        _place(reading, draft, problem)
        if top := re.match(r"blocks\[(\d+)\]", problem.path):
            broken.add(int(top[1]))
    if reading.is_sound:
        reading.standing = [block for place, block in enumerate(reading.written.blocks) if place not in broken]
    reading.held = inside.held(reading.standing)
    _advise(reading, draft, topic, brand, catalogue)
    return reading


def _problems(draft: Draft, blocks: list[Any]) -> list[Problem]:
    if draft.is_snippet:
        return snippets.problems(draft.slug or "new", name=draft.name, blocks=blocks)
    return templates.problems(
        draft.slug or "new",
        name=draft.name,
        channel=draft.channel,
        topic=draft.topic,
        subject=draft.subject,
        blocks=blocks,
        options=draft.options,
    )


def _place(reading: Reading, draft: Draft, problem: Problem) -> None:
    if problem.path in _OF_FORM:
        empty = not getattr(draft, problem.path).strip()
        reason = "is still to be filled in" if empty else problem.reason
        text = f"{_NAMED[problem.path]} {reason}."
        reading.say(problem.path, Note(text, must=True, missing=empty))
        return
    if problem.path == "blocks":
        if reading.written.blocks:
            reading.say("", Note(f"The blocks {problem.reason}.", must=True))
            reading.is_sound = False
        else:
            reading.say("", Note("It says nothing yet: add a first block.", must=True, missing=True))
        return
    key, rest = reading.written.place_of(problem.path)
    found = draft.board.find(key)
    piece = found[0][found[1]] if found else None
    missing = problem.reason.startswith("is missing")
    reading.say(key, Note(_sentence(piece, rest, problem.reason), must=True, missing=missing))


def _sentence(piece: Piece | None, rest: str, reason: str) -> str:
    if piece is None:
        return f"Something is wrong: {reason}."
    if piece.block is None:
        return "This kind of block is known no more. Remove it, or put another in its place."
    name, _, place = rest.partition("[")
    if name not in piece.block.fields:
        return f"It {reason}."
    label = shapes.label(piece.block, name)
    number = place.partition("]")[0]
    which = f"{label}, point {int(number) + 1}" if number.isdecimal() and name == "items" else label
    if reason.startswith("is missing"):
        return f"“{which}” is still to be filled in."
    if "must begin with https://" in reason and shapes.of(piece.block, name).key == "address":
        return f"“{which}” is no address that a link could lead to. Begin it with https://, mailto: or tel:."
    if "must begin with https://" in reason:
        return f"“{which}” has a link that leads nowhere. Begin its address with https://, mailto: or tel:."
    return f"“{which}”: {reason}."


# ── What had better be mended ────────────────────────────────────────────────────────────────────────────────────────
def texts_of(draft: Draft) -> Iterator[tuple[str, str, str]]:
    """Every text that can hold values: the place that is to hear of it, the id of its field, and the text."""
    yield "subject", "field-subject", draft.subject
    for piece in draft.board.walk():
        for name in piece.block.fields if piece.block else ():
            shape, value = shapes.of(piece.block, name), piece.values.get(name)  # type: ignore[arg-type]
            if shape.fills:
                for number, text in enumerate(value if isinstance(value, list) else [value]):
                    if isinstance(text, str):
                        yield piece.key, f"field-{piece.key}-{name}-{number}", text


def _advise(reading: Reading, draft: Draft, topic: Topic | None, brand: Brand, catalogue: Catalogue) -> None:
    for place, id, text in texts_of(draft):
        used = catalogue.used_in(text)
        reading.used[id] = used
        tested = tested_in(text)
        for value in used:
            if note := _about(value, tested, draft.channel):
                reading.say(place, note)
    for piece in draft.board.walk():
        for note in _of_links(piece):
            reading.say(piece.key, note)
    if mjml.contrast("#ffffff", brand.colour) < _LEGIBLE:
        for piece in draft.board.walk():
            if piece.kind == "button":
                reading.say(piece.key, Note(_PALE, link=("Change the colour", _brand())))
    for piece in draft.board.walk():
        for text in _of_mjml(piece, brand):
            reading.say(piece.key, Note(text))
    if topic is not None and not draft.form.framed:
        for hint in _hints(draft, reading, topic):
            reading.say("", Note(hint))
    elif topic is not None and not topic.transactional and not brand.postal_address.strip():
        reading.say("", Note(_NO_ADDRESS, link=("Add it to the brand", _brand())))


def _hints(draft: Draft, reading: Reading, topic: Topic) -> list[str]:
    """What the channel has to say of the words, such as how long they are on its way."""
    channel = CHANNELS.get(draft.channel)
    try:
        said = building.compile_said(draft.form, reading.standing, reading.held).text if reading.standing else ""
    except Invalid:
        return []
    return channel().hints(said, transactional=topic.transactional) if channel and said else []


_PALE = "White words on the brand’s colour are hard to read. A darker colour makes them legible."
_NO_ADDRESS = "The brand has no postal address. The law of most places asks for one in the foot of every such mail."


def _about(value: Used, tested: set[str], channel: str) -> Note | None:
    if not value.is_known:
        return Note(f"Nobody is known to have “{value.name}” ({value.path}). Choose a value under “Insert”.")
    root = value.path.partition(".")[0].partition("[")[0]
    if value.default is not None or value.path in tested or root not in ("profile", "account", "event", "data"):
        return None
    if value.path == "profile.email" and channel == "email":
        return None
    return Note(
        f"Not everybody has “{value.name}”, and whoever has none would get no message."
        " Insert it with words to stand in its place."
    )


def _of_links(piece: Piece) -> Iterator[Note]:
    for name in piece.block.fields if piece.block else ():
        shape, value = shapes.of(piece.block, name), piece.values.get(name)  # type: ignore[arg-type]
        for text in value if isinstance(value, list) else [value]:
            if not isinstance(text, str):
                continue
            for href in [text] if shape.key == "address" else links_in(text):
                if _leads_nowhere(href):
                    yield Note(f"The link “{href.strip()[:80]}” leads to no site: its name has no ending such as .com.")


def _of_mjml(piece: Piece, brand: Brand) -> Iterator[str]:
    source = piece.values.get("source")
    if piece.kind == "mjml" and isinstance(source, str) and len(source) <= mjml.LONGEST:
        found = mjml.read(source, building.Writer())
        yield from mjml.pale(found, brand.colour, _LEGIBLE)
        for line, href in found.hrefs:
            if _leads_nowhere(href):
                yield f"Line {line}: “{href[:80]}” leads to no site: its name has no ending such as .com."


def _leads_nowhere(href: str) -> bool:
    plain = _LIQUID.sub("x.x", href.strip())
    if not plain.lower().startswith(("http://", "https://")):
        return False
    try:
        host = urlsplit(plain).hostname or ""
    except ValueError:
        return True
    return "." not in host.strip(".") and host != "localhost" and ":" not in host


def _brand() -> str:
    return reverse("admin:messaging_brand_change", args=[1])
