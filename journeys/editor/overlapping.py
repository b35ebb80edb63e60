"""Other live journeys with the same people: how many, who for example, and what they would get of both in a week."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import Count

from foundation.admin import page_of
from foundation.errors import Refused
from foundation.wording import plural
from journeys import kinds, names
from journeys.editor import saying, shape, words
from journeys.fields import duration
from journeys.models import Enrollment, EnrollmentState, Journey

WEEK = timedelta(days=7)
_MOST, _SAMPLE = 5, 5


@dataclass(frozen=True)
class Overlap:
    """One other journey. `alike`: the start that both have; `both`: who is on both now, else who is on the other."""

    other: Journey
    alike: str
    both: int
    there: int
    people: list[tuple[str, str]] = field(default_factory=list)
    ours: list[str] = field(default_factory=list)
    theirs: list[str] = field(default_factory=list)

    @property
    def who(self) -> str:
        """How many are concerned, in a sentence."""
        if self.both:
            return f"{plural(self.both, 'person is', 'people are')} on both now."
        if self.there:
            return (
                f"{plural(self.there, 'person is', 'people are')} on it now; whoever starts this one, too, is on both."
            )
        return "Nobody is on it now; whoever it starts for from now on is on both."

    @property
    def week(self) -> str:
        """What they would get of both, within a week of entering them together."""
        all_ = len(self.ours) + len(self.theirs)
        if not all_:
            return "Neither writes to anybody in the first week."
        parts = [f"{len(one)} of {whose}{_titles(one)}" for whose, one in
                 (("this one", self.ours), (f"“{self.other.name}”", self.theirs)) if one]  # fmt: skip
        most = saying.overall()
        caps = f" Caps let through {words.listed(most)}." if most else " No cap holds any of it back."
        return f"In their first week they would get up to {plural(all_, 'message')}: {'; '.join(parts)}.{caps}"


def _titles(titles: Sequence[str]) -> str:
    shown = words.listed(f"“{one}”" for one in titles[:4])
    return f" ({shown}{f' and {len(titles) - 4} more' if len(titles) > 4 else ''})"


def overlaps(journey: Journey, document: shape.Document, *, sees_people: bool) -> list[Overlap]:
    """The live journeys that have people in common with a draft, those with most people first."""
    alike, both = started_alike(journey, document), _on_both(journey)
    others = Journey.objects.filter(status=Journey.Status.LIVE, pk__in={*alike, *both}).select_related("version")
    there = dict(
        Enrollment.objects.filter(journey__in=others, state=EnrollmentState.ACTIVE)
        .values_list("journey")
        .annotate(n=Count("pk"))
    )
    found = sorted(others, key=lambda one: (-both.get(one.pk, 0), -there.get(one.pk, 0), one.name))[:_MOST]
    ours = first_week(document)
    return [
        Overlap(
            other,
            alike.get(other.pk, ""),
            both.get(other.pk, 0),
            there.get(other.pk, 0),
            _sample(journey, other, bool(both.get(other.pk))) if sees_people else [],
            ours,
            first_week(other.version.document) if other.version else [],
        )
        for other in found
    ]


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
    return dict(rows[:_MOST])


def _sample(journey: Journey, other: Journey, on_both: bool) -> list[tuple[str, str]]:
    """Some of those on both, or on the other: what they are called, and their page."""
    rows = Enrollment.objects.filter(journey=other, state=EnrollmentState.ACTIVE)
    if on_both:
        here = Enrollment.objects.filter(journey=journey, state=EnrollmentState.ACTIVE).values("profile")
        rows = rows.filter(profile__in=here)
    latest = rows.select_related("profile").order_by("-entered_at")[:_SAMPLE]
    return [(str(one.profile), page_of(one.profile)) for one in latest]


def started_alike(journey: Journey, document: shape.Document) -> dict[int, str]:
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
            given = trigger.get("name")
            return f"event {sorted(given) if isinstance(given, list) else [given]}"
        case "segment_entered" | "segment_left":
            return f"{trigger['kind']} {trigger.get('slug')}"
        case "schedule":
            return f"schedule {trigger.get('segment')}"
        case "date":
            return f"date {trigger.get('attribute')}"
    return ""


# ── What one would get ───────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class _Way:
    """Messages on a way, and how long it takes to its end; `ends` where the journey does."""

    said: tuple[str, ...] = ()
    after: timedelta = timedelta(0)
    ends: bool = False


def first_week(document: Mapping[str, Any]) -> list[str]:
    """The messages that somebody may get in the week after they enter, by the way with most of them.

    What cannot be foreseen, such as a date of theirs, is taken to come at once: nobody gets more than this.
    """
    with words.known(document):
        return list(_along(document.get("steps") or [], _Way()).said)


def _along(steps: Sequence[Mapping[str, Any]], way: _Way) -> _Way:
    for step in steps:
        if way.ends or way.after >= WEEK:
            return way
        way = _past(step, way)
    return way


def _past(step: Mapping[str, Any], way: _Way) -> _Way:
    kind = step.get("kind")
    if kind == "exit":
        return _Way(way.said, way.after, ends=True)
    if kind == "message":
        slug = str(step.get("template") or "")
        return _Way((*way.said, names.of("template", slug) or words.title(step)), way.after)
    if kind == "wait":
        return _Way(way.said, way.after + _length(step.get("for")))
    arms = list(_arms(step, way))
    return max(arms, key=lambda one: (len(one.said), -one.after), default=way)


def _arms(step: Mapping[str, Any], way: _Way) -> Iterator[_Way]:
    if str(step.get("kind")) not in kinds.steps:
        return
    for one in shape.arms(step):
        late = _length(one.given.get("after"))  # of the arm for when nothing came
        yield _along(one.steps, _Way(way.said, way.after + late))


def _length(given: Any) -> timedelta:
    try:
        return duration(given).length if given else timedelta(0)
    except Refused:  # not said yet
        return timedelta(0)
