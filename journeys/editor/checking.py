"""What to look at before a draft is published: what must be mended, and what one may want to think about."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from django.db.models import Q
from django.urls import reverse

from foundation.admin import list_of, page_of
from foundation.wording import plural, spoken
from journeys import publishing
from journeys.editor import overlapping, problems, shape, words
from journeys.editor.overlapping import Overlap
from journeys.editor.shape import Document
from journeys.models import Journey
from journeys.testing.running import Result
from messaging.models import Limits, Message
from segments.models import Membership

State = Literal["mend", "fails", "think", "well"]


@dataclass(frozen=True)
class Item:
    """One line of the list. `links`: where to mend it, as (text, address)."""

    state: State
    title: str
    said: str = ""
    links: list[tuple[str, str]] = field(default_factory=list)
    overlap: Overlap | None = None

    @property
    def icon(self) -> str:
        return {"mend": "error", "fails": "rule", "think": "lightbulb", "well": "check_circle"}[self.state]

    @property
    def word(self) -> str:
        return {"mend": "To mend", "fails": "A test fails", "think": "To think about", "well": "Well"}[self.state]


def items(
    journey: Journey, document: Document, results: Sequence[Result] = (), *, sees_people: bool = False
) -> list[Item]:
    """The whole list, what must be mended first; with what came of its tests, where they were played."""
    found = [*_problems(journey, document), *_tests(journey, results), *_aims(journey, document), *_hours(document)]
    with words.known(document):
        found += _overlap(journey, document, sees_people)
    order = ("mend", "fails", "think", "well")
    return sorted(found, key=lambda item: order.index(item.state))


def _edit(journey: Journey, at: str) -> str:
    return f"{reverse('admin:journeys_journey_edit', args=[journey.pk])}?at={at}"


# ── What must be mended ──────────────────────────────────────────────────────────────────────────────────────────────
def _problems(journey: Journey, document: Document) -> Iterator[Item]:
    found = problems.find(document)
    for place, said in found.items():
        title, at = _named(document, place)
        for sentence in said:
            yield Item("mend", title, sentence, [("Mend it", _edit(journey, at))])
    if found:
        return
    circles = publishing.circles(journey.slug, document)
    for circle in circles:
        yield Item("mend", "It goes round", f"A step {circle.reason}.", [("Open it", _edit(journey, "part/trigger"))])
    if not circles:
        yield Item("well", "It is complete", "Every step says what it does, and all that it names is there.")


def _named(document: Document, place: str) -> tuple[str, str]:
    """What a place of a problem is called, and its panel."""
    if place in words.PARTS:
        said = words.PARTS[place]
        return f"{said[:1].upper()}{said[1:]}", f"part/{place}"
    key, _, arm = place.partition("/")
    try:
        step = shape.find(document, key).step
    except shape.Gone:
        return "The journey", ""
    with words.known(document):
        return words.title(step), f"way/{key}/{arm}" if arm else f"step/{key}"


def _tests(journey: Journey, results: Sequence[Result]) -> Iterator[Item]:
    address = reverse("admin:journeys_journey_tests", args=[journey.pk])
    for one in results:
        if not one.passed:
            yield Item("fails", one.name, one.why or _difference(one), [("See what differs", address)])
    if results and all(one.passed for one in results):
        said = f"{plural(len(results), 'test was', 'tests were')} played against the draft."
        yield Item("well", "It passes its tests", said, [("See them", address)])


def _difference(result: Result) -> str:
    """What differs first."""
    first, *more = [line for line in result.lines if line.mark != " "]
    told = f"{'Missing' if first.mark == '-' else 'Not expected'}: {first.text}."
    return f"{told} {plural(len(more), 'more difference')}." if more else told


# ── What it is for ───────────────────────────────────────────────────────────────────────────────────────────────────
def _aims(journey: Journey, document: Document) -> Iterator[Item]:
    goal = document.get("goal")
    if not goal:
        yield Item(
            "think",
            "It has no goal",
            "Nobody can tell what came of it, and whoever did what it is for still hears the rest.",
            [("Set a goal", _edit(journey, "part/goal"))],
        )
    elif goal.get("exit") is False:
        yield Item(
            "think",
            "People stay on after the goal",
            "Whoever reached it still gets everything that follows.",
            [("Open the goal", _edit(journey, "part/goal"))],
        )
    else:
        yield Item("well", "It has a goal", "Whoever reaches it leaves, and gets nothing more.")
    if goal and not goal.get("within"):
        yield Item(
            "think",
            "The goal counts for ever",
            "Without a time, what people do years later is counted as due to it.",
            [("Say within what time", _edit(journey, "part/goal"))],
        )


def _hours(document: Document) -> Iterator[Item]:
    sends = any(spot.step.get("kind") == "message" for spot in shape.walk(document))
    if not sends:
        return
    limits = Limits.objects.first()
    if limits is None or limits.quiet_from is None or limits.quiet_to is None:
        address = reverse("admin:messaging_limits_changelist")
        yield Item("think", "There are no quiet hours", "It may write to people at night.", [("Set them", address)])
    else:
        said = f"From {limits.quiet_from:%H:%M} to {limits.quiet_to:%H:%M}, where people live, nothing goes out."
        yield Item("well", "Quiet hours are kept", said)


# ── Who hears from others, too ───────────────────────────────────────────────────────────────────────────────────────
def _overlap(journey: Journey, document: Document, sees_people: bool) -> Iterator[Item]:
    """Other live journeys of the same people: those who are on both now, or that the same thing starts."""
    found = overlapping.overlaps(journey, document, sees_people=sees_people)
    for one in found:
        alike = f"It is started by the same: {one.alike}. " if one.alike else ""
        links = [("Look at it", page_of(one.other))]
        yield Item("think", f"Some may be on “{one.other.name}” as well", f"{alike}{one.who}", links, one)
    if not found and Journey.objects.filter(status=Journey.Status.LIVE).exclude(pk=journey.pk).exists():
        yield Item("well", "No other live journey has the same people", "As far as can be told from what starts them.")


# ── Who would enter at once ──────────────────────────────────────────────────────────────────────────────────────────
def members(document: Document) -> tuple[int, str]:
    """How many are in the segments that start it, and what those are called; 0 where none does."""
    if problems.find(document):
        return 0, ""
    slugs = publishing.members(document)
    count = Membership.objects.filter(Q(segment__slug__in=slugs)).values("profile").distinct().count() if slugs else 0
    return count, words.listed(spoken(slug) for slug in sorted(slugs))


def outbox_of(journey: Journey) -> str:
    return list_of(Message, journey__exact=journey.slug)
