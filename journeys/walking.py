"""Moves people along: asks the steps, a group at a time, and writes what came of it and where everybody stands."""

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction

from foundation.errors import Refused
from foundation.sql import array, statements
from journeys import calling, work
from journeys import program as programs
from journeys.answers import Advance, Answer, Leave, WaitFor, WaitUntil
from journeys.fields import shown
from journeys.kinds import Standing
from journeys.models import CALLED_OFF, Ending, EnrollmentState, Journey, Transition
from journeys.program import Node, Program
from messaging import outbox
from profiles import ingest

log = logging.getLogger(__name__)
_sql = statements("journeys", "engine")
Said = Transition.Answer

BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120))
"""How long a step that raised is left alone, each time; after the last one the person is parked."""
_UNKNOWN_KIND = timedelta(minutes=10)
_AN_INSTANT = timedelta(seconds=1)
_LONGEST_RUN = timedelta(seconds=30)  # a run that stood still for longer gives up


@dataclass(slots=True)
class Traveller:
    """An enrollment in hand: its row, locked, as it will be written."""

    id: UUID
    journey_id: int
    version_id: int
    profile_id: UUID
    step: str
    state: str
    due_at: datetime | None
    awaits: list[str]
    entered_at: datetime
    step_entered_at: datetime
    context: dict[str, Any]
    passed: list[str]
    attempts: int
    converted_at: datetime | None
    reason: str = ""
    ended_at: datetime | None = None
    ended_by: str = ""
    learnt: dict[str, Any] | None = None  # what the context gained
    standing: Standing | None = None  # as steps were told of them last

    @property
    def active(self) -> bool:
        return self.state == EnrollmentState.ACTIVE


_Line = tuple[int, str, str, str, str, str]  # version, step, kind, answer, arm, reason


def read(rows: Iterable[tuple[Any, ...]]) -> list[Traveller]:
    """Rows of the statements that claim and lock, which all return the same columns."""
    found = [Traveller(*row) for row in rows]
    for one in found:
        if isinstance(one.context, str):
            one.context = json.loads(one.context) if one.context != "{}" else {}
    return found


