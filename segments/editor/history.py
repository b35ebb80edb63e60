"""How a segment became what it is: each version as indented lines, and what it changed."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foundation import wording
from foundation.errors import Invalid
from foundation.pages import Part
from segments import language
from segments.models import Learning, Segment, SegmentVersion

UNREADABLE = "It cannot be read any more."
_INTO = {" ": "same", "+": "added", "-": "taken"}


@dataclass(frozen=True)
class Said:
    """One line of a definition; `how` it stands to the version before: same, added or taken."""

    depth: int
    text: str
    how: str = "same"


def author(row: SegmentVersion | Learning) -> str:
    """Who made it, in words."""
    return wording.spoken(row.author.partition(":")[2] or row.author)


def lines_of(definition: Any) -> list[Said]:
    try:
        lines = language.parse(definition).lines()
    except Invalid:
        return [Said(0, UNREADABLE)]
    return [Said(depth, words[:1].upper() + words[1:]) for depth, words in lines]


def changed(before: Any, after: Any) -> list[Said]:
    """The lines of both, each with what became of it."""
    old, new = (lines_of(one) if one is not None else [] for one in (before, after))
    found = []
    for line in difflib.Differ().compare(_texts(old), _texts(new)):
        if line[0] in _INTO:
            depth, _, text = line[2:].partition(" ")
            found.append(Said(int(depth), text, _INTO[line[0]]))
    return found


def _texts(lines: list[Said]) -> list[str]:
    return [f"{line.depth} {line.text}" for line in lines]


@dataclass(frozen=True)
class Told:
    """A version with what it changed."""

    version: SegmentVersion
    lines: list[Said]
    is_current: bool = False

    @property
    def by(self) -> str:
        return author(self.version)

    @property
    def when(self) -> str:
        return wording.exact(self.version.created_at)


@dataclass(frozen=True, kw_only=True)
class History(Part):
    """The newest versions, each with what it changed, and a button to make it the definition again."""

    template = "segments/history.html"
    told: Sequence[Told]
    may_restore: bool = False
    more: bool = False


def history(segment: Segment, *, may_restore: bool, shown: int = 20) -> History:
    versions = list(segment.versions.order_by("-number")[: shown + 1])
    return History(
        title="How it became what it is",
        told=told(versions, segment.version_id)[:shown],
        may_restore=may_restore,
        more=len(versions) > shown,
    )


def told(versions: list[SegmentVersion], current: int | None) -> list[Told]:
    """Versions, the newest first, each against the one before it; the last is told as it is where none is given."""
    found = []
    for number, version in enumerate(versions):
        before = versions[number + 1] if number + 1 < len(versions) else None
        lines = changed(before.definition if before else None, version.definition)
        if before is None:
            lines = lines_of(version.definition)
        found.append(Told(version, lines, version.pk == current))
    return found
