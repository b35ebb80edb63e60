"""Says something: queues a message, which the guardrails judge when its time has come."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys import filling, names
from journeys.answers import Advance, Answer
from journeys.fields import Slug, Text, Use, joined
from journeys.kinds import Standing, Step, steps
from messaging import outbox


@steps.register
class Message(Step):
    key = "message"
    label = "Send a message"
    acts = True
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
        given = self.given
        outbox.enqueue_for(
            [self._to(one) for one in people],
            template=given["template"],
            channel=given["channel"],
            journey=people[0].journey,
            step=self.name,
            priority=self.priority,
            now=at,
        )

    def _to(self, one: Standing) -> outbox.To:
        known = one.context
        return outbox.To(self._key(one), one.profile_id, one.id, str(known.get("variant", "")), _context(known))

    def _key(self, one: Standing) -> str:
        """What makes the message the same one, however often this is tried; whom staff put elsewhere goes anew."""
        key, moved = f"journey:{one.id}:{self.name}", one.context.get("moved")
        return f"{key}:{moved}" if moved else key

    @classmethod
    def uses(cls, document: Mapping[str, object], path: str) -> "list[Use]":  # type: ignore[override]
        return [Use(joined(path, "template"), "template", str(document["template"]), str(document["channel"]))]


def _context(known: Mapping[str, Any]) -> dict[str, Any]:
    """What the template may use beside the person."""
    if not known:
        return {}
    event, data = known.get("event"), filling.data(known)
    return {**({"event": event} if event is not None else {}), **({"data": data} if data else {})}
