"""Segments asked of everybody in one question: the answers of each alone, and one that fails holds back no other."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, transaction

from segments import definitions, sweep
from segments.conditions.trend import Trend
from segments.kinds import KINDS
from segments.models import Membership, Segment
from tests.segments.world import Done, Someone, did, settle, there

pytestmark = pytest.mark.django_db
WEEK = {"last": {"days": 7}}


def members() -> dict[str, set[UUID]]:
    found: dict[str, set[UUID]] = {}
    for slug, person in Membership.objects.values_list("segment__slug", "profile_id"):
        found.setdefault(slug, set()).add(person)
    return found


def various() -> list[Any]:
    """Each kind of condition, and counts that share a table or do not."""
    counted = [
        {"kind": "event", "name": name, "count": {"op": "gte", "value": n}, "window": WEEK}
        for name in ("a", "b", "*")
        for n in (1, 2, 3)
    ]
    examples = [there(kind.example) for kind in KINDS if kind.key != "segment"]
    return [*counted, *({"not": one} for one in counted), *examples]


def test_what_is_saved_together_holds_who_it_would_hold_alone(now: datetime) -> None:
    settle(Someone(events=[Done("a", now - timedelta(days=n))] * n, attributes={"plan": "trial"}) for n in range(4))
    settle([Someone(events=[Done("b", now), Done("report_exported", now)]), Someone()])
    asked = {f"s-{n}": definition for n, definition in enumerate(various())}
    # It stands before what it uses, which is read further on all the same.
    asked = {"user": {"not": {"kind": "segment", "slug": "s-0"}}, **asked}
    definitions.save("s-0", definition={"any": []}, now=now)
    with transaction.atomic():
        for slug, definition in asked.items():
            definitions.save(slug, definition=definition, status="live", now=now)
        alone = members()
        transaction.set_rollback(True)
    assert len(alone["user"]) == 3
    assert len(alone) > 10
    with definitions.together(now=now):
        for slug, definition in asked.items():
            definitions.save(slug, definition=definition, status="live", now=now)
        assert members() == {}
    assert members() == alone


def test_one_that_cannot_be_asked_holds_back_no_other(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    [ada] = settle([Someone(events=[Done("a", now)])])
    trend = {"kind": "trend", "name": "a", "window": {"days": 7}, "op": "falls_by", "percent": 50}
    counted = {"kind": "event", "name": "a"}

    def fail(*_: Any) -> Any:
        raise DatabaseError("no")

    with monkeypatch.context() as broken:
        broken.setattr(Trend, "answer", fail)
        with definitions.together(now=now):
            definitions.save("counted", definition=counted, status="live", now=now)
            definitions.save("trend", definition=trend, status="live", now=now)
        assert members() == {"counted": {ada.id}}
        Segment.objects.update(swept_at=None, unforeseen_since=None, flagged="")
        [ben] = settle([Someone()])
        did([(ben.id, Done("a", now))])  # behind everybody's back: the net finds it
        assert sweep.tick(now) == 1
    flagged = dict(Segment.objects.values_list("slug", "flagged"))
    assert flagged["counted"] == ""
    assert "could not be asked" in flagged["trend"]
