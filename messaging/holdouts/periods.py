"""Beginning and ending a holdout, who is held out, and keeping whom it made a difference to."""

import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from django.db import transaction

from foundation import chance
from foundation.errors import Conflict, Invalid, Problem
from foundation.sql import statements
from messaging.holdouts.models import Exposure, Holdout
from staff import audit

USUAL = 5  # percent
MOST = 50
_PERIOD = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
_sql = statements("messaging", "holdouts")


class Pair(Protocol):
    survivor_id: UUID
    absorbed_id: UUID


# ── Periods ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def current() -> Holdout | None:
    """The holdout that is on, if any is."""
    return Holdout.objects.filter(ended_at=None).first()


def start(period: str, percent: int = USUAL, *, now: datetime) -> Holdout:
    """From now on this share of all people get no marketing; `Conflict` while another holdout is on."""
    problems = []
    if not _PERIOD.fullmatch(period):
        problems.append(Problem("period", "must be small letters, digits and dashes, such as 2026-q4"))
    if isinstance(percent, bool) or not isinstance(percent, int) or not 1 <= percent <= MOST:
        problems.append(Problem("percent", f"must be a whole number from 1 to {MOST}"))
    if problems:
        raise Invalid(problems)
    with transaction.atomic():
        # The row of nobody else: two who begin at once are told so by the constraint, and here in words.
        if running := Holdout.objects.select_for_update().filter(ended_at=None).first():
            raise Conflict(f"The holdout {running.period} is on; end it before you begin another.")
        if Holdout.objects.filter(period=period).exists():
            raise Conflict(f"There was a holdout {period} already; give this one another name.")
        row = Holdout.objects.create(period=period, percent=percent, salt=secrets.token_hex(16), started_at=now)
        audit.record("holdout.started", "holdout", period, f"Began to hold out {percent} % of all people.")
    return row


def end(period: str, *, now: datetime) -> None:
    """Nobody is held out by it any more; whom it concerned stays known."""
    with transaction.atomic():
        row = Holdout.objects.select_for_update().filter(period=period).first()
        if row is None or row.ended_at is not None:
            raise Conflict("This holdout is over already.")
        row.ended_at = now
        row.save(update_fields=["ended_at"])
        audit.record("holdout.ended", "holdout", period, "Ended the holdout: everybody may get marketing again.")


# ── People ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def held(holdout: Holdout, profiles: Collection[UUID]) -> set[UUID]:
    """Those of them who are held out: as it was kept, else by chance, which is the same whenever it is asked."""
    kept = dict(Exposure.objects.filter(holdout=holdout, profile__in=profiles).values_list("profile", "held"))
    return {one for one in profiles if kept.get(one, drawn(holdout, one))}


def drawn(holdout: Holdout, profile: UUID) -> bool:
    return chance.bucket(holdout.salt, profile) < holdout.percent * chance.BUCKETS // 100


def remember(sides: Mapping[UUID, bool], *, now: datetime) -> None:
    """Keeps to whom the holdout that is on makes a difference now: person to whether they are held out."""
    holdout = current() if sides else None
    if holdout is None:
        return
    rows = [Exposure(holdout=holdout, profile_id=one, held=sides[one], exposed_at=now) for one in sorted(sides)]
    Exposure.objects.bulk_create(rows, ignore_conflicts=True)


def absorb(merges: Sequence[Pair]) -> None:
    """Two who are one stand where the earlier of them stood; where the two stood apart, that is kept (EX-02)."""
    _sql.run(
        "absorb",
        {"absorbed": [pair.absorbed_id for pair in merges], "survivors": [pair.survivor_id for pair in merges]},
    )
    Exposure.objects.filter(profile__in=[pair.absorbed_id for pair in merges]).delete()


def erase(profiles: Iterable[UUID]) -> None:
    """On which side they stood goes on to count, as nobody's."""
    Exposure.objects.filter(profile__in=list(profiles)).update(profile=None)


def told(profile: UUID) -> list[dict[str, object]]:
    """On which side somebody stood, for their download."""
    rows = Exposure.objects.filter(profile=profile).select_related("holdout").order_by("exposed_at")
    return [{"period": one.holdout.period, "held_out": one.held, "since": one.exposed_at.isoformat()} for one in rows]
