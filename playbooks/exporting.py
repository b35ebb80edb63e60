"""Journeys with all that they need, as a playbook: what somebody else would have to have for them to run."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from consent.models import Topic
from foundation.errors import Invalid
from journeys import documents
from journeys.models import Journey, JourneyVersion
from journeys.testing import keeping
from messaging import dynamic
from messaging.models import Template
from messaging.snippets import inside
from messaging.snippets.models import Snippet
from playbooks.files import Playbook
from segments import definitions, language
from segments.models import Segment
from staff.models import Team

Need = tuple[str, str]
"""A kind (journey, segment, snippet, template, topic, team) and a slug."""

_TOPIC = ("default", "transactional", "double_opt_in", "valid_months", "min_age")
_SEGMENT = tuple(name for name in definitions.FIELDS if name not in ("owner", "position", "kind", "marketing"))


def of_journeys(slugs: Iterable[str], *, name: str = "", what: str = "") -> Playbook:
    """These journeys as they are published (as drafts, where they never were), and whatever they rest on.

    Of people nothing is told: a segment that is filled by hand comes empty.
    """
    wanted = list(dict.fromkeys(slugs))
    book = _Book()
    for slug in wanted:
        book.add("journey", slug)
    found = Journey.objects.filter(slug=wanted[0]).first() if wanted else None
    return Playbook(slug=wanted[0] if wanted else "", name=name or str(found or ""), what=what, **book.parts)


def row(kind: str, slug: str) -> dict[str, Any] | None:
    """One definition as a playbook has it; None if there is none."""
    found = _MAKERS[kind](slug)
    return found[0] if found else None


class _Book:
    """Everything that is needed, each once, and what it rests on before it."""

    def __init__(self) -> None:
        self.parts: dict[str, list[dict[str, Any]]] = {f"{kind}s": [] for kind in _MAKERS}
        self._met: set[Need] = set()

    def add(self, kind: str, slug: str) -> None:
        if (kind, slug) in self._met:
            return
        self._met.add((kind, slug))
        found = _MAKERS[kind](slug)
        if found is None:
            raise Invalid.at(slug, f"There is no {kind} {slug!r}.")
        made, needs = found
        for need in needs:
            self.add(*need)
        self.parts[f"{kind}s"].append(made)


Made = tuple[dict[str, Any], list[Need]]


def _team(slug: str) -> Made | None:
    team = Team.objects.filter(slug=slug).first()
    return ({"slug": slug, "name": team.name}, []) if team else None


def _topic(slug: str) -> Made | None:
    topic = Topic.objects.filter(slug=slug).first()
    if topic is None:
        return None
    made = {name: getattr(topic, name) for name in ("slug", "name", "description", "purpose", "basis")}
    made |= {name: value for name in _TOPIC if (value := getattr(topic, name))}
    return made | {"channels": topic.channels}, []


def _segment(slug: str) -> Made | None:
    segment = Segment.objects.filter(slug=slug).exclude(status=Segment.Status.ARCHIVED).first()
    if segment is None:
        return None
    made: dict[str, Any] = {"slug": slug, "name": segment.name}
    made |= {name: value for name in _SEGMENT if (value := getattr(segment, name))}
    if segment.family:
        made["position"] = segment.position
    if not segment.marketing:
        made["marketing"] = False
    if segment.kind == Segment.Kind.STATIC:
        return made | {"kind": str(segment.kind)}, []
    refers = language.parse(segment.definition).refers()
    return made | {"definition": segment.definition}, [(kind, other) for kind, other, _ in refers if kind in _MAKERS]


def _template(slug: str) -> Made | None:
    template = Template.objects.filter(slug=slug, archived=False).select_related("topic", "version").first()
    if template is None or template.version is None:
        return None
    version = template.version
    made: dict[str, Any] = {
        "slug": slug,
        "name": template.name,
        "channel": template.channel,
        "topic": template.topic.slug,
    }
    made |= {"subject": version.subject, "blocks": version.blocks}
    made |= {
        name: said for name, said in (("options", version.options), ("translations", version.said_in_others)) if said
    }
    needs = [("topic", template.topic.slug), *(("segment", one) for one in sorted(dynamic.segments(version)))]
    return made, [*needs, *(("snippet", one) for one in sorted(version.snippets))]


def _snippet(slug: str) -> Made | None:
    row = Snippet.objects.filter(slug=slug, archived=False).select_related("version").first()
    if row is None or row.version is None:
        return None
    made: dict[str, Any] = {"slug": slug, "name": row.name, "blocks": row.version.blocks}
    made |= {"translations": row.version.translations} if row.version.translations else {}
    said = inside.of_version(row.version.number, row.version.blocks, row.version.translations)
    named = {one for blocks in inside.written(said) for one in inside.named(blocks)}
    return made, [("snippet", one) for one in sorted(named)]


def _journey(slug: str) -> Made | None:
    journey = Journey.objects.filter(slug=slug).select_related("version").first()
    if journey is None:
        return None
    version = journey.version or JourneyVersion.objects.get(journey=journey, published_at=None)
    document = version.document
    made: dict[str, Any] = {"slug": slug, "name": journey.name}
    made |= {"description": journey.description} if journey.description else {}
    needs = [(use.kind, use.slug) for use in documents.uses(document)] if not documents.flaws(document) else []
    tests = [keeping.as_row(test) for test in keeping.of(journey)]
    made |= {"document": document, **({"tests": tests} if tests else {})}
    return made, [one for one in dict.fromkeys([*needs, *_asked(document)]) if one[0] in _MAKERS]


def _asked(value: Any) -> Iterator[Need]:
    """The topics and journeys that conditions anywhere in a document speak of."""
    if isinstance(value, Mapping):
        if value.get("kind") == "consent" and isinstance(value.get("topic"), str):
            yield "topic", value["topic"]
        if value.get("kind") == "journey" and isinstance(value.get("slug"), str):
            yield "journey", value["slug"]
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for one in inner:
        yield from _asked(one)


_MAKERS = {
    "team": _team,
    "topic": _topic,
    "segment": _segment,
    "snippet": _snippet,
    "template": _template,
    "journey": _journey,
}
