"""What to look at before a draft is published: what must be mended, and what one may want to think about."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db.models import Count, Q
from django.urls import reverse

from foundation.admin import list_of, page_of
from foundation.wording import amount, plural, spoken
from journeys import publishing
from journeys.editor import problems, shape, words
from journeys.editor.shape import Document
from journeys.models import Enrollment, EnrollmentState, Journey
from messaging.models import Limits, Message
from segments.models import Membership

State = Literal["mend", "think", "well"]
_WEEK = timedelta(days=7)
_MOST_OVERLAPS = 5


@dataclass(frozen=True)
class Item:
    """One line of the list. `links`: where to mend it, as (text, address)."""

    state: State
    title: str
    said: str = ""
    links: list[tuple[str, str]] = field(default_factory=list)

    @property
    def icon(self) -> str:
        return {"mend": "error", "think": "lightbulb", "well": "check_circle"}[self.state]

    @property
    def word(self) -> str:
        return {"mend": "To mend", "think": "To think about", "well": "Well"}[self.state]


def items(journey: Journey, document: Document, *, now: datetime) -> list[Item]:
    """The whole list: what must be mended first."""
    found = [*_problems(journey, document), *_aims(journey, document), *_hours(document)]
    with words.known(document):
        found += _overlap(journey, document, now)
    order = ("mend", "think", "well")
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
def _overlap(journey: Journey, document: Document, now: datetime) -> Iterator[Item]:
    """Other live journeys of the same people: those who are on both now, or that the same thing starts."""
    same = _started_alike(journey, document)
    both = _on_both(journey)
    found = False
    for other in Journey.objects.filter(status=Journey.Status.LIVE, pk__in={*same, *both}).order_by("name")[
        :_MOST_OVERLAPS
    ]:
        found = True
        yield Item(
            "think",
            f"Some may be on “{other.name}” as well",
            _said(other, both, same, now),
            [("Look at it", page_of(other))],
        )
    if not found and Journey.objects.filter(status=Journey.Status.LIVE).exclude(pk=journey.pk).exists():
        yield Item("well", "No other live journey has the same people", "As far as can be told from what starts them.")


def _said(other: Journey, both: Mapping[int, int], same: Mapping[int, str], now: datetime) -> str:
    said = []
    if other.pk in same:
        said.append(f"It is started by the same: {same[other.pk]}.")
    if people := both.get(other.pk):
        said.append(f"{plural(people, 'person is', 'people are')} on both now.")
    week = Message.objects.filter(journey=other.slug, sent_at__gt=now - _WEEK)
    sent = week.aggregate(n=Count("id"), people=Count("profile", distinct=True))
    if sent["people"]:
        each = sent["n"] / sent["people"]
        said.append(f"It sent {amount(round(each, 1))} messages a person in the last week.")
    return " ".join(said)


def _on_both(journey: Journey) -> dict[int, int]:
    """Of those who are on the way here: how many are on each other journey."""
    here = Enrollment.objects.filter(journey=journey, state=EnrollmentState.ACTIVE).values("profile")
    rows = (
        Enrollment.objects.filter(state=EnrollmentState.ACTIVE, profile__in=here)
        .exclude(journey=journey)
        .values_list("journey")
        .annotate(n=Count("profile", distinct=True))
        .order_by("-n")
    )
    return dict(rows[:_MOST_OVERLAPS])


def _started_alike(journey: Journey, document: Document) -> dict[int, str]:
    """Live journeys with a start in common, and what that is."""
    ours = {_mark(one) for one in words.triggers_of(document["entry"])} - {""}
    found = {}
    rows = Journey.objects.filter(status=Journey.Status.LIVE, version__isnull=False).exclude(pk=journey.pk)
    for other in rows.select_related("version"):
        theirs = other.version.document["entry"] if other.version else {}
        common = [one for one in words.triggers_of(theirs) for mark in [_mark(one)] if mark and mark in ours]
        if common:
            found[other.pk] = words.trigger(common[0])
    return found


def _mark(trigger: Mapping[str, Any]) -> str:
    """What a start is, without its particulars; "" of those that are started by hand or by a program."""
    match trigger.get("kind"):
        case "event":
            names = trigger.get("name")
            return f"event {sorted(names) if isinstance(names, list) else [names]}"
        case "segment_entered" | "segment_left":
            return f"{trigger['kind']} {trigger.get('slug')}"
        case "schedule":
            return f"schedule {trigger.get('segment')}"
        case "date":
            return f"date {trigger.get('attribute')}"
    return ""


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
