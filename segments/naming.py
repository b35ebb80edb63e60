"""What a condition speaks of by name and that must be there: segments, topics, journeys.

Names of events, of values and of messages may be ahead of what was sent.
"""

from collections.abc import Iterable

from consent.models import Topic
from foundation import registry
from foundation.errors import Invalid, Problem
from segments.language import Condition
from segments.models import Segment


def refuse_unknown(condition: Condition) -> None:
    """Refuses, each with its path, what is not there."""
    if problems := [problem for problem, _ in unknown(condition)]:
        raise Invalid(problems)


def unknown(condition: Condition) -> list[tuple[Problem, str]]:
    """What it speaks of and is not there, each with its kind."""
    refers = condition.refers()
    there = {kind: _there(kind, {slug for of, slug, _ in refers if of == kind}) for kind, _, _ in refers}
    return [
        (Problem(path, f"There is no {kind} “{slug}”."), kind) for kind, slug, path in refers if slug not in there[kind]
    ]


def _there(kind: str, slugs: set[str]) -> set[str]:
    """Those of these that there are; all, where nobody knows."""
    match kind:
        case "segment":
            return _known(Segment.objects.exclude(status=Segment.Status.ARCHIVED).filter(slug__in=slugs))
        case "topic":
            return _known(Topic.objects.filter(slug__in=slugs))
    # Journeys are kept by an app above, which is asked.
    answers = [answer for answer in registry.known.ask(kind, slugs) if answer is not None]
    return set().union(*answers) if answers else slugs


def _known(rows: Iterable[Segment] | Iterable[Topic]) -> set[str]:
    return {row.slug for row in rows}
