"""What comes late starts no journey, and what comes while a run is under way happened before it is looked at."""

from datetime import timedelta
from typing import Any

import pytest

from journeys import engine
from journeys.models import Enrollment
from segments import definitions
from segments.models import Membership
from tests.journeys.conftest import Stage, leave, wait
from tests.profiles.told import ago, given, identify, somebody, track

JEV = {"kind": "event", "name": "jev"}
PRO = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}


@pytest.mark.parametrize("trigger", [{"kind": "segment_entered", "slug": "moved"}, JEV])
@pytest.mark.parametrize("order", [1, -1])
def test_a_late_event_enrolls_nobody_though_something_fresh_comes_with_it(
    stage: Stage, trigger: dict[str, Any], order: int
) -> None:
    now = stage.now
    definitions.save("moved", definition=JEV, status="live", now=now)
    stage.journey(wait("pause"), trigger=trigger)
    given(*[track("jev", userId="j", timestamp=ago(now, hours=25)), track("unrelated", userId="j")][::order], now=now)
    stage.rest()
    assert Membership.objects.get().profile == somebody("j")
    assert not Enrollment.objects.exists()
    given(track("jev", userId="k"), track("unrelated", userId="k"), now=now)
    stage.rest()
    assert Enrollment.objects.get().profile == somebody("k")


def test_nor_does_a_historical_value(stage: Stage) -> None:
    definitions.save("pros", definition=PRO, status="live", now=stage.now)
    stage.journey(wait("pause"), trigger={"kind": "segment_entered", "slug": "pros"})
    given(identify(userId="j", traits={"plan": "pro"}, historical=True), track("unrelated", userId="j"), now=stage.now)
    stage.rest()
    assert Membership.objects.count() == 1
    assert not Enrollment.objects.exists()


def test_who_enters_by_what_came_while_the_run_was_under_way_enters_after_it(stage: Stage) -> None:
    """Else the event that starts the journey would also be one that was done since."""
    stage.journey(wait("pause"), leave("out"), trigger=JEV, goal={"condition": JEV, "exit": True})
    began, came = stage.now, stage.now + timedelta(seconds=40)
    given(track("jev", userId="j"), now=came)
    engine.react(began)
    enrollment = Enrollment.objects.get()
    assert (enrollment.entered_at, enrollment.converted_at) == (came, None)
    given(track("jev", userId="j"), now=came + timedelta(seconds=5))
    engine.react(began)
    enrollment.refresh_from_db()
    assert enrollment.converted_at is not None
