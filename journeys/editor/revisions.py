"""The draft, edit by edit: who did what, taking it back, and bringing together what two people do at a time.

The newest revision is the draft. An edit names the revision that it was made upon; where others came since, both are
merged, or `Overtaken` says over what they clash, and changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from foundation.errors import Conflict
from journeys import publishing
from journeys.editor import merging, shape, words
from journeys.editor.edits import Edit
from journeys.editor.shape import Document
from journeys.models import Journey, Revision
from staff import actors

KEPT = 300
_REACH = 100  # how far back one can go


class Overtaken(Conflict):
    """Somebody else changed the same since; `mine` and `theirs` are the document as each would have it."""

    def __init__(self, clashes: Sequence[str], mine: Document, theirs: Revision) -> None:
        super().__init__(f"{person(theirs.author)} changed the same meanwhile.")
        self.clashes, self.mine, self.theirs = list(clashes), mine, theirs


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an edit: the newest revision, and whether it was brought together with what others did."""

    head: Revision
    merged: bool = False
    changed: bool = True


def person(author: str) -> str:
    """An author as people call them: `ada`, `The key Website`."""
    kind, _, name = author.partition(":")
    if kind == "user" and name:
        return name
    return {"key": f"The key {name}", "command": f"The command {name}"}.get(kind, "The system")


# ── The newest ───────────────────────────────────────────────────────────────────────────────────────────────────────
def head(journey: Journey, *, now: datetime) -> Revision:
    """The newest revision. What was changed outside the editor since becomes one."""
    newest = _newest(journey)
    if newest is not None and newest.document == _current(journey):
        return newest
    with transaction.atomic():
        return _head(publishing.hold(journey.slug), now)


def _head(journey: Journey, now: datetime) -> Revision:
    newest, current = _newest(journey), _current(journey)
    if newest is not None and newest.document == current:
        return newest
    draft = publishing.draft_of(journey)
    author = draft.author if draft else actors.current()
    what = "Changed outside the editor." if newest else "As it was."
    return _add(journey, newest, current, what, Revision.Kind.FOUND, author, now)


def _newest(journey: Journey) -> Revision | None:
    return journey.revisions.order_by("-number").first()


def _current(journey: Journey) -> Document:
    draft = publishing.draft_of(journey)
    document: Document = draft.document if draft else journey.version.document if journey.version else shape.empty()
    return document


def _add(
    journey: Journey, newest: Revision | None, document: Document, what: str, kind: str, author: str, now: datetime
) -> Revision:
    number = newest.number + 1 if newest else 1
    if number % 20 == 0:
        journey.revisions.filter(number__lte=number - KEPT).delete()
    return Revision.objects.create(
        journey=journey, number=number, kind=kind, document=document, author=author, at=now, what=what
    )


# ── Doing ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def do(slug: str, edit: Edit, *, upon: int, insist: bool = False, now: datetime) -> Outcome:
    """Does an edit that was made upon a revision. With `insist` it is done over what others did to the same."""
    with transaction.atomic():
        journey = publishing.hold(slug)
        newest = _head(journey, now)
        base = newest if upon >= newest.number else at(journey, upon) or newest
        mine = edit.apply(base.document)
        found = merging.merge(base.document, mine, newest.document)
        document = found.document
        if document is None:
            if not insist:
                raise Overtaken(found.clashes, mine, newest)
            document = edit.apply(newest.document)
        merged = base.number < newest.number
        if document == newest.document:
            return Outcome(newest, merged, changed=False)
        what = words.what(edit, newest.document, document)
        return Outcome(_keep(journey, newest, document, what, Revision.Kind.EDIT, now), merged)


def at(journey: Journey, number: int) -> Revision | None:
    """A revision by its number; None where it is no longer kept."""
    return journey.revisions.filter(number=number).first()


def _keep(journey: Journey, newest: Revision, document: Document, what: str, kind: str, now: datetime) -> Revision:
    publishing.sketch(journey, document, what=what, now=now)
    return _add(journey, newest, document, what, kind, actors.current(), now)


# ── Taking back ──────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Ways:
    """What the one who acts can take back, and do again."""

    undo: Revision | None
    redo: Revision | None


def ways(journey: Journey) -> Ways:
    """Of one's own edits alone: nobody takes back what another does."""
    return _ways(list(journey.revisions.order_by("-number").defer("document")[:_REACH]))


def _ways(rows: Sequence[Revision]) -> Ways:
    done: list[Revision] = []
    undone: list[Revision] = []
    for row in sorted(rows, key=lambda row: row.number):
        if row.kind == Revision.Kind.FOUND or row.author != actors.current():
            continue
        match row.kind:
            case Revision.Kind.EDIT:
                done.append(row)
                undone.clear()
            case Revision.Kind.UNDO:
                del done[-1:]
                undone.append(row)
            case Revision.Kind.REDO:
                del undone[-1:]
                done.append(row)
    first = min((row.number for row in rows), default=0)
    return Ways(*(one[-1] if one and one[-1].number > first else None for one in (done, undone)))


def undo(slug: str, *, now: datetime) -> Outcome:
    """Takes back the last of one's own edits; `Overtaken` where others built upon it."""
    return _back(slug, "undo", now)


def redo(slug: str, *, now: datetime) -> Outcome:
    """Does again what one took back last."""
    return _back(slug, "redo", now)


def _back(slug: str, which: str, now: datetime) -> Outcome:
    with transaction.atomic():
        journey = publishing.hold(slug)
        newest = _head(journey, now)
        row = ways(journey).undo if which == "undo" else ways(journey).redo
        if row is None:
            raise Conflict("There is nothing to take back." if which == "undo" else "There is nothing to do again.")
        before = at(journey, row.number - 1)
        if before is None:
            raise Conflict("That is too long ago to be taken back.")
        found = merging.merge(row.document, before.document, newest.document)
        if found.document is None:
            raise Overtaken(found.clashes, before.document, newest)
        kind = Revision.Kind.UNDO if which == "undo" else Revision.Kind.REDO
        what = f"Took back: {row.what}" if which == "undo" else f"Did again: {row.what.removeprefix('Took back: ')}"
        if found.document == newest.document:
            # Others came to the same: the way back is one shorter all the same.
            return Outcome(_add(journey, newest, found.document, what, kind, actors.current(), now), changed=False)
        return Outcome(_keep(journey, newest, found.document, what, kind, now), row.number < newest.number)
