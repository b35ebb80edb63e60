"""How a template became what it is: what each version changed, block by block, in words."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from foundation import wording
from messaging import dynamic, languages
from messaging.building import BLOCKS
from messaging.editor import shapes
from messaging.editor.variables import in_words
from messaging.languages import Said, Spoken

_WORDS = re.compile(r"\s+|[^\s]+")
_LIKE = 0.35


@dataclass(frozen=True)
class Bit:
    """Some words; `how`: same, added or taken."""

    text: str
    how: str = "same"


@dataclass(frozen=True)
class Change:
    """One block of two versions: `how` is same, added, taken or changed."""

    label: str
    how: str
    bits: list[Bit] = field(default_factory=list)

    @property
    def word(self) -> str:
        return {"same": "", "added": "Added", "taken": "Removed", "changed": "Changed"}[self.how]


@dataclass(frozen=True)
class Told:
    """A version with what it changed against the one before."""

    version: Spoken
    changes: list[Change]
    author: str
    is_current: bool = False
    is_first: bool = False

    @property
    def moment(self) -> str:
        return wording.moment(self.version.created_at)


def label(block: Any) -> str:
    kind = block.get("kind") if isinstance(block, dict) else None
    variant = BLOCKS.get(kind) if isinstance(kind, str) else None
    return variant.label if variant else "A block that is known no more"


def words(block: Any) -> str:
    """What a block says, a line for each thing it has."""
    kind = block.get("kind") if isinstance(block, dict) else None
    variant = BLOCKS.get(kind) if isinstance(kind, str) else None
    if variant is None:
        return ""
    lines = []
    for name in variant.fields:
        value, shape = block.get(name), shapes.of(variant, name)
        if shape.is_empty(value):
            continue
        if isinstance(shape, shapes.Columns):
            for number, column in enumerate(value, 1):
                said = "; ".join(f"{label(one)}: {' '.join(words(one).split())}" for one in column) or "nothing"
                lines.append(f"Column {number}: {said}")
        elif isinstance(shape, shapes.Texts):
            lines += [f"• {one}" for one in value]
        elif isinstance(shape, shapes.YesNo):
            lines.append(shapes.label(variant, name))
        elif name in ("text", *variant.optional) or shape.key == "text":
            lines.append(str(value))
        else:
            lines.append(f"{shapes.label(variant, name)}: {value}")
    if block.get("when"):
        said = dynamic.sentence(block["when"])
        lines.append(f"Shown only to {said[:1].lower()}{said[1:]}")
    return in_words("\n".join(lines))


def changed(before: Sequence[Any], after: Sequence[Any]) -> list[Change]:
    """The blocks of both, in the order of the later; those that stayed without their words."""
    keys = [[(label(block), words(block)) for block in blocks] for blocks in (before, after)]
    found: list[Change] = []
    for how, a, b, c, d in difflib.SequenceMatcher(None, keys[0], keys[1], autojunk=False).get_opcodes():
        if how == "equal":
            found += [Change(name, "same", [Bit(wording.shortened(said, 80))]) for name, said in keys[1][c:d]]
        else:
            found += _replaced(keys[0][a:b], keys[1][c:d])
    return found


def _replaced(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> list[Change]:
    """Blocks of one kind in their order are taken for the same one, changed."""
    found, left = [], list(old)
    for name, said in new:
        twin = next((one for one in left if one[0] == name and _alike(one[1], said)), None)
        if twin is None:
            found.append(Change(name, "added", [Bit(said, "added")]))
            continue
        passed = left[: left.index(twin)]
        found += [Change(gone, "taken", [Bit(text, "taken")]) for gone, text in passed]
        left = left[left.index(twin) + 1 :]
        found.append(Change(name, "changed", bits(twin[1], said)))
    return [*found, *(Change(name, "taken", [Bit(said, "taken")]) for name, said in left)]


def _alike(one: str, other: str) -> bool:
    short = (one[:2_000], other[:2_000])
    return difflib.SequenceMatcher(None, _WORDS.findall(short[0]), _WORDS.findall(short[1])).ratio() >= _LIKE


def bits(before: str, after: str) -> list[Bit]:
    """Two texts word by word."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    found: list[Bit] = []
    for how, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if how == "equal":
            found.append(Bit("".join(old[a:b])))
            continue
        if b > a:
            found.append(Bit("".join(old[a:b]), "taken"))
        if d > c:
            found.append(Bit("".join(new[c:d]), "added"))
    return found


def between(before: Spoken | Said | None, subject: str, blocks: Sequence[Any]) -> list[Change]:
    """What changed from a version to what is said now, the subject first."""
    was = before.subject if before else ""
    if was != subject:
        how = "changed" if before else "added"
        first = [Change("Subject", how, bits(in_words(was), in_words(subject)))]
    else:
        first = []
    return [*first, *changed(before.blocks if before else [], blocks)]


def told(versions: Sequence[Spoken], current: int | None, most: int) -> list[Told]:
    """Up to `most` versions, the newest first, each against the one before it, which stands among `versions`."""
    found = []
    for place, version in enumerate(versions[:most]):
        before = versions[place + 1] if place + 1 < len(versions) else None
        changes = [*between(before, version.subject, version.blocks), *_in_others(before, version)]
        if before is None:  # the first one added everything, which need not be marked word by word
            changes = [Change(one.label, "same", [Bit(bit.text) for bit in one.bits]) for one in changes]
        found.append(Told(version, changes, author(version), version.pk == current, before is None))
    return found


def _in_others(before: Spoken | None, version: Spoken) -> list[Change]:
    """What changed in other languages."""
    found = []
    for language in sorted({*(before.translations if before else ()), *version.translations}):
        was, now = (languages.in_language(one, language) if one else None for one in (before, version))
        changes = between(was, now.subject if now else "", now.blocks if now else [])
        name = languages.label(language)
        found += [replace(one, label=f"{one.label} ({name})") for one in changes if one.how != "same"]
    return found


def author(version: Spoken) -> str:
    kind, _, name = version.author.partition(":")
    return name if kind == "user" else f"the key {name}" if kind == "key" else "Cairn"
