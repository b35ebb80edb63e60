"""What was refused, tried again once its cause is mended."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from foundation import strict_json
from foundation.errors import Invalid
from foundation.wording import plural
from profiles import calls, ingest
from profiles.ingest import Trust
from profiles.models import RejectedEvent
from staff import audit


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many were taken this time, and why the others were refused again, by their id."""

    taken: int
    refused: dict[int, str]


def replay(ids: Collection[int], *, now: datetime) -> Outcome:
    """Takes refused calls again, each for itself, as calls that came when they first did. Those taken before are left.

    Who asks for it vouches for them: what only a browser's key could not say is now said. What is refused again stays,
    with the reason of today.
    """
    taken, refused = 0, {}
    with transaction.atomic():
        rows = RejectedEvent.objects.select_for_update().filter(pk__in=ids, replayed_at=None).order_by("pk")
        for row in rows:
            if reason := _again(row, now):
                refused[row.pk] = row.reason = reason
            else:
                taken += 1
                row.replayed_at = now
            row.save(update_fields=["reason", "replayed_at"])
        if rows:
            said = f"Tried {plural(len(rows), 'refused call')} again: {taken} taken."
            audit.record("try again", "refused data", str(min(ids)) if len(ids) == 1 else "several", said, taken=taken)
    return Outcome(taken, refused)


def _again(row: RejectedEvent, now: datetime) -> str:
    """Takes the call; why it is refused once more, or ""."""
    try:
        item = _as_it_came(row)
    except Invalid as error:
        return str(error)
    with transaction.atomic():
        receipt = ingest.take([item], source=row.source, trust=Trust.SERVER, now=now)
        if receipt.rejected:
            # The row that tells of it is there already.
            transaction.set_rollback(True)
            return receipt.rejected[0][1]
    return ""


def _as_it_came(row: RejectedEvent) -> Any:
    """The call, with its time as it stood when it arrived: a clock is corrected by its own arrival, not by today's."""
    item = strict_json.decode(row.payload.encode())
    if not isinstance(item, dict):
        return item
    stamp, sent = calls.when(item.get("timestamp")), calls.when(item.pop("sentAt", None))
    if stamp is not None and sent is not None:
        try:
            stamp += row.received_at - sent
        except OverflowError:
            return item
        item["timestamp"] = min(stamp, row.received_at).isoformat()
    item.setdefault("timestamp", row.received_at.isoformat())
    item.setdefault("messageId", f"refused:{row.pk}")
    return item
