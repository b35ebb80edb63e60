"""People who are held out: a share that is fixed, by chance that can be worked out again, from marketing alone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction

from foundation import chance
from foundation.errors import Conflict, Invalid
from messaging import dispatch
from messaging.holdouts import periods
from messaging.holdouts.models import Exposure, Holdout
from messaging.models import Message
from profiles import erasing, merging
from profiles.models import Profile
from staff.models import AuditEntry
from tests.messaging.conftest import state_of
from tests.messaging.sides import stand

DAY = timedelta(days=1)


@pytest.fixture
def holdout(db: None, now: datetime) -> Holdout:
    """Ada is held out by it, and Ben is not."""
    return periods.start("2026-q4", 50, now=now)


def test_ex_01_who_is_held_out_can_be_worked_out_again_in_any_language() -> None:
    drawn = {("exp", UUID(int=1)): 5681, ("a:b", "ada"): 1837, ("salt", UUID(int=7)): 9370}
    assert {asked: chance.bucket(*asked) for asked in drawn} == drawn


def test_ex_05_the_share_is_as_large_as_it_says(holdout: Holdout) -> None:
    holdout.percent = 5
    held = sum(periods.drawn(holdout, uuid4()) for _ in range(20_000))
    assert 850 < held < 1_150  # five standard deviations


def test_ex_05_whoever_is_held_out_gets_no_marketing_for_90_days_and_all_that_they_need(
    holdout: Holdout,
    ada: Profile,
    ben: Profile,
    receipts: Any,
    write: Any,
    agree: Any,
    queue: Any,
    folder: Any,
    now: datetime,
) -> None:
    stand(holdout, (ada, True), (ben, False))
    write()
    write("receipt", topic="receipts")
    agree(ada, ben)
    states = set()
    for n in range(0, 90, 10):
        messages = [queue(one, template, at=now + n * DAY) for one in (ada, ben) for template in ("hello", "receipt")]
        dispatch.tick(now + n * DAY)
        states.add(tuple(state_of(message.id).state for message in messages))
    assert states == {("suppressed", "sent", "sent", "sent")}
    held = Message.objects.filter(guardrail="holdout").first()
    assert held is not None
    assert held.reason == (
        "ada@example.com is among the 50 % of people who get no marketing in 2026-q4, so that we learn what it does."
    ).replace("ada@example.com", str(ada))
    assert held.evidence == {"holdout": "2026-q4", "percent": 50}


def test_ex_03_whom_it_made_a_difference_to_is_kept_once_when_it_first_did(
    holdout: Holdout, ada: Profile, ben: Profile, cleo: Profile, receipts: Any, write: Any, agree: Any, queue: Any,
    folder: Any, now: datetime,
) -> None:  # fmt: skip
    stand(holdout, (ada, True), (ben, False))
    write()
    write("receipt", topic="receipts")
    agree(ada, ben)
    for one in (ada, ben):
        queue(one, "receipt")
    queue(cleo)  # nobody could write to her anyway: eligibility comes first
    dispatch.tick(now)
    assert not Exposure.objects.exists()
    for after in (0, 1):
        for one in (ada, ben):
            queue(one, at=now + after * DAY)
        dispatch.tick(now + after * DAY)
    found = Exposure.objects.values_list("profile", "held", "exposed_at")
    assert set(found) == {(ada.id, True, now), (ben.id, False, now)}


def test_ex_02_nobody_changes_sides_whatever_becomes_of_them(
    holdout: Holdout, ada: Profile, ben: Profile, person: Callable[..., Profile], now: datetime
) -> None:
    stand(holdout, (ada, True), (ben, False))
    Exposure.objects.create(holdout=holdout, profile=ada, held=False, exposed_at=now)
    assert periods.held(holdout, {ada.id, ben.id}) == set()
    anonymous = person()
    Exposure.objects.create(holdout=holdout, profile=anonymous, held=True, exposed_at=now - DAY)
    with transaction.atomic():
        merging.merge([merging.Pair(ada.id, anonymous.id)], reason="test", now=now)
    (row,) = Exposure.objects.all()
    assert (row.profile_id, row.held, row.exposed_at, row.crossed) == (ada.id, True, now - DAY, True)
    erasing.erase(ada, now=now)  # a side that is nobody's counts on (ER-01)
    (row,) = Exposure.objects.all()
    assert (row.profile_id, row.held, row.crossed) == (None, True, True)


def test_ex_05_there_is_one_holdout_at_a_time_with_a_salt_of_its_own(holdout: Holdout, now: datetime) -> None:
    with pytest.raises(Conflict, match="The holdout 2026-q4 is on"):
        periods.start("2027-q1", now=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        Holdout.objects.create(period="other", percent=5, salt="x", started_at=now)
    periods.end("2026-q4", now=now)
    with pytest.raises(Conflict, match="over already"):
        periods.end("2026-q4", now=now)
    with pytest.raises(Conflict, match="another name"):
        periods.start("2026-q4", now=now)
    assert periods.start("2027-q1", now=now).salt != holdout.salt
    assert [entry.verb for entry in AuditEntry.objects.filter(kind="holdout").order_by("id")] == [
        "holdout.started", "holdout.ended", "holdout.started"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("period", "percent"), [("Q4 2026", 5), ("", 5), ("x", 0), ("x", 51), ("x", True), ("x" * 51, 5)]
)
def test_a_holdout_that_is_no_good_is_refused_with_a_sentence(
    db: None, period: str, percent: int, now: datetime
) -> None:
    with pytest.raises(Invalid):
        periods.start(period, percent, now=now)


def test_without_a_holdout_nobody_is_held_out(
    ada: Profile, write: Any, agree: Any, queue: Any, folder: Any, now: datetime
) -> None:
    write()
    agree(ada)
    message = queue(ada)
    dispatch.tick(now)
    assert state_of(message.id).state == "sent"
    assert not Exposure.objects.exists()
