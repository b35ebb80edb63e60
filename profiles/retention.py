"""How long what is kept for a purpose is kept, and its end, a bounded batch at a time."""

from datetime import datetime, timedelta

from foundation.sql import statements
from profiles import erasing
from profiles.merging import UNDO_FOR

CLAIMS_FOR = timedelta(days=90)  # so long a message id is known again
REPLAYED_FOR = timedelta(days=30)
REFUSED_FOR = timedelta(days=365)
BATCH = 5_000
_sql = statements("profiles", "retention")
_PERIODS = {
    "forget_claims": CLAIMS_FOR,
    "forget_undos": UNDO_FOR,
    "forget_replayed": REPLAYED_FOR,
    "forget_refused": REFUSED_FOR,
}


def forget(now: datetime) -> int:
    """Drops what is past its time; how much that was. Each batch commits on its own."""
    done = 0
    for statement, period in _PERIODS.items():
        while dropped := _sql.run(statement, {"before": now - period, "limit": BATCH}):
            done += dropped
    while dropped := erasing.forget(now):
        done += dropped
    return done


def count_events(before: datetime, most: int) -> int:
    """How many raw events happened before then, counted up to `most`."""
    return int(_sql.rows("old_events", {"before": before, "limit": most})[0][0])


def drop_events(before: datetime, limit: int) -> int:
    """Deletes so many of them, the oldest first; how many there were. What was counted by day stays."""
    return _sql.run("forget_events", {"before": before, "limit": limit})
