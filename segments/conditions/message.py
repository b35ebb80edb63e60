"""What became of messages that somebody was sent."""

from dataclasses import dataclass

from foundation import wording
from segments import comparing, fields
from segments.comparing import Comparison
from segments.conditions.event import ONCE, Event
from segments.fields import Look
from segments.kinds import KINDS
from segments.moments import Window
from segments.sugar import Sugar, wherever
from segments.telling import frequency, never

_SAID = {
    "sent": "were sent",
    "delivered": "got",
    "opened": "opened",
    "clicked": "clicked in",
    "bounced": "could not be reached with",
}


@KINDS.register
@dataclass(frozen=True)
class Message(Sugar):
    """Counts the `$message_…` events of a status."""

    key = "message"
    label = "What became of messages"
    group = "What we sent"
    rank = 1
    icon = "drafts"
    example = {"kind": "message", "status": "opened", "template": "welcome", "window": {"last": {"days": 30}}}

    status: str = fields.asks(fields.choice(*_SAID), look=Look("What happened", words=_SAID))
    journey: str | None = fields.asks(
        fields.name, default=None, look=Look("Journey", of="journey", before="of the journey")
    )
    template: str | None = fields.asks(
        fields.name, default=None, look=Look("Message", of="template", before="the message")
    )
    channel: str | None = fields.asks(fields.name, default=None, look=Look("Channel", of="channel", before="by"))
    count: Comparison = fields.asks(comparing.counted, default=ONCE, look=Look("How often"))
    window: Window | None = fields.asks(fields.window, default=None, look=Look("When"))

    def rewritten(self) -> Event:
        where = wherever(journey=self.journey, template=self.template, channel=self.channel)
        return Event((f"$message_{self.status}",), where, self.count, self.window)

    def refers(self) -> list[tuple[str, str, str]]:
        given = (("journey", self.journey), ("template", self.template))
        return [(kind, slug, kind) for kind, slug in given if slug is not None]

    def clause(self) -> str:
        what = f"the message “{wording.spoken(self.template)}”" if self.template else "a message"
        by = f" by {self.channel}" if self.channel else ""
        of = f" of the journey “{wording.spoken(self.journey)}”" if self.journey else ""
        said = f"{_SAID[self.status]} {what}{by}{of}"
        if never(self.count):
            return f"who never {said}{self.window or ''}"
        return f"who {said}{frequency(self.count)}{self.window or ''}"
