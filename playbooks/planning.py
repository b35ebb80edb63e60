"""What a playbook would do to an installation, in words for staff: what comes, what changes and how, what stays."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from django.contrib.auth.models import AbstractUser, AnonymousUser

from foundation import wording
from foundation.errors import Refused
from journeys import documents, names, publishing
from journeys.editor.comparing import Line, compared
from journeys.models import Journey
from messaging.editor import history
from messaging.editor.history import Change
from messaging.languages import Said
from playbooks import comparing, exporting, files
from playbooks.files import Playbook
from segments import language

Key = tuple[str, str]
User = AbstractUser | AnonymousUser

CALLED = {
    "team": "Team",
    "topic": "Topic",
    "segment": "Segment",
    "snippet": "Snippet",
    "template": "Template",
    "journey": "Journey",
}
_ICONS = {
    "team": "groups",
    "topic": "topic",
    "segment": "donut_small",
    "snippet": "content_paste",
    "template": "draft",
    "journey": "route",
}
_MODELS = {
    "team": "staff.{}_team",
    "topic": "consent.{}_topic",
    "segment": "segments.{}_segment",
    "snippet": "messaging.{}_snippet",
    "template": "messaging.{}_template",
    "journey": "journeys.{}_journey",
}
_SAID = ("subject", "blocks", "translations")  # what is compared block by block
_LABELS = {
    "definition": "Who is in it",
    "basis": "Legal basis",
    "default": "Agreed to by default",
    "double_opt_in": "Asks twice",
    "valid_months": "Valid for months",
    "min_age": "From age",
    "what": "What it is",
    "marketing": "Used for marketing",
    "kind": "How it is filled",
}


@dataclass(frozen=True)
class Item:
    """One definition: what becomes of it here. `file`: the difference as it stands in the file, line by line."""

    kind: str
    slug: str
    name: str
    how: Literal["new", "same", "changed"]
    lines: list[Line] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    file: list[str] = field(default_factory=list)
    refusal: str = ""
    note: str = ""
    before: str = ""
    """What is here, in short."""

    @property
    def key(self) -> str:
        return f"{self.kind}.{self.slug}"

    @property
    def icon(self) -> str:
        return _ICONS[self.kind]

    @property
    def called(self) -> str:
        return CALLED[self.kind]

    @property
    def word(self) -> str:
        return {"new": "Is made", "same": "Stays", "changed": "Is there already, and says something else"}[self.how]


def items(book: Playbook, user: User, *, ours: bool = False) -> list[Item]:
    """Each definition in the order in which it is made.

    `ours`: the words are those that come with Cairn. Whoever may draw journeys may have new topics and teams made by
    them; of files that somebody wrote, each definition asks for the permission of its kind.
    """
    with named(book):
        return [_item(book, one, user, ours) for one in comparing.differences(book)]


def _item(book: Playbook, difference: comparing.Difference, user: User, ours: bool) -> Item:
    kind, slug = difference.kind, difference.slug
    row = next(one for one in getattr(book, f"{kind}s") if one["slug"] == slug)
    found = Item(kind, slug, difference.name, difference.how, file=difference.lines)
    before = exporting.row(kind, slug)
    if kind == "journey" and before is not None:
        draft = _draft(slug)
        if draft is not None:  # what would be lost is the draft, and not what is published
            before = {**before, "document": draft}
            lines = comparing.between(before, row)
            note = "Somebody is at work on its draft: that is what would be replaced." if lines else ""
            found = replace(found, how="changed" if lines else "same", file=lines, note=note)
    if found.how == "changed" and before is not None:
        said, changes = _told(kind, before, {**before, **row})
        found = replace(found, lines=said, changes=changes)
    return replace(found, refusal=_refusal(found, user, ours), before=_short(before))


def _draft(slug: str) -> Any:
    journey = Journey.objects.filter(slug=slug).first()
    draft = publishing.draft_of(journey) if journey else None
    return draft.document if draft else None


def _refusal(item: Item, user: User, ours: bool) -> str:
    if item.how == "same" or (ours and item.how == "new" and item.kind in ("topic", "team")):
        return ""
    verb = "add" if item.how == "new" else "change"
    if user.has_perm(_MODELS[item.kind].format(verb)):
        return ""
    doing = "add" if verb == "add" else "change"
    return f"You may not {doing} a {item.kind}. Ask somebody who may, or leave it out of the file."


@contextmanager
def named(book: Playbook) -> Iterator[None]:
    """A block in which sentences call what the playbook makes by its name, though it is not there yet."""
    called = {
        (part.removesuffix("s"), row["slug"]): str(row.get("name") or row["slug"])
        for part in files.PARTS
        for row in getattr(book, part)
    }
    with names.given(called):
        yield


def digest(found: Iterable[Item]) -> str:
    """What is here of all that, in short: whoever agrees to change it has seen just this."""
    return _short([[one.key, one.before] for one in found])


def _short(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:24]


# ── What differs ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _told(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[list[Line], list[Change]]:
    inner = {"journey": ("document", "tests"), "template": _SAID, "snippet": _SAID}.get(kind, ())
    lines = [_field(name, before.get(name), after.get(name)) for name in dict.fromkeys([*before, *after])
             if name not in inner and before.get(name) != after.get(name)]  # fmt: skip
    if kind == "journey":
        return [*lines, *_journey(before, after)], []
    return lines, _template(before, after) if kind in ("template", "snippet") else []


def _field(name: str, was: Any, now: Any) -> Line:
    label = _LABELS.get(name, wording.spoken(name))
    if name == "definition":
        return Line("changed", 0, _sentence(now), _sentence(was), tag=label)
    return Line("changed", 0, _value(now), _value(was), tag=label)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    return "nothing" if value in (None, "") else str(value)


def _sentence(definition: Any) -> str:
    try:
        return language.parse(definition).sentence()
    except Refused:
        return "It cannot be read any more."


def _journey(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Line]:
    lines = []
    if before["document"] != after["document"]:
        if documents.flaws(before["document"]):
            lines = [Line("changed", 0, "another drawing", "a draft that is not finished", tag="What happens")]
        else:
            both = compared(before["document"], after["document"])
            lines = [*(line for line in both.parts if line.state != "same"), *both.lines]
    if before.get("tests", []) != after.get("tests", []):
        one, other = (wording.plural(len(row.get("tests", [])), "test") for row in (after, before))
        lines.append(Line("changed", 0, f"{one}, some in other words" if one == other else one, other, tag="Tests"))
    return lines


def _template(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    was = Said("", before.get("subject", ""), before["blocks"], "", "")
    found = [*history.between(was, after.get("subject", ""), after["blocks"])]
    others = (before.get("translations") or {}, after.get("translations") or {})
    for tongue in sorted({*others[0], *others[1]}):
        one, other = (said.get(tongue) or {"subject": "", "blocks": []} for said in others)
        first = Said(tongue, one.get("subject", ""), one["blocks"], "", "")
        inner = history.between(first, other.get("subject", ""), other["blocks"])
        found += [replace(change, label=f"{change.label} ({tongue})") for change in inner if change.how != "same"]
    return [one for one in found if one.how != "same"]


# ── What is chosen ───────────────────────────────────────────────────────────────────────────────────────────────────
def without(book: Playbook, kept: Iterable[Key]) -> Playbook:
    """The playbook without what stays as it is here."""
    left = set(kept)
    parts: dict[str, Any] = {
        part: [row for row in getattr(book, part) if (part.removesuffix("s"), row["slug"]) not in left]
        for part in files.PARTS
    }
    return replace(book, **parts)
