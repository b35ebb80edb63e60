"""What a worker has in hand, written down before it begins: so that a step that kills its worker is found.

An attempt is committed first and deleted in the transaction that does the work. Its worker holds a lock of its session
on it meanwhile; an attempt whose lock is free is one whose worker died. Whom it had is then tried again by halves,
until the one at whose step workers die is alone, and is parked.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from django.db import transaction

from foundation.sql import statements
from journeys.models import Attempt

MOST = 3
"""How many workers somebody may cost who is alone in an attempt."""
_sql = statements("journeys", "attempts")


def orphan() -> Attempt | None:
    """An attempt at moving people on whose worker died, ours now; to be `release`d."""
    for (id,) in _sql.rows("known", {"kind": Attempt.Kind.ADVANCE}):
        if _try(id):
            found = Attempt.objects.filter(pk=id).first()
            if found is not None:
                return found
            release(id)
    return None


def claim(shares: Mapping[int, int], now: datetime) -> tuple[Attempt | None, int]:
    """Takes so many of each journey who are due in hand; how many that are. To be committed before the work begins."""
    _sql.run("soon")
    params = {"kind": Attempt.Kind.ADVANCE, "journeys": list(shares), "shares": list(shares.values()), "now": now}
    for id, people in _sql.rows("claim", params):
        return Attempt(id=id, kind=Attempt.Kind.ADVANCE), people
    return None, 0


def begin(kind: Attempt.Kind) -> Attempt:
    """Writes an attempt down and holds it. To be called outside of a transaction: it is committed before the work."""
    [(id,)] = _sql.rows("begin", {"kind": kind})
    return Attempt(id=id, kind=kind)


def go_on(attempt: Attempt) -> bool:
    """Makes ready what an orphan asks for; whether it is to be worked on now. False: it was split, its halves come."""
    with transaction.atomic():
        if attempt.tried and len(attempt.enrollments) > 1:
            half = len(attempt.enrollments) // 2
            parts = attempt.enrollments[:half], attempt.enrollments[half:]
            _sql.run("split", {"id": attempt.pk, "first": parts[0], "second": parts[1]})
            return False
        attempt.tried, attempt.times = True, attempt.times + 1
        attempt.save(update_fields=["tried", "times"])
    return True


def is_poison(attempt: Attempt) -> bool:
    return attempt.tried and len(attempt.enrollments) == 1 and attempt.times >= MOST


@contextmanager
def held(attempt: Attempt) -> Iterator[None]:
    """Around the work: a transaction that ends with the attempt's end. What raises is no dead worker."""
    try:
        with transaction.atomic():
            yield
            _end(attempt.pk)
    except BaseException:
        _forget(attempt.pk)
        raise
    finally:
        release(attempt.pk)


def give_up(attempt: Attempt) -> None:
    """Lets go of whom we had in hand and did nothing with."""
    with held(attempt):
        pass


def _end(id: int) -> None:
    Attempt.objects.filter(pk=id).delete()


def _forget(id: int) -> None:
    try:
        _end(id)
    except Exception:  # noqa: S110 (the database is gone or the transaction is lost: the attempt is found as an orphan)
        pass


def workers_die() -> bool:
    """Whether a worker died lately while it looked at people: then nobody's steps are taken there."""
    got = [id for (id,) in _sql.rows("lately") if _try(id)]
    # One that ended well between the two let go of its lock as well, but its row is gone.
    dead = Attempt.objects.filter(id__in=got).exists() if got else False
    for id in got:
        release(id)
    return dead


def _try(id: int) -> bool:
    [(got,)] = _sql.rows("try", {"id": id})
    return bool(got)


def release(id: int) -> None:
    """Lets go of an attempt."""
    _sql.rows("release", {"id": id})
