"""Says something: queues a message, which the guardrails judge when its time has come."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from journeys import names
from journeys.answers import Advance, Answer
from journeys.fields import Slug, Text, Use, joined
from journeys.kinds import Standing, Step, steps
from messaging import outbox


@steps.register
class Message(Step):
    key = "message"
    label = "Send a message"
    icon = "mail"
    about = "Sends an e-mail or another message, if consent and caps allow it."
    example = {"kind": "message", "channel": "email", "template": "welcome"}
    fields = (
        Text(name="channel", label="Channel", longest=20),
        Slug(name="template", label="Template", of="template"),
    )

    def sentence(self) -> str:
        return f"Send {names.of('template', self.given['template'])} by {str(self.given['channel']).replace('_', '-')}"

    def answer(self, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        return dict.fromkeys((one.id for one in people), Advance(reason="The message was queued."))

    def perform(self, people: Sequence[Standing], at: datetime) -> None:
        outbox.enqueue([self._request(one) for one in people], now=at)

    def _request(self, one: Standing) -> outbox.Request:
        # The key makes the message the same one, however often this is tried.
        return outbox.Request(
            key=f"journey:{one.id}:{self.name}",
            profile_id=one.profile_id,
            template=self.given["template"],
            channel=self.given["channel"],
            journey=one.journey,
            enrollment=one.id,
            step=self.name,
            variant=str(one.context.get("variant", "")),
            context={name: one.context[name] for name in ("event", "data") if name in one.context},
        )

    @classmethod
    def uses(cls, document: Mapping[str, object], path: str) -> "list[Use]":  # type: ignore[override]
        return [Use(joined(path, "template"), "template", str(document["template"]), str(document["channel"]))]
