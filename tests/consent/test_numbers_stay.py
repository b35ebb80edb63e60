"""Erasure takes people out of the house, and nobody out of its numbers."""

from datetime import datetime
from typing import Any

from django.db import connection

from journeys import audit, numbers
from journeys.models import Assignment, Bygone, Enrollment
from messaging.holdouts import periods
from messaging.holdouts.models import Exposure
from profiles import people
from tests.journeys.conftest import Stage, furnish, send, wait

GOAL = {"condition": {"kind": "event", "name": "bought"}, "within": {"days": 14}, "exit": False}
SPLIT = {
    "key": "test",
    "kind": "split",
    "arms": [
        {"key": "a", "weight": 50, "steps": [send("a_hello")]},
        {"key": "b", "weight": 50, "steps": [send("b_hello", "nudge")]},
    ],
}


def counts() -> Any:
    """Of splits and holdouts, as whoever judges an experiment counts them."""
    return (
        sorted(Assignment.objects.values_list("journey", "step", "arm", "at")),
        sorted(Exposure.objects.values_list("holdout__period", "held", "exposed_at")),
    )


def test_ER01_numbers_of_past_experiments_are_the_same_after_an_erasure(
    db: None, now: datetime, person: Any, tmp_path: Any, settings: Any
) -> None:
    settings.ERASURE_JOURNAL = tmp_path / "erasures.jsonl"
    furnish(now)
    stage = Stage(now)
    journey = stage.journey(SPLIT, wait("pause"), goal=GOAL)
    periods.start("2026-q4", 50, now=now)
    everybody = [person(f"p{n}", email=f"p{n}@example.com") for n in range(8)]
    periods.remember({one.pk: n % 2 == 0 for n, one in enumerate(everybody)}, now=now)
    for one in everybody:
        stage.does(one, "signed_up")
    stage.go_on(hours=1)
    for one in everybody[:4]:
        stage.does(one, "bought")
    stage.go_on(days=3)
    late = person("late", email="late@example.com")
    stage.does(late, "signed_up")
    stage.rest()
    before, of_chance = numbers.of(journey), counts()
    assert (before.completed, before.active, before.converted) == (8, 1, 4)
    assert len(of_chance[0]) == 9 and len(of_chance[1]) == 8

    for one in everybody[::2]:
        people.erase(one, now=stage.now)
    assert numbers.of(journey) == before
    assert numbers.totals([journey.pk])[journey.pk] == numbers.Totals(active=1, completed=8, converted=4)
    # Whoever was on the way when they were erased is there no more: they have left where they stood.
    people.erase(late, now=stage.now)
    after = numbers.of(journey)
    assert (after.entered, after.active, after.exited, after.converted) == (9, 0, 1, 4)
    assert (after.step("pause").reached, after.step("pause").left) == (before.step("pause").reached, 1)
    assert after.arm("test", "a") == before.arm("test", "a") and after.arm("test", "b") == before.arm("test", "b")
    assert counts() == of_chance
    assert Enrollment.objects.count() == 4
    assert Assignment.objects.filter(profile=None).count() == 5 and Exposure.objects.filter(profile=None).count() == 4
    assert audit.breaches(stage.now) == []
    numbers.settle(stage.now)
    assert numbers.of(journey) == after and audit.breaches(stage.now) == []
    with connection.cursor() as cursor:  # what is kept is numbers, and leads to nobody
        cursor.execute("SELECT string_agg(b::text, ' ') FROM journeys_bygone b")
        (text,) = cursor.fetchone()
    assert not [one for one in (*everybody, late) if str(one.pk) in text or str(one.external_id) in text.split(",")]
    Bygone.objects.filter(what="passed").first().delete()  # type: ignore[union-attr]
    assert audit.breaches(stage.now) == ["The numbers of the journey onboarding are not what counting gives."]


def test_ER01_whoever_comes_back_is_drawn_anew_and_counts_as_somebody_else(
    db: None, now: datetime, person: Any, tmp_path: Any, settings: Any
) -> None:
    settings.ERASURE_JOURNAL = tmp_path / "erasures.jsonl"
    furnish(now)
    stage = Stage(now)
    journey = stage.journey(SPLIT, wait("pause"))
    one = person("one")
    stage.does(one, "signed_up")
    stage.rest()
    people.erase(one, now=stage.now)
    again = person("one-again")
    stage.does(again, "signed_up")
    stage.rest()
    assert numbers.of(journey).entered == 2
    assert Assignment.objects.filter(profile=again).count() == 1 and Assignment.objects.count() == 2
