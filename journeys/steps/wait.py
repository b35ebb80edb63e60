"""Waits: for a length of time, counted from the moment at which the person came to the step."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from journeys.answers import Advance, Answer, WaitUntil
from journeys.fields import Duration, duration
from journeys.kinds import Standing, Step, steps


@steps.register
class Wait(Step):
    key = "wait"
    label = "Wait"
    fields = (Duration(name="for", label="For"),)

    def prepare(self) -> None:
        self.length = duration(self.given["for"])

    def sentence(self) -> str:
        return f"Wait for {self.length}"

    def answer(self, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        return {one.id: self._about(one.step_entered_at + self.length.length, at) for one in people}

    def _about(self, until: datetime, at: datetime) -> Answer:
        if until <= at:
            return Advance(reason=f"{self.length} have passed.")
        return WaitUntil(until, f"Waits for {self.length}.")
