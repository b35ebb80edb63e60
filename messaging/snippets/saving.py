"""Saving what templates include: the only writer of snippets. Whatever includes one is made anew with it."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from foundation.errors import Conflict, Invalid, Problem
from foundation.sql import statements
from messaging import building, languages, templates
from messaging.models import Template
from messaging.snippets import inside
from messaging.snippets.models import Snippet, SnippetVersion
from messaging.templates import Overtaken
from staff import actors, audit

_SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*\Z")
_sql = statements("messaging", "snippets")


def save(
    slug: str,
    *,
    name: str,
    blocks: Any,
    translations: Mapping[str, Any] | None = None,
    reason: str = "",
    upon: int | None = None,
    now: datetime,
) -> Snippet:
    """Makes or changes a snippet. What it says becomes a new version, and each template that includes it gets one, too.

    `translations` are blocks by language; without them those of before stay. `upon` is the number of the version that
    was changed; `Overtaken` if another has come since. `Invalid` names what is wrong with its path, also where a
    template could not say any more what the snippet says then; nothing is changed in that case.
    """
    with transaction.atomic():
        _sql.rows("alone")
        row = Snippet.objects.select_related("version").filter(slug=slug).first() if isinstance(slug, str) else None
        before = row.version if row else None
        if translations is None:
            translations = before.translations if before else {}
        _check(slug, name, blocks, translations)
        if row is None:
            row = Snippet.objects.create(slug=slug, name=name.strip())
        if upon is not None and upon != (before.number if before else 0):
            raise Overtaken(f"Somebody else saved the snippet {row.name} meanwhile.")
        is_new = before is None or (before.blocks, before.translations) != (blocks, translations)
        if not is_new and (row.name, row.archived) == (name.strip(), False):
            return row
        if is_new:
            row.version = SnippetVersion.objects.create(
                snippet=row,
                number=before.number + 1 if before else 1,
                blocks=blocks,
                translations=dict(translations),
                author=actors.current(),
                reason=reason,
                created_at=now,
            )
        row.name, row.archived = name.strip(), False
        row.save(update_fields=["name", "archived", "version"])
        number = row.version.number if row.version else 0
        verb, done = ("snippet.created", "Wrote") if before is None else ("snippet.changed", "Changed")
        summary = f"{done} the snippet {row.name} (version {number})."
        audit.record(verb, "snippet", slug, summary, version=number, reason=reason)
        if is_new:
            _make_anew(row, reason, now)
    return row


def _make_anew(row: Snippet, reason: str, now: datetime) -> None:
    """New versions of what includes it. `Invalid` names the first that could not be sent like that."""
    because = f"The snippet {row.name} changed" + (f": {reason}" if reason else "")
    for template in templates_with(row.slug):
        version = template.version
        if version is None:
            continue
        try:
            templates.save(
                template.slug,
                name=template.name,
                channel=template.channel,
                topic=template.topic.slug,
                subject=version.subject,
                blocks=version.blocks,
                translations=version.said_in_others,
                reason=because,
                now=now,
            )
        except Invalid as invalid:
            said = "; ".join(dict.fromkeys(problem.reason for problem in invalid.problems))
            raise Invalid.at("blocks", f"cannot be said in the template {template.name}, which {said}") from invalid


def archive(slug: str, *, reason: str = "", now: datetime) -> None:
    """Takes a snippet out of use, until it is saved again. `Conflict` while something includes it."""
    with transaction.atomic():
        _sql.rows("alone")
        row = Snippet.objects.filter(slug=slug).first()
        if row is None:
            raise Invalid.at("slug", f"there is no snippet {slug!r}")
        if users := used_by(slug):
            raise Conflict(f"The snippet {row.name} is in use. {' '.join(users)}")
        if not row.archived:
            row.archived = True
            row.save(update_fields=["archived"])
            audit.record("snippet.archived", "snippet", slug, f"Took the snippet {row.name} out of use.", reason=reason)


def templates_with(slug: str) -> QuerySet[Template]:
    """The templates in use that include it, be it within another snippet."""
    rows = Template.objects.filter(archived=False, version__snippets__has_key=slug)
    return rows.select_related("topic", "version").order_by("name", "id")


def snippets_with(slug: str) -> list[Snippet]:
    """The snippets in use that include it themselves."""
    rows = Snippet.objects.filter(archived=False).filter(
        Q(version__blocks__icontains=slug) | Q(version__translations__icontains=slug)
    )
    return [
        row
        for row in rows.select_related("version").order_by("name", "id")
        if row.version and slug in _named_by(row.version)
    ]


def _named_by(version: SnippetVersion) -> set[str]:
    said = inside.of_version(version.number, version.blocks, version.translations)
    return {slug for blocks in inside.written(said) for slug in inside.named(blocks)}


def used_by(slug: str) -> list[str]:
    """What includes it, a sentence each."""
    return [
        *(f"The template {row.name} includes it." for row in templates_with(slug)),
        *(f"The snippet {row.name} includes it." for row in snippets_with(slug)),
    ]


# ── What is wrong with one ───────────────────────────────────────────────────────────────────────────────────────────
def problems(slug: str, *, name: str, blocks: Any, translations: Any = None) -> list[Problem]:
    """Everything for which `save` would refuse it, apart from what uses it."""
    try:
        _check(slug, name, blocks, translations or {})
    except Invalid as invalid:
        return invalid.problems
    return []


def _check(slug: Any, name: Any, blocks: Any, translations: Any) -> None:
    found = []
    if not isinstance(slug, str) or not _SLUG.match(slug) or len(slug) > 100:
        found.append(Problem("slug", "must be lower-case letters, digits and dashes, at most 100"))
    if not isinstance(name, str) or not name.strip() or len(name) > 200 or "\0" in name:
        found.append(Problem("name", "must be a name of 1 to 200 characters"))
    shape = list(languages.problems(translations, ("blocks",)))
    rows = {"blocks": ("", blocks)}
    if not shape:
        rows |= {f"translations.{one}.blocks": (one, said["blocks"]) for one, said in translations.items()}
    held = inside.held(*(row for _, row in rows.values()))
    if isinstance(slug, str) and slug in held:
        found.append(Problem("blocks", _round(held, slug, rows)))
    else:
        for path, (language, row) in rows.items():
            found += _said(row, path, languages.of_snippets(held, language))
            found += _too_deep(row, path, held)
    if found := [*found, *shape]:
        raise Invalid(found)


def _said(blocks: Any, path: str, snippets: Mapping[str, Any]) -> list[Problem]:
    try:
        building.read(blocks, path, snippets=snippets)
    except Invalid as invalid:
        return invalid.problems
    return []


def _round(held: inside.Held, slug: str, rows: Mapping[str, tuple[str, Any]]) -> str:
    first = {one for _, row in rows.values() for one in inside.named(row)}
    if slug in first:
        return "include the snippet itself, which would never end"
    return f"include {', '.join(sorted(first & held.keys()))}, and that includes this snippet: it would never end"


def _too_deep(blocks: Any, path: str, held: inside.Held) -> list[Problem]:
    depth, row = 0, set(inside.named(blocks))
    while row and depth <= inside.DEEPEST:
        depth += 1
        row = {name for slug in row & held.keys() for one in inside.written(held[slug]) for name in inside.named(one)}
    if depth < inside.DEEPEST:
        return []
    return [Problem(path, f"include snippets within snippets; at most {inside.DEEPEST - 1} stand inside each other")]
