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
_SILENCE = timedelta(days=5)  # for which mail servers try, before they say that they could not
_sql = statements("messaging", "returns")


def note(reached: Iterable[tuple[Message, bool, datetime]], now: datetime) -> None:
    """Keeps for each message whether it came through, and when; and blocks addresses, or no longer, by what follows."""
    rows: list[dict[str, object]] = []
    messages: dict[tuple[str, str], Message] = {}
    for message, came, at in reached:
        if not message.address:
            continue
        digest = suppression.hash_of(message.address)
        messages[message.channel, digest] = message
        rows.append({"channel": message.channel, "address_hash": digest, "message": message.id, "came": came, "at": at})
    if rows:
        _sql.run("reached", {"reached": as_json(rows)})
        _block_or_free(messages, now)


def _block_or_free(messages: dict[tuple[str, str], Message], now: datetime) -> None:
    asked = sorted(messages)
    about = {
        "channels": [channel for channel, _ in asked],
        "hashes": [digest for _, digest in asked],
        "addresses": [messages[one].address for one in asked],
        "profiles": [messages[one].profile_id for one in asked],
        "silent": now - _SILENCE,
    }
    for channel, digest, times, span in _sql.rows("in_vain", about):
        address, reason = messages[channel, digest].address, Suppression.Reason.SOFT_BOUNCE
        if times >= MOST and span >= OVER:
            said = f"{times} messages in a row could not be delivered, over {span.days} days."
            suppression.add(channel, address, reason, now, Suppression.Scope.ALL, note=said)
        else:
            suppression.lift(channel, address, reason)
