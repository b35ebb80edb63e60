"""Addresses that cannot be reached again and again: after five messages over two weeks they are left alone (BO-02).

Worked out from what came through and what did not, whatever was told first; mail that comes through ends it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from consent import suppression
from consent.models import Suppression
from foundation.sql import statements
from messaging.models import Message
from messaging.outbox import as_json

MOST, OVER = 5, timedelta(days=14)
_sql = statements("messaging", "returns")


def note(reached: Iterable[tuple[Message, bool, datetime]], now: datetime) -> None:
    """Keeps for each message whether it came through, and when; and blocks addresses, or no longer, by what follows."""
    rows, addresses = [], {}
    for message, came, at in reached:
        if not message.address:
            continue
        digest = suppression.hash_of(message.address)
        addresses[message.channel, digest] = message.address
        rows.append({"channel": message.channel, "address_hash": digest, "message": message.id, "came": came, "at": at})
    if not rows:
        return
    _sql.run("reached", {"reached": as_json(rows)})
    channels, hashes = zip(*sorted(addresses), strict=True)
    for channel, digest, times, span in _sql.rows("in_vain", {"channels": list(channels), "hashes": list(hashes)}):
        if times >= MOST and span >= OVER:
            said = f"{times} messages in a row could not be delivered, over {span.days} days."
            suppression.add(
                channel,
                addresses[channel, digest],
                Suppression.Reason.SOFT_BOUNCE,
                now,
                Suppression.Scope.ALL,
                note=said,
            )
        else:
            suppression.lift(channel, addresses[channel, digest], Suppression.Reason.SOFT_BOUNCE)
