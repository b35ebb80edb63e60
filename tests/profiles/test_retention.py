from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from foundation import loops
from profiles import retention
from profiles.models import Claim, Merge, RejectedEvent, Tombstone

pytestmark = pytest.mark.django_db


def _rejected(received_at: datetime, replayed_at: datetime | None = None) -> RejectedEvent:
    return RejectedEvent.objects.create(
        received_at=received_at, source="x", position=0, reason="r", payload="{}", replayed_at=replayed_at
    )


def test_what_is_past_its_time_goes_and_the_rest_stays(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    day = timedelta(days=1)
    for age in (89, 90, 91, 92, 93, 94):
        Claim.objects.create(id=uuid4(), received_at=now - age * day)
        Tombstone.objects.create(digest=str(age), at=now - age * day)
    for age in (29, 31):
        Merge.objects.create(survivor_id=uuid4(), absorbed_id=uuid4(), at=now - age * day, reason="r", undo={"row": {}})
    kept = {_rejected(now - 364 * day), _rejected(now - 40 * day, now - 29 * day)}
    gone = {_rejected(now - 366 * day), _rejected(now - 40 * day, now - 31 * day)}
    assert retention.forget(now) == 4 + 5 + 1 + len(gone)
    assert Claim.objects.count() == 2
    assert list(Tombstone.objects.values_list("digest", flat=True)) == ["89"]
    assert list(Merge.objects.order_by("at").values_list("undo", flat=True)) == [None, {"row": {}}]
    assert set(RejectedEvent.objects.all()) == kept
    assert retention.forget(now) == 0


def test_both_loops_run_under_their_names(now: datetime) -> None:
    assert {"profiles.observe", "profiles.forget"} <= set(loops.names())
    assert loops.attempt("profiles.observe", now) == 0
    assert loops.attempt("profiles.forget", now) == 0
