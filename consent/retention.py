"""How long things are kept, as staff chose: what each rule would delete now, and its end, a bounded batch at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from consent.models import RetentionRule
from foundation.errors import Invalid
from foundation.wording import plural
from staff import audit

MOST_COUNTED = 100_000  # what would go is counted so far and no further
LONGEST = 36_500
_AT_ONCE = 50  # batches in one run; the next run goes on


@dataclass(frozen=True)
class Kept:
    """Something that is kept for a time: its words, how much of it is older than a moment, and what deletes a batch.

    `count(before, most)` and `drop(before, limit)` see the same rows; `least` days are needed by what Cairn does.
    """

    key: str
    label: str
    what: str
    stays: str
    least: int
    default: int | None
    count: Callable[[datetime, int], int]
    drop: Callable[[datetime, int], int]
    batch: int = 2_000


KINDS: dict[str, Kept] = {}


def keep(kind: Kept) -> None:
    """Joins something that is kept for a time; a key taken twice fails at the start."""
    if kind.key in KINDS:
        raise ValueError(f"two kinds of what is kept claim the key {kind.key!r}")
    KINDS[kind.key] = kind


def days(kind: Kept) -> int | None:
    """How long it is kept; None: for ever."""
    row = RetentionRule.objects.filter(key=kind.key).first()
    return row.days if row else kind.default


def choose(key: str, wanted: int | None, *, now: datetime) -> RetentionRule:
    """Sets how many days it is kept from now on; None: for ever. Nothing is deleted before the loop comes by."""
    kind = KINDS.get(key)
    if kind is None:
        raise Invalid.at("key", f"must be one of {', '.join(KINDS)}")
    if wanted is not None and not kind.least <= wanted <= LONGEST:
        raise Invalid.at("days", f"must be between {kind.least:,} and {LONGEST:,}, or empty to keep it for ever")
    with transaction.atomic():
        row, _created = RetentionRule.objects.update_or_create(key=key, defaults={"days": wanted, "changed_at": now})
        told = "for ever" if wanted is None else plural(wanted, "day")
        audit.record("change", "retention rule", key, f"{kind.label}: kept {told}.", days=wanted)
    return row


def would_go(kind: Kept, wanted: int | None, now: datetime) -> int:
    """How much would be deleted at once if it were kept so long; `MOST_COUNTED` stands for that and more."""
    return 0 if wanted is None else kind.count(now - timedelta(days=wanted), MOST_COUNTED)


def run(now: datetime) -> int:
    """Deletes what is past its time; how much. Each batch commits on its own, so that a run may be cut short."""
    return sum(_run(kind, wanted, now) for kind in KINDS.values() if (wanted := days(kind)) is not None)


def _run(kind: Kept, wanted: int, now: datetime) -> int:
    before, done = now - timedelta(days=wanted), 0
    for _ in range(_AT_ONCE):
        with transaction.atomic():
            dropped = kind.drop(before, kind.batch)
            done += dropped
            if dropped:
                values = {"changed_at": now, "days": kind.default}
                RetentionRule.objects.get_or_create(key=kind.key, defaults=values)
                RetentionRule.objects.filter(key=kind.key).update(ran_at=now, dropped=F("dropped") + dropped)
        if dropped < kind.batch:
            break
    if done:
        audit.record(
            "drop", "retention rule", kind.key, f"{kind.label}: {plural(done, 'row')} past their time deleted."
        )
    return done
