"""The loop that writes down which consents have run out. They count no more from that moment on, loop or no loop."""

from datetime import datetime

from consent import ledger
from foundation.sql import statements

_BATCH = 500
_sql = statements("consent", "ledger")


def tick(now: datetime) -> int:
    """One row of the ledger for each that is over; returns how many."""
    written = 0
    while due := [row[0] for row in _sql.rows("have_run_out", {"now": now, "limit": _BATCH})]:
        # Somebody may have renewed or refused theirs meanwhile: the ledger looks again under its locks.
        found = ledger.run_out(due, now=now)
        written += found
        if not found:
            break
    return written
