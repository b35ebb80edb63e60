"""Parts of a message that only some see: each block may have a condition, asked of a whole batch at a time."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from foundation.errors import Invalid, Problem
from messaging.models import TemplateVersion
from segments import language
from segments.models import Segment

Shown = Mapping[str, bool]
"""By the name of a condition: whether somebody meets it."""


def name_of(definition: Any) -> str:
    """What a condition is called in templates: the same for the same condition."""
    return f"c{hashlib.sha256(_written(definition).encode()).hexdigest()[:12]}"


def _written(definition: Any) -> str:
    return json.dumps(definition, sort_keys=True)


def problems(definition: Any, path: str) -> list[Problem]:
    """What is wrong with the condition of a block."""
    try:
        needed = language.parse(definition).needs().segments
    except Invalid as invalid:
        return [Problem(f"{path}.{one.path}" if one.path else path, one.reason) for one in invalid.problems]
    live = Segment.objects.filter(slug__in=needed, status=Segment.Status.LIVE).values_list("slug", flat=True)
    return [Problem(path, f"there is no live segment {slug!r}") for slug in sorted(needed.difference(live))]


def conditions(version: TemplateVersion) -> dict[str, Any]:
    """The conditions of all blocks of a version, in all languages: by name, as they were written."""
    return {name_of(when): when for blocks in version.rows for when in _in(blocks)}


def _in(blocks: Any) -> Iterator[Any]:
    for block in blocks if isinstance(blocks, list) else ():
        if isinstance(block, list):
            yield from _in(block)
        elif isinstance(block, Mapping):
            if block.get("when"):
                yield block["when"]
            for value in block.values():
                if isinstance(value, list):
                    yield from _in(value)


def ask(asked: Iterable[tuple[TemplateVersion, UUID]], *, at: datetime) -> dict[tuple[int, UUID], Shown]:
    """What each of these people is shown of a version, by version and person: one question a condition."""
    people: dict[int, set[UUID]] = {}
    versions: dict[int, TemplateVersion] = {}
    for version, profile in asked:
        versions[version.pk] = version
        people.setdefault(version.pk, set()).add(profile)
    found: dict[tuple[int, UUID], dict[str, bool]] = {}
    for id, version in versions.items():
        for name, definition in conditions(version).items():
            matching = _matching(definition, people[id], at)
            for profile in people[id]:
                found.setdefault((id, profile), {})[name] = profile in matching
    return dict(found)


def _matching(definition: Any, people: set[UUID], at: datetime) -> set[UUID]:
    try:
        return language.parse(definition).matching(people, at=at)
    except Invalid:  # what it rests on is gone: nobody is shown what is not for everybody
        return set()


def everything(version: TemplateVersion) -> Shown:
    """As if all were met: for those who look at a template and at nobody in particular."""
    return dict.fromkeys(conditions(version), True)


def segments(version: TemplateVersion) -> set[str]:
    """The slugs of the segments that its conditions rest on."""
    return {slug for one in conditions(version).values() for slug in _used(one)}


def _used(definition: Any) -> frozenset[str]:
    try:
        return language.parse(definition).needs().segments
    except Invalid:
        return frozenset()


# ── As one choice in a form ──────────────────────────────────────────────────────────────────────────────────────────
def packed(definition: Any) -> str:
    """A condition as a form sends it: the slug of just a segment, with `!` before it for those outside; else JSON."""
    match definition:
        case {"kind": "segment", "slug": str(slug), **rest} if not rest:
            return slug
        case {"not": {"kind": "segment", "slug": str(slug), **rest}, **more} if not rest and not more:
            return f"!{slug}"
    return _written(definition) if definition else ""


def unpacked(said: str) -> Any:
    """What such a choice says; what is none of them stays as it was sent, to be refused with its place."""
    if said.startswith("{"):
        try:
            return json.loads(said)
        except (ValueError, RecursionError):
            return said
    inside = {"kind": "segment", "slug": said.removeprefix("!")}
    return {"not": inside} if said.startswith("!") else inside


def sentence(definition: Any) -> str:
    """A condition for people, also one that no longer holds together."""
    try:
        return language.parse(definition).sentence()
    except Invalid:
        return "a condition that is known no more"
