"""Somebody does something."""

from collections.abc import Iterator
from datetime import datetime

from journeys import matching
from journeys.fields import Names, Where
from journeys.kinds import Entry, Happened, Trigger, triggers


@triggers.register
class Event(Trigger):
    key = "event"
    label = "Somebody does something"
    icon = "bolt"
    about = "They do something, such as signing up."
    example = {"kind": "event", "name": "signed_up"}
    fields = (Names(name="name", label="Event"), Where(name="where", label="Where", required=False))

    def prepare(self) -> None:
        self.pattern = matching.Pattern(self.given["name"], self.given.get("where"))

    def sentence(self) -> str:
        return self.pattern.sentence()

    def entries(self, happened: Happened, at: datetime) -> Iterator[Entry]:
        for event in self.pattern.among(happened.events, happened.renames, at):
            yield Entry(
                profile_id=event.profile_id,
                key=event.message_id,
                at=event.occurred_at,
                reason=f"They did {event.name}.",
                context={
                    "event": {
                        "name": event.name,
                        "message_id": event.message_id,
                        "occurred_at": event.occurred_at.isoformat(),
                        "properties": event.properties,
                    }
                },
            )
