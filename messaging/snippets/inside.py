"""What the snippets say that blocks include: looked up once, and then kept with whatever was made of them."""

from collections.abc import Iterator, Mapping
from typing import Any

from messaging.snippets.models import Snippet

MOST = 300
"""Blocks that one message may come to with all that its snippets say."""
DEEPEST = 5

Held = Mapping[str, Mapping[str, Any]]
"""By the slug of a snippet: the `number` of its version, its `blocks`, and `translations` to languages."""


def named(blocks: Any) -> Iterator[str]:
    """The snippets that these blocks include, as they were written."""
    for block in blocks if isinstance(blocks, list) else ():
        if isinstance(block, list):
            yield from named(block)
        elif isinstance(block, Mapping):
            if block.get("kind") == "snippet" and isinstance(block.get("slug"), str):
                yield block["slug"]
            for value in block.values():
                yield from named(value)


def written(one: Mapping[str, Any]) -> Iterator[Any]:
    """The rows of blocks of a snippet, in all languages."""
    yield one["blocks"]
    for said in one["translations"].values():
        yield said["blocks"]


def held(*rows: Any) -> dict[str, dict[str, Any]]:
    """What is said by the snippets that these rows of blocks include, and by those that they include."""
    found: dict[str, dict[str, Any]] = {}
    asked: set[str] = set()
    wanted = {slug for blocks in rows for slug in named(blocks)}
    while missing := wanted - asked:
        asked |= missing
        live = Snippet.objects.filter(slug__in=missing, archived=False, version__isnull=False)
        for row in live.select_related("version"):
            if row.version:
                found[row.slug] = of_version(row.version.number, row.version.blocks, row.version.translations)
                wanted |= {slug for blocks in written(found[row.slug]) for slug in named(blocks)}
    return found


def of_version(number: int, blocks: Any, translations: Mapping[str, Any]) -> dict[str, Any]:
    return {"number": number, "blocks": blocks, "translations": dict(translations)}


def size(blocks: Any, snippets: Mapping[str, Any]) -> int:
    """How many blocks these come to, with what they include; more than `MOST` if it goes round in a circle."""
    known: dict[str, int] = {}

    def weigh(slug: str, within: tuple[str, ...]) -> int:
        if slug in within or len(within) > DEEPEST:
            return MOST + 1
        if slug not in known:
            known[slug] = count(snippets.get(slug), (*within, slug))
        return known[slug]

    def count(row: Any, within: tuple[str, ...]) -> int:
        own = len(row) if isinstance(row, list) else 0
        return min(own + sum(weigh(slug, within) for slug in named(row)), MOST + 1)

    return count(blocks, ())
