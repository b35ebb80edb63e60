"""What is looked after: a journey that does harm pauses itself, and time alone ends what it may end."""

from datetime import timedelta
from typing import Any

import pytest

from journeys import audit, publishing, watching
from journeys.models import Journey
from messaging.models import Message
from profiles.models import Profile
from staff.models import AuditEntry
from tests.journeys.conftest import Person, Stage, send, wait
from tests.journeys.test_admin import page, signed_in, text


def said(stage: Stage, people: list[Profile], state: str) -> None:
    """These enter, and of their messages comes that."""
    for one in people:
        stage.does(one, "signed_up")
    stage.rest()
    Message.objects.filter(profile__in=people).update(state=state)


@pytest.mark.parametrize("state", ["failed", "bounced", "complained"])
def test_a_journey_pauses_itself_above_the_limit_and_says_why(
    stage: Stage, person: Person, settings: Any, state: str
) -> None:
    settings.JOURNEY_PAUSES_ABOVE = {"failed": 3, "bounced": 3, "complained": 3}
    stage.journey(send("hello"), wait("pause"))
    stage.journey(send("hello"), slug="other", trigger={"kind": "manual"})
    people = [person(f"p{n}") for n in range(8)]
    said(stage, people[:3], state)
    assert watching.tick(stage.now) == 0, "as many as the limit are not above it"
    said(stage, people[3:4], state)
    assert watching.tick(stage.now) == 1
    journey = Journey.objects.get(slug="onboarding")
    assert (journey.status, journey.paused_at) == ("paused", stage.now)
    assert journey.paused_because.startswith("Of its last 200 messages 4 ")
    assert Journey.objects.get(slug="other").status == "live"
    assert AuditEntry.objects.latest("id").summary == "The journey Onboarding paused itself."
    assert "It paused itself" in text(signed_in("publisher"), page(journey))
    assert watching.tick(stage.now) == 0
    stage.now += timedelta(minutes=5)
    publishing.resume("onboarding", now=stage.now)
    assert watching.tick(stage.now) == 0, "what went wrong before it was resumed does not count again"
    assert "paused itself" not in Journey.objects.get(slug="onboarding").paused_because


def test_a_journey_may_have_limits_of_its_own(stage: Stage, person: Person, settings: Any) -> None:
    settings.JOURNEY_PAUSES_ABOVE = {"failed": 100, "bounced": 1, "complained": 100}
    stage.journey(send("hello"), pauses_above={"bounced": 3, "failed": None})
    said(stage, [person(f"p{n}") for n in range(3)], "bounced")
    assert watching.tick(stage.now) == 0
    said(stage, [person("last")], "bounced")
    assert watching.tick(stage.now) == 1
    assert Journey.objects.get().paused_because == "Of its last 200 messages 4 bounced (more than 3)."


def test_only_the_last_messages_count(
    stage: Stage, person: Person, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.JOURNEY_PAUSES_ABOVE = {"failed": 1, "bounced": 1, "complained": 1}
    monkeypatch.setattr(watching, "LAST", 3)
    stage.journey(send("hello"))
    said(stage, [person("a"), person("b")], "bounced")
    stage.now += timedelta(minutes=1)
    said(stage, [person("c"), person("d")], "sent")
    assert watching.tick(stage.now) == 0


def test_goals_and_exits_that_time_brings_about_are_asked_in_between(
    stage: Stage, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SWEPT", 2)
    quiet = {"not": {"kind": "event", "name": "seen", "window": {"last": {"days": 3}}}}
    stage.journey(wait("long", days=60), exit={"all": [quiet, {"kind": "event", "name": "seen"}]})
    people = [person(f"p{n}") for n in range(5)]
    for one in people:
        stage.does(one, "signed_up")
    stage.now += timedelta(hours=1)
    for one in people:
        stage.does(one, "seen")
    stage.rest()
    assert watching.tick(stage.now) == 0
    stage.now += timedelta(days=2)
    assert watching.tick(stage.now) == 0
    stage.now += timedelta(days=2)
    assert watching.tick(stage.now) == 5
    assert {stage.enrollment(one).ended_by for one in people} == {"exit"}
    assert watching.tick(stage.now) == 0
    assert audit.breaches(stage.now) == []


def test_a_sweep_is_bounded_and_goes_on_where_it_stopped(
    stage: Stage, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SWEPT", 2)
    monkeypatch.setattr(watching, "_BATCHES", 1)
    gone = {"all": [{"kind": "event", "name": "seen"},
                    {"not": {"kind": "event", "name": "seen", "window": {"last": {"days": 1}}}}]}  # fmt: skip
    stage.journey(wait("long", days=60), exit=gone)
    people = [person(f"p{n}") for n in range(5)]
    for one in people:
        stage.does(one, "signed_up")
    stage.now += timedelta(hours=1)
    for one in people:
        stage.does(one, "seen")
    stage.rest()
    stage.now += timedelta(days=2)
    assert [watching.tick(stage.now) for _ in range(4)] == [2, 2, 1, 0]
