"""How long consent keeps what it keeps for a purpose, and its end, a bounded batch at a time."""

from datetime import datetime, timedelta

from django.db import transaction

from consent.models import Attempt, OptIn, Reply, Suppression
from consent.suppression import hash_of
from foundation.sql import statements
from profiles import people
from profiles.models import Event, Profile

ASKED_FOR = timedelta(days=30)  # what was to be confirmed; of what was, the ledger has all
ATTEMPTS_FOR = timedelta(days=1)
READ_FOR = timedelta(days=30)  # after staff read it
BATCH = 1_000
_sql = statements("consent", "forgetting")


def forget(now: datetime) -> int:
    """Drops what is past its time; how much that was. Each batch commits on its own."""
    return _unconfirmed(now) + _attempts(now) + _replies(now)


def _unconfirmed(now: datetime) -> int:
    done = 0
    while rows := list(OptIn.objects.filter(asked_at__lte=now - ASKED_FOR).select_related("profile")[:BATCH]):
        for row in rows:
            with transaction.atomic():
                row.delete()
                if row.made_person and row.confirmed_at is None:
                    _unmake(row.profile, now)
        done += len(rows)
    return done


def _unmake(profile: Profile, now: datetime) -> None:
    """Forgets who was made for a form, if nothing else came of them. That does not block their address."""
    events = Event.objects.filter(profile=profile).exclude(type__name="$opt_in_requested")
    is_somebody = (
        profile.external_id
        or profile.consents.exists()
        or profile.opt_ins.exists()
        or events.exclude(type__name__startswith="$message_").exists()
    )
    if is_somebody:
        return
    blocked = Suppression.objects.filter(address_hash=hash_of(profile.email or ""), reason=Suppression.Reason.ERASED)
    before = list(blocked.values_list("id", flat=True))
    people.erase(profile, now=now)
    blocked.exclude(id__in=before).delete()


def _attempts(now: datetime) -> int:
    done = 0
    old = Attempt.objects.filter(at__lte=now - ATTEMPTS_FOR)
    while dropped := Attempt.objects.filter(id__in=list(old.values_list("id", flat=True)[:BATCH])).delete()[0]:
        done += dropped
    return done


def _replies(now: datetime) -> int:
    """What people wrote back, once it was read."""
    done = 0
    read = Reply.objects.filter(closed_at__lte=now - READ_FOR)
    while dropped := Reply.objects.filter(id__in=list(read.values_list("id", flat=True)[:BATCH])).delete()[0]:
        done += dropped
    return done


def count_evidence(before: datetime, most: int) -> int:
    """How much evidence proves what ended before then, counted up to `most`."""
    return int(_sql.rows("old_evidence", {"before": before, "limit": most})[0][0])


def drop_evidence(before: datetime, limit: int) -> int:
    """Deletes so much of it; the ledger and its chain stay as they are (CO-26)."""
    return _sql.run("forget_evidence", {"before": before, "limit": limit})
