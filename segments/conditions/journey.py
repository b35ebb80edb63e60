"""What happened to somebody in a journey."""

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

_SAID = {"entered": "entered", "completed": "completed", "exited": "left"}


@KINDS.register
@dataclass(frozen=True)
class Journey(Sugar):
    """Counts the `$journey_…` events of a status."""

    key = "journey"
    label = "What happened in a journey"
    group = "What we sent"
    icon = "route"
    example = {"kind": "journey", "slug": "onboarding", "status": "completed"}

    slug: str = fields.asks(fields.slug, look=Look("Journey", of="journey", before="the journey"))
    status: str = fields.asks(fields.choice(*_SAID), look=Look("What happened", words=_SAID, place=-1))
    count: Comparison = fields.asks(comparing.counted, default=ONCE, look=Look("How often"))
    window: Window | None = fields.asks(fields.window, default=None, look=Look("When"))

    def rewritten(self) -> Event:
        return Event((f"$journey_{self.status}",), wherever(journey=self.slug), self.count, self.window)

    def refers(self) -> list[tuple[str, str, str]]:
        return [("journey", self.slug, "slug")]

    def clause(self) -> str:
        said = f"{_SAID[self.status]} the journey “{wording.spoken(self.slug)}”"
        if never(self.count):
            return f"who never {said}{self.window or ''}"
        return f"who {said}{frequency(self.count)}{self.window or ''}"
