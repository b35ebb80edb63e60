"""Gives work to people: a task for a team, and where it has outcomes, a wait for one of them, each its own arm."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from foundation.errors import Problem
from journeys import filling, hours, names, work
from journeys.answers import Advance, Answer, WaitFor
from journeys.fields import Duration, Slug, duration, joined
from journeys.filling import Liquid
from journeys.kinds import Standing, Step, steps
from messaging import liquid
from messaging.liquid import Program, Unsayable
from profiles.models import Profile

PATIENCE = timedelta(days=30)
_LONGEST = 500


@steps.register
class TaskStep(Step):
    key = "task"
    label = "A task for somebody"
    acts = True
    icon = "assignment_ind"
    about = "Asks a team to do something, such as a call, and may wait for what comes of it."
    example = {
        "kind": "task",
        "title": "Call {{ profile.first_name }}",
        "team": "success",
        "outcomes": [{"key": "reached", "label": "Reached them", "steps": []}],
    }
    arms_in = ("outcomes",)
    without_arms = ("outcomes",)
    fields = (
        Liquid(name="title", label="What to do", longest=_LONGEST),
        Slug(name="team", label="Team", of="team"),
        Duration(name="due", label="Due after", required=False),
        Duration(name="timeout", label="Go on without an outcome after", required=False),
    )

    def prepare(self) -> None:
        self.program = Program(self.given["title"], naming=True)
        self.outcomes: Sequence[Mapping[str, Any]] = self.given.get("outcomes") or []
        self.due = duration(self.given["due"]).length if self.given.get("due") else None
        timeout = self.given.get("timeout")
        self.patience = duration(timeout).length if timeout else PATIENCE
        self.patience_said = str(duration(timeout)) if timeout else f"{PATIENCE.days} days"

    def sentence(self) -> str:
        wait = f", and wait up to {self.patience_said} for what comes of it" if self.outcomes else ""
        return f"Ask the team {names.of('team', self.given['team'])}: {self._spoken()}{wait}"

    def _spoken(self) -> str:
        return " ".join(str(self.given["title"]).replace("{{", "").replace("}}", "").split())

    # ── What becomes of whom ─────────────────────────────────────────────────────────────────────────────────────────
    def answer(self, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        if not self.outcomes:
            return dict.fromkeys((one.id for one in people), Advance(reason="The task was given."))
        done = work.done(self.name, [one.id for one in people])
        return {one.id: self._decided(one, done.get(one.id), at) for one in people}

    def _decided(self, one: Standing, done: work.Done | None, at: datetime) -> Answer:
        until = one.step_entered_at + self.patience
        if done and done.at <= until:
            known = done.outcome in {arm["key"] for arm in self.outcomes}  # an edit may have taken it away
            return Advance(
                done.outcome if known else "",
                f"The task was done: {done.label}.",
                {"answers": {**one.context.get("answers", {}), self.name: done.outcome}},
            )
        if until <= at:
            return Advance(reason=f"Nobody finished the task within {self.patience_said}.")
        return WaitFor((work.DONE,), until, f"Waits up to {self.patience_said} for the task to be done.")

    def begin(self, people: Sequence[Standing], at: datetime) -> None:
        have = work.have(self.name, [one.id for one in people])
        self._give([one for one in people if one.id not in have], at)

    def perform(self, people: Sequence[Standing], at: datetime) -> None:
        if self.outcomes:
            work.expire(self.name, [one.id for one in people], now=at)
        else:
            self._give(people, at)

    def _give(self, people: Sequence[Standing], at: datetime) -> None:
        if not people:
            return
        profiles = Profile.objects.select_related("account").in_bulk([one.profile_id for one in people])
        given = [
            work.Given(one.id, self.name, one.profile_id, self._title(one, profiles[one.profile_id]), self._due(one))
            for one in people
        ]
        work.give(given, team=self.given["team"], outcomes=self.outcomes, now=at)

    def _due(self, one: Standing) -> datetime | None:
        return one.step_entered_at + self.due if self.due else None

    def _title(self, one: Standing, profile: Profile) -> str:
        """As it reads for this person; what nobody knows stands there by its name, since the work is to be done."""
        try:
            said = self.program.fill(
                filling.values(one, profile), zone=hours.zone(profile.timezone), ends_at=liquid.end()
            )
        except Unsayable:
            said = self._spoken()
        return " ".join(said.replace("\x00", "").split())[:_LONGEST] or self._spoken()

    @classmethod
    def problems(cls, document: Mapping[str, Any], path: str) -> Iterator[Problem]:
        yield from super().problems(document, path)
        if document.get("outcomes") is None and document.get("timeout") is not None:
            yield Problem(joined(path, "timeout"), "is of no use without outcomes: nobody waits")
