"""The end of the way, before its end."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from journeys.answers import Answer, Leave
from journeys.fields import Text
from journeys.kinds import Standing, Step, steps


@steps.register
class Exit(Step):
    key = "exit"
    label = "Leave the journey"
    icon = "logout"
    about = "Ends the journey for those who come here."
    example = {"kind": "exit", "reason": "Found their way"}
    fields = (Text(name="reason", label="Reason", required=False),)

    def sentence(self) -> str:
        reason = self.given.get("reason")
        return f"Leave the journey: {reason}" if reason else "Leave the journey"

    def answer(self, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        return dict.fromkeys((one.id for one in people), Leave(self.given.get("reason") or "The way ended here."))