@dataclass
class Walk:
    """One transaction's worth of walking: who was moved, and what is to be told of it."""

    now: datetime
    slugs: Mapping[int, str]
    live: frozenset[int]
    moved: dict[UUID, Traveller] = field(default_factory=dict)
    story: "Story" = field(default_factory=lambda: Story())
    converted: dict[UUID, datetime] = field(default_factory=dict)
    events: dict[tuple[str, int, int, str], list[Traveller]] = field(default_factory=dict)
    again: dict[tuple[str, int, int, str], list[Traveller]] = field(default_factory=dict)  # of whom was parked before
    called_off: dict[str, list[UUID]] = field(default_factory=dict)
    carrying: frozenset[int] = frozenset()  # live journeys whose people are being carried over to a new version
    paused: Mapping[int, datetime] = field(default_factory=dict)  # since when
    journeys: Sequence[Journey] = ()  # all that there are
    careful: bool = False  # steps are left to `engine.advance`, which survives what they do to a worker
    _programs: dict[int, Program] = field(default_factory=dict)

    @classmethod
    def at(cls, now: datetime) -> Self:
        """As of `now`, or of when a journey was set going since the run began: in its pause nobody went on."""
        journeys = list(Journey.objects.all())
        live = [one for one in journeys if one.status == Journey.Status.LIVE]
        begun = (one.watched_since for one in live if one.watched_since and one.watched_since <= now + _LONGEST_RUN)
        paused = (one for one in journeys if one.status == Journey.Status.PAUSED and one.paused_at)
        return cls(
            max([now, *begun]),
            {one.pk: one.slug for one in journeys},
            live=frozenset(one.pk for one in live if one.carrying is None),
            carrying=frozenset(one.pk for one in live if one.carrying is not None),
            paused={one.pk: one.paused_at for one in paused if one.paused_at},
            journeys=journeys,
        )

    def programs(self, travellers: Iterable[Traveller]) -> dict[int, Program]:
        """The programs of the versions that these are in."""
        return self.programs_of({one.version_id for one in travellers})

    def programs_of(self, version_ids: Collection[int]) -> dict[int, Program]:
        missing = set(version_ids) - self._programs.keys()
        if missing:
            self._programs |= programs.of(missing)
        return self._programs

    # ── Moving ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def follow(self, travellers: Iterable[Traveller]) -> None:
        """Leads each from step to step until they wait or end. Documents have no goto, so that they always do."""
        front = [one for one in travellers if one.active]
        if self.careful:
            for one in front:
                one.due_at, self.moved[one.id] = self.now, one
            return
        known = self.programs(front)
        while front:
            groups: dict[tuple[int, str], list[Traveller]] = {}
            for one in front:
                groups.setdefault((one.version_id, one.step), []).append(one)
            front = []
            for (version_id, step), group in groups.items():
                front += self._ask(known.get(version_id), step, group)

    def _ask(self, program: Program | None, step: str, group: list[Traveller]) -> list[Traveller]:
        """Has the step answer for the group; those who may go on at once."""
        node = program.nodes.get(step) if program else None
        if program is None or node is None or node.step is None:
            self._put_off(group, step)
            return []
        return self._try(program, node, group)

    def _try(self, program: Program, node: Node, group: list[Traveller]) -> list[Traveller]:
        """Asks under a savepoint. Where that raises, each half is asked alone, until the one who made it raise is."""
        try:
            with transaction.atomic():
                answers = self._answers(node, group)
        except Exception as error:
            if concerns_everybody(error):
                raise
            if len(group) == 1:
                self._failed(group[0], node, error)
                return []
            half = len(group) // 2
            return self._try(program, node, group[:half]) + self._try(program, node, group[half:])
        return [one for one in group if self._apply(one, node, program, answers[one.id])]

    def _answers(self, node: Node, group: list[Traveller]) -> Mapping[UUID, Answer]:
        assert node.step is not None  # noqa: S101 (told to mypy: `_ask` has looked)
        people = [self.standing(one) for one in group]
        answers = node.step.answer(people, self.now)
        going = [one for one in people if isinstance(answers[one.id], Advance)]
        if going:
            node.step.perform(going, self.now)
        waiting = [one for one in people if isinstance(answers[one.id], WaitUntil | WaitFor)]
        if waiting:
            node.step.begin(waiting, self.now)
        return answers

    def standing(self, one: Traveller) -> Standing:
        """What a step is told of them."""
        last = one.standing
        if last is None or last.step_entered_at != one.step_entered_at or last.context is not one.context:
            last = one.standing = Standing(
                id=one.id,
                profile_id=one.profile_id,
                journey=self.slugs[one.journey_id],
                version_id=one.version_id,
                entered_at=one.entered_at,
                step_entered_at=one.step_entered_at,
                context=one.context,
            )
        return last

    def _apply(self, one: Traveller, node: Node, program: Program, answer: Answer) -> bool:
        """Takes the answer down; whether they go on at once."""
        match answer:
            case Advance(arm, reason, learnt):
                if learnt:
                    one.context, one.learnt = {**one.context, **learnt}, {**(one.learnt or {}), **learnt}
                self._tell(one, Said.ADVANCE, node.kind, reason, arm=arm)
                return self._step_on(one, node.after(arm), program)
            case WaitUntil(at, reason):
                self._wait(one, node, at, [], reason)
            case WaitFor(events, until, reason):
                self._wait(one, node, until, list(events), reason)
            case Leave(reason):
                self._tell(one, Said.LEAVE, node.kind, reason)
                self._ended(one, EnrollmentState.EXITED, Ending.STEP, reason)
        return False

    def _step_on(self, one: Traveller, following: str | None, program: Program) -> bool:
        """Puts them on the step that follows, past those that they passed in an older version."""
        one.attempts, one.step_entered_at, one.due_at, one.awaits = 0, self.now, self.now, []
        while following is not None and following in one.passed:
            node = program.nodes[following]
            one.step = following
            self._tell(one, Said.ADVANCE, node.kind, "They passed it before the journey was changed.")
            following = node.next
        if following is None:
            self._ended(one, EnrollmentState.COMPLETED, Ending.COURSE, "They came to the end.")
            return False
        one.step = following
        self.moved[one.id] = one
        return True

    def _wait(self, one: Traveller, node: Node, until: datetime, events: list[str], reason: str) -> None:
        # A wait that is over in the past would be asked again at once, for ever.
        until = max(until, self.now + _AN_INSTANT)
        if one.step_entered_at == self.now or until != one.due_at or events != one.awaits:
            self._tell(one, Said.WAIT, node.kind, reason)
        one.due_at, one.awaits, one.attempts = until, events, 0
        self.moved[one.id] = one

    def put(self, one: Traveller, step: str, reason: str) -> None:
        """Puts them on a step of their version, be they on the way or parked; they are asked there anew."""
        learnt = {"moved": one.context.get("moved", 0) + 1} if step != one.step else {}
        if not one.active:
            learnt["again"] = one.context.get("again", 0) + 1
            one.state, one.reason, one.ended_at, one.ended_by = EnrollmentState.ACTIVE, "", None, ""
        one.context, one.learnt = {**one.context, **learnt}, {**(one.learnt or {}), **learnt}
        one.step, one.step_entered_at, one.due_at, one.awaits, one.attempts = step, self.now, self.now, [], 0
        self._tell(one, Said.MOVED, "", reason)
        self.moved[one.id] = one

    def followed(self, one: Traveller, reason: str, *, moved: bool) -> None:
        """Tells that they go on in the version that they were put into; `moved`, where they wait otherwise there."""
        self._tell(
            one, Said.FOLLOW, "", f"The journey was changed, and they go on in its new version. {reason}".strip()
        )
        if moved:
            self.moved[one.id] = one

    # ── Ending ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def take_off(self, one: Traveller, by: Ending, reason: str) -> None:
        """Ends it from outside, wherever they stand, and calls off what was not handed over yet."""
        self._tell(one, Said.ENDED, "", reason)
        self._ended(one, EnrollmentState.EXITED, by, reason)

    def _ended(self, one: Traveller, state: EnrollmentState, by: Ending, reason: str) -> None:
        one.state, one.due_at, one.awaits = state, None, []
        one.reason, one.ended_at, one.ended_by = reason, self.now, by
        self.moved[one.id] = one
        name = "$journey_completed" if state == EnrollmentState.COMPLETED else "$journey_exited"
        self.emit(one, name, reason)
        if by in CALLED_OFF:
            self.call_off(one.id, reason)

    def convert(self, one: Traveller, at: datetime) -> None:
        """Marks that they reached the goal; of an enrollment that has ended, nothing else is written any more."""
        one.converted_at = at
        if one.active:
            self.moved[one.id] = one
        else:
            self.converted[one.id] = at

    def call_off(self, enrollment: UUID, reason: str) -> None:
        self.called_off.setdefault(reason, []).append(enrollment)

    def emit(self, one: Traveller, name: str, reason: str) -> None:
        """Tells the world below, by an event like any other: conditions on journeys read it."""
        kind = self.again if one.context.get("again") else self.events
        kind.setdefault((name, one.journey_id, one.version_id, reason), []).append(one)

    # ── When a step cannot be taken ──────────────────────────────────────────────────────────────────────────────────
    def _failed(self, one: Traveller, node: Node, error: Exception) -> None:
        why = str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
        log.warning(
            "step %s of enrollment %s raised %s", node.key, one.id, why, exc_info=not isinstance(error, Refused)
        )
        reason = shown_error(node.key, why)
        if one.attempts < len(BACKOFF):
            one.due_at, one.attempts = self.now + BACKOFF[one.attempts], one.attempts + 1
            self._tell(one, Said.RETRY, node.kind, reason)
            self.moved[one.id] = one
        else:
            one.attempts += 1
            self._tell(one, Said.FAILED, node.kind, reason)
            self._ended(one, EnrollmentState.FAILED, Ending.ERROR, reason)

    def park(self, one: Traveller, reason: str) -> None:
        """Parks somebody who cannot be moved on."""
        one.attempts = len(BACKOFF) + 1
        self._tell(one, Said.FAILED, "", reason)
        self._ended(one, EnrollmentState.FAILED, Ending.ERROR, reason)

    def _put_off(self, group: Sequence[Traveller], step: str) -> None:
        """Another release wrote what this one cannot read: the person waits for it, and loses no try."""
        log.error("%d people wait at the step %r, which this release does not know", len(group), step)
        for one in group:
            one.due_at = self.now + _UNKNOWN_KIND
            self.moved[one.id] = one

    # ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def _tell(self, one: Traveller, answer: str, kind: str, reason: str, arm: str = "") -> None:
        self.story.add(one.id, (one.version_id, one.step, kind, answer, arm, reason))

    def entered(self, one: Traveller, kind: str, reason: str) -> None:
        self._tell(one, Said.ENTERED, kind, reason)
        self.emit(one, "$journey_entered", reason)

    def flush(self) -> None:
        """Writes where everybody stands and what is told of it, a statement each; what is the same for many, once."""
        if self.moved:
            _sql.run("move", {"groups": json.dumps(_alike(self.moved.values()))})
        if self.converted:
            _sql.run("convert", {"ids": list(self.converted), "moments": list(self.converted.values())})
        if self.story.lines:
            _sql.run("tell", {"lines": json.dumps(self.story.as_rows()), "now": self.now})
        self.moved, self.converted, self.story = {}, {}, Story()

    def write(self) -> None:
        """Writes all of it; to be the last thing that the transaction does."""
        self.flush()
        for reason, enrollments in self.called_off.items():
            outbox.cancel(enrollments, reason=reason, now=self.now)
            work.call_off(enrollments, now=self.now)
            calling.call_off(enrollments, now=self.now)
        if self.events:
            known = self.programs_of({version_id for _, _, version_id, _ in self.events})
            ingest.emit_alike([self._event(known, *key, who) for key, who in self.events.items()], now=self.now)
        if self.again:
            known = self.programs_of({version_id for _, _, version_id, _ in self.again})
            ingest.emit(
                [
                    _once_more(one, self._event(known, *key, [one]), self.now)
                    for key, who in self.again.items()
                    for one in who
                ],
                now=self.now,
            )
        self.called_off, self.events, self.again = {}, {}, {}

    def _event(
        self,
        known: Mapping[int, Program],
        name: str,
        journey_id: int,
        version_id: int,
        reason: str,
        who: Sequence[Traveller],
    ) -> ingest.Alike:
        number = known[version_id].number if version_id in known else None
        return ingest.Alike(
            name=name,
            properties={"journey": self.slugs[journey_id], "version": number, "reason": reason},
            subject="enrollment",
            whose={one.id: one.profile_id for one in who},
        )


