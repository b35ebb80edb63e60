"""Which opaque reference stands for a person in the ledger, and the lock on which readers and writers meet."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from foundation.sql import statements

_sql = statements("consent", "subjects")

# The lock is on the person's subject and not on their states: a state that does not exist yet has no row to lock, and
# just the first refusal of somebody who never chose must not slip past a dispatch that is about to send.


def lock_to_write(profile_ids: Iterable[UUID], now: datetime) -> dict[UUID, UUID]:
    """Profile to subject, held until the transaction ends; makes those missing. People who are gone are left out.

    Waits for dispatch to commit its intents on these people, and they for us (`lock_to_read`).
    """
    return _lock("lock_to_write", profile_ids, now)


def lock_to_read(profile_ids: Iterable[UUID], now: datetime) -> dict[UUID, UUID]:
    """The same, shared: consent of these people cannot change until the transaction ends."""
    return _lock("lock_to_read", profile_ids, now)


def _lock(how: str, profile_ids: Iterable[UUID], now: datetime) -> dict[UUID, UUID]:
    people = {"profiles": sorted(set(profile_ids)), "now": now}
    # An erasure or a merge of the person waits for us, or has happened: then nothing is found, and nothing is made.
    _sql.run("hold", people)
    # First make what is missing, then lock: whoever holds a lock never waits for a row that another is making.
    _sql.run("ensure", people)
    return dict(_sql.rows(how, people))
