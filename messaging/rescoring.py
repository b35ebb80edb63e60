"""Judging anew who followed links and opened mails: the raw facts stay, the lists of programs grow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from messaging import clicks, openings, seen
from messaging.models import Hit
from messaging.returns.models import Opening
from staff import audit

_BATCH = 200


@dataclass
class Rescored:
    """How many facts were looked at, and how many are judged otherwise than before."""

    looked_at: int = 0
    now_people: int = 0
    now_programs: int = 0


def rescore(since: datetime, *, now: datetime) -> Rescored:
    """Judges anew what was judged before, of that day on. Batch by batch: ended half-way, it may be begun again.

    What turns out to be a person's is told; what turns out not to be is counted no more, and the message goes back to
    what else is known of it. What journeys did on its word stays done.
    """
    found = Rescored()
    with transaction.atomic():
        audit.record(
            "messages.rescored",
            "messages",
            "",
            f"Judged anew who followed links and opened mails since {since:%-d %B %Y}.",
        )
    linked = Hit.objects.filter(at__gte=since).values_list("link__message", flat=True)
    opened = Opening.objects.filter(at__gte=since).values_list("message", flat=True)
    messages: list[Any] = sorted({*linked.distinct(), *opened.distinct()})
    for first in range(0, len(messages), _BATCH):
        with transaction.atomic():
            _batch(messages[first : first + _BATCH], found, now)
    return found


def _batch(messages: Sequence[UUID], found: Rescored, now: datetime) -> None:
    kinds = clicks.kinds_of(messages)
    hits = [
        hit
        for hit in Hit.objects.filter(link__message__in=messages)
        .exclude(kind="")
        .select_related("link__message__topic", "link__message__template")
        if _is_new(hit, kinds.get(hit.id, hit.kind), found)
    ]
    opened = [
        one
        for one in Opening.objects.filter(message__in=messages)
        .exclude(kind="")
        .select_related("message__topic", "message__template")
        if _is_new(one, openings.kind_of(one), found)
    ]
    Hit.objects.bulk_update(hits, ["kind"])
    Opening.objects.bulk_update(opened, ["kind"])
    fell = {hit.link.message_id for hit in hits if hit.kind != Hit.Kind.HUMAN}
    fell |= {one.message_id for one in opened if one.kind != Opening.Kind.HUMAN}
    seen.fall_back(fell)
    openings.tell([one for one in opened if one.kind == Opening.Kind.HUMAN], now)
    clicks.tell([hit for hit in hits if hit.kind == Hit.Kind.HUMAN], now)


def _is_new(fact: Hit | Opening, kind: str, found: Rescored) -> bool:
    found.looked_at += 1
    if fact.kind == kind:
        return False
    found.now_people += kind == Hit.Kind.HUMAN
    found.now_programs += fact.kind == Hit.Kind.HUMAN
    fact.kind = kind
    return True
