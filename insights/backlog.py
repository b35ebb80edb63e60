"""What waits to be done now: nothing, when the house is quiet."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

_WAITING = """
    SELECT (SELECT count(*) FROM profiles_pulse),
           (SELECT count(*) FROM journeys_enrollment WHERE state = 'active' AND due_at <= %(now)s),
           (SELECT count(*) FROM messaging_message WHERE state IN ('queued', 'deferred') AND due_at <= %(now)s),
           (SELECT count(*) FROM messaging_message WHERE state = 'sending')
"""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much is due: words of people to look at again, steps to take, messages to judge, messages on their way."""

    pulses: int
    enrollments: int
    messages: int
    sending: int

    def __bool__(self) -> bool:
        return bool(self.pulses or self.enrollments or self.messages or self.sending)

    @property
    def is_sending_alone(self) -> bool:
        """Whether nothing is left but messages that somebody is sending, or was when they died."""
        return bool(self.sending) and not (self.pulses or self.enrollments or self.messages)

    def __str__(self) -> str:
        return (
            f"{self.pulses:,} pulses, {self.enrollments:,} steps, {self.messages:,} messages to judge"
            f" and {self.sending:,} on their way"
        )


def waiting(now: datetime) -> Backlog:
    """What is due at `now`, in one snapshot."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, {"now": now})
        return Backlog(*cursor.fetchone())
