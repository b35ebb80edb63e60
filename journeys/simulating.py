"""One person's way through a document, played with a clock of its own by the engine's own steps. Nothing of it stays.

All is written as it would be, in a transaction that is rolled back: events that did not happen, a person who does not
exist, a journey that was not published. No other journey moves, nothing is sent, and nobody is woken.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction

from foundation.errors import Invalid, Problem
from foundation.wording import exact
from journeys import documents, engine, entering
from journeys import program as programs
from journeys.kinds import Entry
from journeys.models import Call, Enrollment, Journey, JourneyVersion, Refusal, Task, Transition
from journeys.walking import Traveller, Walk
from messaging.models import Message
from profiles import ingest, people, pulses
from profiles.models import Profile

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


@dataclass(slots=True)
class Played:
    """What would have happened, in order; `cut` says why it was not played to its end."""

    entered: bool = False
    state: str = ""
    reason: str = ""
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
    deeds: Sequence[Deed] = (),
    start: bool,
    context: Mapping[str, Any] | None = None,
    at: datetime,
    until: datetime,
) -> Played:
    """Plays the document from `at` until `until`, for a person as they are now or, made up, of these values.

    `start` puts them on it at once, whatever its triggers are; else a deed, or a segment that it brings them into,
    must. `slug` is the journey whose document it is. Raises `Invalid` for a document that could not be published.
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
            play = _Play(slug, document, person, at)
            play.run(deeds, start, context or {}, until, played)
            raise _Undone
    except _Undone:
        return played


class _Play:
    def __init__(self, slug: str, document: Any, person: Profile | Mapping[str, Any], at: datetime) -> None:
        self.slug, self.at = slug, at
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
        self, deeds: Sequence[Deed], start: bool, context: Mapping[str, Any], until: datetime, played: Played
    ) -> None:
        pulses.lock_all([self.profile.pk])
        pulses.take([self.profile.pk])  # what is waiting for the engine is the engine's: it comes back with the rest
        if start:
            self._start(context)
        ahead = sorted((deed for deed in deeds if deed.at <= until), key=lambda deed: deed.at)
        played.until = until
        for _ in range(_MOST_ROUNDS):
            if time.monotonic() > self.ends:
                played.cut = f"It took more than {SECONDS:g} seconds, and was played until {exact(self.at)} only."
                played.until = self.at
                break
            due = self._due()
            moments = [deed.at for deed in ahead[:1]] + [one for one in [due] if one and one <= until]
            if not moments:
                break
            self.at = max(self.at, min(moments))
            while ahead and ahead[0].at <= self.at:
                self._does(ahead.pop(0))
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

    def _does(self, deed: Deed) -> None:
        key = f"simulation:{uuid4()}"
        ingest.emit([ingest.Ours(self.profile.pk, deed.name, dict(deed.properties), deed.at, key)], now=self.at)

    def _rest(self) -> None:
        self._look()
        if due := [one for one in self._travellers() if one.due_at and one.due_at <= self.at]:
            engine.move_on(due, self._walk())
            self._look()

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
        mine = Enrollment.objects.filter(journey=self.journey).order_by("entered_at", "id")
        last = mine.last()
        if last is not None:
            played.entered, played.state, played.reason = True, last.state, last.reason
            played.converted_at = last.converted_at
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
            }
            for one in messages.order_by("queued_at", "id")
        ]
        tasks = Task.objects.filter(enrollment__in=mine).select_related("team").order_by("created_at", "id")
        played.tasks = [
            {"at": one.created_at, "step": one.step, "title": one.title, "team": one.team.slug} for one in tasks
        ]
        calls = Call.objects.filter(enrollment__in=mine).order_by("created_at", "id")
        played.calls = [{"at": one.created_at, "step": one.step, "url": one.url, "body": one.body} for one in calls]
        refusals = Refusal.objects.filter(journey=self.journey).order_by("at", "id")
        played.refusals = [{"at": one.at, "cause": one.cause, "why": one.reason} for one in refusals]


def _made_up(values: Mapping[str, Any], at: datetime) -> Profile:
    profile, _ = people.put(f"simulation-{uuid4()}", values, now=at)
    return profile
