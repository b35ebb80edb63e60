"""Resuming without what was missed: whoever would have gone on during the pause is where they would be by now.

They are led along as of then, with the waits and ways that were due, and whatever the steps would have done for them
is left out.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from foundation.sql import statements
from journeys.answers import Advance, Answer, WaitFor, WaitUntil
from journeys.models import Journey, Transition
from journeys.program import Node, Program
from journeys.walking import Traveller, Walk, concerns_everybody, read

AT_ONCE, BATCH = 5_000, 1_000
LEFT_OUT = "Left out: the journey was paused then."
_AN_INSTANT = timedelta(seconds=1)
_sql = statements("journeys", "pausing")


def begin(journey: Journey, now: datetime, *, ramp: int) -> None:
    """Has everybody who became due during the pause skip what they missed: a few at once, many batch by batch.

    The caller holds the journey, and saves it; until all are done it moves nobody on.
    """
    journey.carrying = {"skip": now.isoformat(), "late": 0, "ramp": ramp}
    due = journey.enrollments.filter(state="active", due_at__lte=now).order_by()
    if due[: AT_ONCE + 1].count() <= AT_ONCE:
        while carry(journey, now):
            pass


def carry(journey: Journey, now: datetime) -> int:
    """Leads a batch on; how many. At the end nothing is left of the plan."""
    plan = journey.carrying or {}
    resumed = datetime.fromisoformat(plan["skip"])
    params = {"journey": journey.pk, "resumed": resumed, "limit": BATCH}
    people = read(_sql.rows("missed", params))
    if people:
        walk = Skip.at(now)
        walk.resumed, walk.late, walk.ramp = resumed, int(plan["late"]), int(plan["ramp"])
        walk.skip(people)
        walk.write()
        plan["late"] = walk.late
    elif not _sql.rows("anybody_missed", params)[0][0]:
        journey.carrying = None
    return len(people)


class Skip(Walk):
    """A walk through the past. `resumed` is where it ends."""

    resumed: datetime
    late: int
    ramp: int

    def skip(self, people: Sequence[Traveller]) -> None:
        front = [(one, one.due_at or self.resumed) for one in people]
        known = self.programs(people)
        while front:
            groups: dict[tuple[int, str, datetime], list[Traveller]] = {}
            for one, at in front:
                groups.setdefault((one.version_id, one.step, at), []).append(one)
            front = []
            for (version_id, step, at), group in sorted(groups.items(), key=lambda item: item[0][2]):
                program = known.get(version_id)
                node = program.nodes.get(step) if program else None
                if program is None or node is None or node.step is None or any(one.attempts for one in group):
                    self._in_the_present(group)
                else:
                    front += self._at(at, program, node, group)

    def _at(
        self, at: datetime, program: Program, node: Node, group: list[Traveller]
    ) -> list[tuple[Traveller, datetime]]:
        """Takes a group through a step as of then; who goes on from there, and as of when."""
        answers = self._as_of(at, node, group)
        further = []
        for one in group:
            following = self._one(one, answers.get(one.id), at, node, program)
            if following is not None:
                further.append((one, following))
        return further

    def _as_of(self, at: datetime, node: Node, group: Sequence[Traveller]) -> dict[Any, Answer]:
        step = node.step
        assert step is not None  # noqa: S101 (told to mypy: `skip` has looked)
        if step.acts:
            return dict.fromkeys((one.id for one in group), Advance(reason=LEFT_OUT))
        people = [self.standing(one) for one in group]
        try:
            with transaction.atomic():
                answers = dict(step.answer(people, at))
                going = [one for one in people if isinstance(answers[one.id], Advance)]
                if going:
                    step.perform(going, at)
                return answers
        except Exception as error:
            if concerns_everybody(error):
                raise
            return {}

    def _one(
        self, one: Traveller, answer: Answer | None, at: datetime, node: Node, program: Program
    ) -> datetime | None:
        """What becomes of one; as of when they go on within the pause, or None."""
        match answer:
            case None:
                self._in_the_present([one])
            case Advance(arm, _, _) if node.step is not None and node.step.acts:
                # Told without its kind: of such a step nothing is there to be found.
                self._tell(one, Transition.Answer.ADVANCE, "", LEFT_OUT)
                return at if self._goes_on(one, node.after(arm), program, at) else None
            case WaitUntil(until, _) | WaitFor(_, until, _) if until <= self.resumed:
                return max(until, at + _AN_INSTANT)
            case WaitFor():
                self._in_the_present([one])  # what they wait for has to be begun
            case Advance(arm, reason, learnt):
                if learnt:
                    one.context, one.learnt = {**one.context, **learnt}, {**(one.learnt or {}), **learnt}
                self._tell(one, Transition.Answer.ADVANCE, node.kind, reason, arm=arm)
                return at if self._goes_on(one, node.after(arm), program, at) else None
            case _:
                self._apply(one, node, program, answer)
        return None

    def _goes_on(self, one: Traveller, following: str | None, program: Program, at: datetime) -> bool:
        on = self._step_on(one, following, program)
        if on:
            one.step_entered_at = at
        return on

    def _in_the_present(self, group: Sequence[Traveller]) -> None:
        """Has them asked by the engine, at the ramp."""
        for one in group:
            self.late += 1
            wait = timedelta(minutes=(self.late - 1) // self.ramp)
            one.due_at, one.awaits = max(self.now, self.resumed) + _AN_INSTANT + wait, []
            self.moved[one.id] = one
