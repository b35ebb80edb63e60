"""One person's way through a document, played with a clock of its own by the engine's own steps. Nothing of it stays.

All is written as it would be, in a transaction that is rolled back: events that did not happen, a person who does not
exist, a journey that was not published. No other journey moves, nothing is sent, and nobody is woken.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from psycopg.errors import CheckViolation

from foundation.errors import Invalid, Problem
from foundation.wording import exact
from journeys import documents, engine, entering, work
from journeys import program as programs
from journeys.kinds import Entry
from journeys.models import Assignment, Call, Enrollment, Journey, JourneyVersion, Refusal, Task, Transition
from journeys.steps.split import Split
from journeys.walking import Traveller, Walk
from messaging.models import Message, MessageState
from profiles import ingest, people, pulses
from profiles.models import Profile, Pulse
from segments import membership
from segments.models import Watch

SECONDS = 5.0
MOST_EVENTS = 100
FARTHEST = timedelta(days=60)
_MOST_ROUNDS = 500


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that the person would do."""

    name: str
    at: datetime
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a team would make of the task that a step gave it; nothing, where there is none then."""

    step: str
    outcome: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Becomes:
    """Values of the person that would change; null empties."""

    values: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Enters:
    """They would be put on the journey, whatever its triggers are."""

    at: datetime


Act = Deed | Answered | Becomes | Enters
Reader = Callable[[Sequence[Message], datetime], Mapping[UUID, Mapping[str, Any]]]
"""What is to be told of messages when they are queued, beside what is told of all."""


@dataclass(slots=True)
class Played:
    """What would have happened, in order; `cut` says why it was not played to its end."""

    entered: bool = False
    state: str = ""
    reason: str = ""
    step: str = ""
    due_at: datetime | None = None
    acted: list[int] = field(default_factory=list)
    """For each act, in order of time, how much of what `happened` was before it."""
    converted_at: datetime | None = None
    until: datetime | None = None
    happened: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[dict[str, Any]] = field(default_factory=list)
    cut: str = ""


class _Undone(Exception):
    pass


def simulate(
    slug: str,
    document: Any,
    *,
    person: Profile | Mapping[str, Any],
    deeds: Sequence[Act] = (),
    start: bool,
    context: Mapping[str, Any] | None = None,
    at: datetime,
    until: datetime,
    draws: Mapping[str, str] | None = None,
    reader: Reader | None = None,
) -> Played:
    """Plays the document from `at` until `until`, for a person as they are now or, made up, of these values.

    `start` puts them on it at once, whatever its triggers are; else a deed, or a segment that it brings them into,
    must. `slug` is the journey whose document it is. `draws` names the arms that chance gives at splits; with it, even
    empty, somebody made up is drawn alike each time. Raises `Invalid` for a document that could not be published.
    """
    found = documents.problems(document)
    if found:
        raise Invalid([Problem(f"document.{problem.path}".rstrip("."), problem.reason) for problem in found])
    if len(deeds) > MOST_EVENTS:
        raise Invalid.at("events", f"holds more than {MOST_EVENTS} events")
    if not at <= until <= at + FARTHEST:
        raise Invalid.at("days", f"must be between 0 and {FARTHEST.days}")
    played = Played()
    try:
        with transaction.atomic():
            play = _Play(slug, document, person, at, reader)
            if draws is not None:
                play.draw(draws)
            play.run(deeds, start, context or {}, until, played)
            raise _Undone
    except _Undone:
        return played
    except IntegrityError as error:
        cause = error.__cause__
        if not isinstance(cause, CheckViolation) or cause.diag.constraint_name:  # as for a row without a partition
            raise
        raise Invalid.at("at", "is at a time of which no events are kept here: choose one nearer to today") from error


class _Play:
    def __init__(
        self, slug: str, document: Any, person: Profile | Mapping[str, Any], at: datetime, reader: Reader | None
    ) -> None:
        self.slug, self.at, self.document, self.reader = slug, at, document, reader
        self.told: dict[UUID, Mapping[str, Any]] = {}  # what the reader said of messages
        self.gone: set[UUID] = set()  # messages that nothing called off at once: they would have been judged, and gone
        self.made_up = not isinstance(person, Profile)
        self.profile = person if isinstance(person, Profile) else _made_up(person, at)
        self.journey = Journey.objects.create(
            slug=f"simulation-{uuid4()}", name=slug, status=Journey.Status.LIVE, created_at=at
        )
        self.journey.version = JourneyVersion.objects.create(
            journey=self.journey,
            number=1,
            document=document,
            program=programs.compiled(document),
            author="simulation",
            created_at=at,
            published_at=at,
        )
        self.journey.save(update_fields=["version"])
        self.ends = time.monotonic() + SECONDS

    def run(
        self, deeds: Sequence[Act], start: bool, context: Mapping[str, Any], until: datetime, played: Played
    ) -> None:
        pulses.lock_all([self.profile.pk])
        # What waits for the engine is the engine's: it comes back with the rest.
        waiting = pulses.take([self.profile.pk])
        if self.made_up:  # they are in the segments of people like them, and came into none just now
            membership.refresh(waiting, now=self.at)
        if start:
            self._start(context)
            self._read()
        ahead = sorted((deed for deed in deeds if deed.at <= until), key=lambda deed: deed.at)
        played.until = until
        for _ in range(_MOST_ROUNDS):
            if time.monotonic() > self.ends:
                played.cut = f"It took more than {SECONDS:g} seconds, and was played until {exact(self.at)} only."
                played.until = self.at
                break
            moments = [deed.at for deed in ahead[:1]] + [one for one in (self._due(), self._moved()) if one]
            moments = [one for one in moments if one <= until]
            if not moments:
                break
            self.at = max(self.at, min(moments))
            self._grow_older()
            self._rest()
            while ahead and ahead[0].at <= self.at:  # one after the other: what one leads to is there for the next
                played.acted.append(Transition.objects.filter(enrollment__in=self._mine()).count())
                self._act(ahead.pop(0))
                self._rest()
        else:
            played.cut = f"It was played until {exact(self.at)} only: something comes round again and again."
        self._tell(played)

    # ── Playing ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def _walk(self) -> Walk:
        walk = Walk.at(self.at)
        walk.slugs = {**walk.slugs, self.journey.pk: self.slug}  # chance is drawn by the name of the journey
        return walk

    def _start(self, context: Mapping[str, Any]) -> None:
        walk = self._walk()
        entry = Entry(self.profile.pk, "simulation", self.at, "They were put on it.", {"data": dict(context)})
        for gate in entering.gates([self.journey], walk):
            walk.follow(gate.admit([entry], walk))
        walk.write()
        self._look()

    def draw(self, draws: Mapping[str, str]) -> None:
        """Gives the person these arms at splits; somebody made up, also the others, always the same."""
        splits = [step for _, step in documents.walk(self.document) if step["kind"] == Split.key]
        for step in splits:
            arm = draws.get(step["key"])
            if arm not in {one["key"] for one in step["arms"]}:
                arm = None  # a way that is gone
            if arm is None and self.made_up:
                arm = Split(step["key"], step).drawn(self.slug, "somebody made up")
            if arm is not None:
                Assignment.objects.update_or_create(
                    journey=self.slug,
                    step=step["key"],
                    profile=self.profile,
                    defaults={"arm": arm, "at": self.at},
                )

    def _act(self, act: Act) -> None:
        match act:
            case Deed(name, at, properties):
                key = f"simulation:{uuid4()}"
                ingest.emit([ingest.Ours(self.profile.pk, name, dict(properties), at, key)], now=self.at)
            case Enters():
                self._start({})
            case Becomes(values, _):
                people.set_attributes({self.profile.pk: values}, now=self.at)
            case Answered(step, outcome, _):
                rows = Task.objects.filter(enrollment__journey=self.journey, step=step, state=Task.State.OPEN)
                if task := rows.order_by("created_at").last():
                    work.finish(task.pk, outcome=outcome, now=self.at)

    def _moved(self) -> datetime | None:
        """When time alone may next move them into a segment or out of one."""
        return Watch.objects.filter(pk=self.profile.pk).values_list("next_at", flat=True).first()

    def _grow_older(self) -> None:
        if Watch.objects.filter(pk=self.profile.pk, next_at__lte=self.at).update(next_at=None, anew=True):
            pulses.touch([self.profile.pk], cause=Pulse.Cause.TIME, now=self.at)

    def _read(self) -> None:
        """Takes down which messages were queued now, and what the reader says of them."""
        rows = Message.objects.filter(enrollment__in=self._mine().values("pk"), state=MessageState.QUEUED)
        fresh = list(rows.exclude(pk__in=self.gone).select_related("profile__account", "topic", "template__version"))
        self.gone |= {one.pk for one in fresh}
        if fresh and self.reader is not None:
            self.told |= self.reader(fresh, self.at)

    def _mine(self) -> QuerySet[Enrollment]:
        return Enrollment.objects.filter(journey=self.journey)

    def _rest(self) -> None:
        self._look()
        if due := [one for one in self._travellers() if one.due_at and one.due_at <= self.at]:
            engine.move_on(due, self._walk())
            self._look()
        self._read()

    def _look(self) -> None:
        # What it leads to makes word of its own; it comes to rest, or is cut by the number of rounds.
        for _ in range(20):
            taken = pulses.take([self.profile.pk])
            if not taken:
                return
            engine.look_at(taken, self._walk(), self.journey)

    def _travellers(self) -> list[Traveller]:
        return engine.on_the_way([self.profile.pk], self.journey)

    def _due(self) -> datetime | None:
        return min((one.due_at for one in self._travellers() if one.due_at), default=None)

    # ── Telling ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def _tell(self, played: Played) -> None:
        mine = self._mine().order_by("entered_at", "id")
        last = mine.last()
        if last is not None:
            played.entered, played.state, played.reason = True, last.state, last.reason
            played.converted_at = last.converted_at
            played.step, played.due_at = last.step, last.due_at
        told = Transition.objects.filter(enrollment__in=mine).order_by("id")
        played.happened = [
            {"at": one.at, "step": one.step, "what": one.answer, "arm": one.arm, "why": one.reason} for one in told
        ]
        messages = Message.objects.filter(enrollment__in=mine.values("pk")).select_related("template")
        played.messages = [
            {
                "at": one.queued_at,
                "step": one.step,
                "template": one.template.slug,
                "channel": one.channel,
                "state": one.state,
                "why": one.reason,
                "went": one.pk in self.gone,
                **self.told.get(one.pk, {}),
            }
            for one in messages.order_by("queued_at", "id")
        ]
        tasks = Task.objects.filter(enrollment__in=mine).select_related("team").order_by("created_at", "id")
        played.tasks = [
            {
                "at": one.created_at,
                "step": one.step,
                "title": one.title,
                "team": one.team.slug,
                "open": one.state == Task.State.OPEN,
                "outcomes": one.outcomes,
            }
            for one in tasks
        ]
        calls = Call.objects.filter(enrollment__in=mine).order_by("created_at", "id")
        played.calls = [{"at": one.created_at, "step": one.step, "url": one.url, "body": one.body} for one in calls]
        refusals = Refusal.objects.filter(journey=self.journey).order_by("at", "id")
        played.refusals = [{"at": one.at, "cause": one.cause, "why": one.reason} for one in refusals]


def _made_up(values: Mapping[str, Any], at: datetime) -> Profile:
    profile, _ = people.put(f"simulation-{uuid4()}", values, now=at)
    return profile
