"""What things are called that journeys rely on: sentences for people name them so, where that is known."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from consent.models import Topic
from journeys.fields import Use
from journeys.models import Journey
from messaging.models import Template
from segments.models import Segment
from staff.models import Team

_MODELS: dict[str, Any] = {
    "segment": Segment,
    "topic": Topic,
    "template": Template,
    "journey": Journey,
    "team": Team,
}
_known: ContextVar[dict[tuple[str, str], str] | None] = ContextVar("names", default=None)


def of(kind: str, slug: str) -> str:
    """What it is called; its slug, where nobody has looked or it is gone."""
    return (_known.get() or {}).get((kind, slug), slug)


@contextmanager
def known(uses: Iterable[Use]) -> Iterator[None]:
    """Within the block `of` knows the names of these: one question for each kind that there is."""
    found = dict(_known.get() or {})
    asked: dict[str, set[str]] = {}
    for use in uses:
        if (use.kind, use.slug) not in found:
            asked.setdefault(use.kind, set()).add(use.slug)
    for kind, slugs in asked.items():
        rows = _MODELS[kind].objects.filter(slug__in=slugs).values_list("slug", "name")
        found |= {(kind, slug): name for slug, name in rows if name}
    token = _known.set(found)
    try:
        yield
    finally:
        _known.reset(token)


@contextmanager
def given(called: Mapping[tuple[str, str], str]) -> Iterator[None]:
    """Within the block these are called so, by their kind and slug, whether or not they are there."""
    token = _known.set({**(_known.get() or {}), **called})
    try:
        yield
    finally:
        _known.reset(token)


def segments(slugs: Iterable[str]) -> list[Use]:
    """Segments as what is relied on."""
    return [Use("", "segment", slug) for slug in slugs]
