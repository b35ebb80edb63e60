"""What must hold of all journeys at any time, looked up in the database: after a crash, and whenever somebody asks."""

from datetime import datetime
from typing import Any

from foundation.sql import statements
from journeys import numbers
from journeys.walking import BACKOFF
from messaging.outcomes import LEASE

_sql = statements("journeys", "audit")
_ALWAYS = ("lost", "tried", "unexplained", "entered", "strayed", "unsaid", "untold", "orphaned", "in_hand", "late")
_OF_MESSAGES = ("unsettled", "premature")


def breaches(now: datetime) -> list[str]:
    """A sentence for each thing that should not be; empty when all is well.

    Who should have gone on more than an hour ago is one: the loops do not run, or somebody is held up.
    """
    params: dict[str, Any] = {"now": now, "most": len(BACKOFF) + 1, "lease": LEASE}
    return [
        *(f"The enrollment {id} {what}." for name in _ALWAYS for id, what in _sql.rows(name, params)),
        *(f"The message {id} {what}." for name in _OF_MESSAGES for id, what in _sql.rows(name, params)),
        *(f"The numbers of the journey {slug} are not what counting gives." for slug in numbers.miscounted()),
    ]
