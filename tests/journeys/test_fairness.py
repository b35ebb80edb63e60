"""Who does something now does not wait behind an import or a launch, nor does that wait for ever."""

from collections.abc import Callable
from uuid import UUID

import pytest

from journeys import engine
from profiles import pulses
from profiles.models import Profile, Pulse
from tests.journeys.conftest import Stage, send


def test_a_crowd_holds_up_nobody_and_is_not_held_up_for_ever(
    stage: Stage, person: Callable[..., Profile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PEOPLE", 50)
    stage.journey(send("password"))
    crowd = [UUID(int=n) for n in range(1, 301)]
    pulses.touch(crowd, cause=Pulse.Cause.HISTORY, now=stage.now)
    step = engine._taking_turns()
    for n in range(8):  # somebody new each time: there is always one who came by themselves
        eve = person(f"eve {n}")
        stage.does(eve, "signed_up")
        step(stage.now)
    assert len(stage.messages(eve)) == 0, "a turn of the crowd"
    left = set(Pulse.objects.values_list("profile_id", flat=True))
    assert len(left & set(crowd)) == len(crowd) - 2 * 50
    while step(stage.now):
        pass
    assert not Pulse.objects.exists()
    assert len(stage.messages(eve)) == 1


def test_what_somebody_does_now_is_looked_at_before_what_was_imported(stage: Stage, ada: Profile) -> None:
    stage.journey(send("password"))
    crowd = [UUID(int=n) for n in range(1, 3_001)]
    pulses.touch(crowd, cause=Pulse.Cause.HISTORY, now=stage.now)
    stage.does(ada, "signed_up")
    engine._taking_turns()(stage.now)
    assert len(stage.messages(ada)) == 1
    assert Pulse.objects.filter(crowd=True).count() == len(crowd)
