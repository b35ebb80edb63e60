"""Whether this database is an older one than the one that worked here last, as after a backup was restored.

A database cannot know that. So each machine that works writes down outside of it when its loops last ran; where the
database knows of no run as late as that, what leaves the house stands still until an operator says that it may go on.
"""

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection

from foundation import clock, standstill, wording

_TOLERANCE = timedelta(minutes=2)  # what was written down may be a little ahead of the last commit that was kept
_RAN = "SELECT max(ran_at) FROM foundation_loop"


def witness() -> Path:
    """Where this machine writes down when it last worked."""
    return settings.CAIRN_HOME / "heartbeat.json"


def look() -> str:
    """Has what leaves stand still where this database is an older one; why it stands still, in a sentence, or ""."""
    if (why := _suspicion()) and not standstill.holds():
        standstill.begin(why, now=clock.now())
    found = standstill.current()
    return f"{found.why} Nothing is sent until you say `manage.py recover --go-on`." if found else ""


def _suspicion() -> str:
    ran_at, seen_at = _last_run(), _seen()
    if ran_at is None:
        return ""  # a new one: there is nothing to be sent twice
    if seen_at is not None:
        if ran_at >= seen_at - _TOLERANCE:
            return ""
        return (
            f"This database last worked {wording.span(seen_at - ran_at)} before what this machine last saw of it, as"
            " after a backup was restored: what was sent since would be sent again."
        )
    limit = timedelta(hours=settings.RECOVER_AFTER_HOURS)
    idle = clock.wall() - ran_at
    if settings.EMBEDDED or not limit or idle < limit:
        return ""
    return (
        f"This database last worked {wording.span(idle)} ago, and nothing here tells whether it is the newest: what was"
        " sent since would be sent again, had a backup been restored."
    )


def remember() -> None:
    """Writes down when the loops last ran; never an earlier moment than is written there."""
    ran_at, seen_at = _last_run(), _seen()
    if ran_at is None or (seen_at is not None and ran_at <= seen_at):
        return
    beside = witness().with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps({"ran_at": ran_at.isoformat()}))
    beside.replace(witness())


def _last_run() -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(_RAN)
        found: datetime | None = cursor.fetchone()[0]
    return found


def _seen() -> datetime | None:
    """None where nothing is written there that can be read."""
    try:
        return datetime.fromisoformat(json.loads(witness().read_text())["ran_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
