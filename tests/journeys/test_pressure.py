"""How often people would hear from us with a draft, set beside how often they do."""

from datetime import timedelta
from typing import Any

import pytest

from journeys import backtesting, pressure
from messaging.models import Message, Template
from profiles.models import Profile
from tests.journeys.conftest import Person, Stage, send, wait
from tests.journeys.test_backtesting import document

DAYS = 14


@pytest.fixture
def past(stage: Stage, person: Person) -> Stage:
    """p0 was sent four by others in two weeks, p1 two by this journey, p2 nothing; p0 and p2 sign up."""
    template = Template.objects.get(slug="hello")

    def sent(name: str, number: int, journey: str, state: str = "sent") -> None:
        for n in range(number):
            at = stage.now - timedelta(days=n + 1)
            Message.objects.create(
                idempotency_key=f"{name}{journey}{state}{n}", profile=Profile.objects.get(external_id=name),
                channel="email", topic=template.topic, template=template, journey=journey, state=state,
                due_at=at, queued_at=at, sending_at=at,
            )  # fmt: skip

    for name in ("p0", "p1", "p2"):
        person(name)
    sent("p0", 4, "")
    sent("p0", 3, "", "suppressed")
    sent("p1", 2, "onboarding")
    end = stage.now
    for name in ("p0", "p2"):
        stage.now = end - timedelta(days=5)
        stage.does(name, "signed_up")
    stage.now = end
    return stage


def test_a_draft_adds_to_what_others_send_and_takes_the_place_of_what_it_was(past: Stage) -> None:
    found = backtesting.backtest(
        "onboarding", document(send("hello"), wait("pause", days=1), send("tips")), days=DAYS, now=past.now
    )
    told = pressure.forecast("onboarding", found)
    assert (told.now, told.most_now) == (1.5, 2.0)  # p0: 2 a week, p1: 1
    assert (told.then, told.most_then) == (2.0, 3.0)  # p0: 3 a week, p2: 1, and p1 none any more
    assert told.people == 3
    bands: dict[str, Any] = {one.name: (one.now, one.then) for one in told.bands}
    assert bands == {
        "Up to 1 a week": (1, 1),
        "Up to 2 a week": (1, 0),
        "Up to 3 a week": (0, 1),
        "Up to 5 a week": (0, 0),
        "More than 5 a week": (0, 0),
    }


def test_where_nobody_hears_from_us_there_is_no_pressure(stage: Stage) -> None:
    found = backtesting.backtest("onboarding", document(send("hello")), days=DAYS, now=stage.now)
    told = pressure.forecast("onboarding", found)
    assert (told.now, told.then, told.people) == (0.0, 0.0, 0)