def _once_more(one: Traveller, event: ingest.Alike, now: datetime) -> ingest.Ours:
    """The event of somebody who was parked and went on: another than the one that told of it then."""
    [told] = event.each(now)
    return replace(told, message_id=f"{told.message_id}:{one.context['again']}")


class Story:
    """Transitions to be written: what is the same for many is a line with their ids. Everybody's own stay in order."""

    def __init__(self) -> None:
        self.lines: list[tuple[_Line, list[UUID]]] = []
        self._places: dict[_Line, int] = {}
        self._last: dict[UUID, int] = {}  # the place of the last line of each

    def add(self, enrollment: UUID, line: _Line) -> None:
        place = self._places.get(line, -1)
        if place < self._last.get(enrollment, 0):
            place = self._places[line] = len(self.lines)
            self.lines.append((line, []))
        self.lines[place][1].append(enrollment)
        self._last[enrollment] = place

    def as_rows(self) -> list[dict[str, Any]]:
        return [
            {
                "version": version,
                "step": step,
                "kind": kind,
                "answer": answer,
                "arm": arm,
                "reason": reason,
                "ids": array(ids),
            }
            for (version, step, kind, answer, arm, reason), ids in self.lines
        ]


def _alike(travellers: Iterable[Traveller]) -> list[dict[str, Any]]:
    """Where these stand, as rows: those of whom all of it is the same are one."""
    groups: dict[Any, tuple[dict[str, Any], list[UUID]]] = {}
    for one in travellers:
        key = (
            one.step,
            one.state,
            one.due_at,
            one.step_entered_at,
            one.attempts,
            tuple(one.awaits),
            one.reason,
            one.ended_at,
            one.ended_by,
            one.converted_at,
            json.dumps(one.learnt) if one.learnt else None,
        )
        if key not in groups:
            groups[key] = (_as_row(one), [])
        groups[key][1].append(one.id)
    return [{**row, "ids": array(ids)} for row, ids in groups.values()]


def _as_row(one: Traveller) -> dict[str, Any]:
    return {
        "step": one.step,
        "state": one.state,
        "due": one.due_at and one.due_at.isoformat(),
        "since": one.step_entered_at.isoformat(),
        "attempts": one.attempts,
        "awaits": one.awaits or None,
        "learnt": one.learnt,
        "reason": one.reason,
        "ended": one.ended_at and one.ended_at.isoformat(),
        "ended_by": one.ended_by,
        "converted": one.converted_at and one.converted_at.isoformat(),
    }


def shown_error(step: str, why: str) -> str:
    """The sentence that staff read about a step that raised."""
    first = why.strip().partition("\n")[0][:500] or "it did not say what"
    return f"Something went wrong in the step {shown(step)}: {first}"


_OF_THE_SERVER = ("08", "40", "53", "57")  # no connection, a tie that was lost, no room, going down


def concerns_everybody(error: Exception) -> bool:
    """Whether the transaction as a whole is lost, and no step is to blame."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    # 57014 is a statement that took too long: that one is the step's.
    return state is None or (state[:2] in _OF_THE_SERVER and state != "57014")
