"""Messages that are work for a team: who takes them is above, and asked through `foundation.registry.duties`."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Duty:
    """A message of the outbox that a team is to act on; the same message is the same work."""

    message: UUID
    team: str
    title: str
    details: str
    at: datetime
