"""Why somebody is on a journey, or not: what was checked, what was found, and the whole in a sentence."""

from datetime import timedelta
from typing import Any

import pytest

from journeys import explaining, publishing
from journeys.explaining import Explanation
from journeys.models import Journey
from profiles.models import Profile
from segments import definitions
from tests.api.conftest import client_with
from tests.journeys.conftest import Person, Stage, wait
from tests.journeys.test_admin import page, signed_in, text

PRO = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}


def told(stage: Stage, person: Profile, slug: str = "onboarding") -> Explanation:
    return explaining.explain(person, Journey.objects.get(slug=slug), now=stage.now)


def holding(told: Explanation) -> list[tuple[str, bool | None]]:
    return [(check.what, check.holds) for check in told.checks if not check.depth]


def test_of_somebody_who_entered_everything_that_was_asked_is_told(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause"), filter={"all": [PRO]}, reentry={"rule": "again"})
    stage.does(ada, "signed_up")
    stage.rest()
    found = told(stage, ada)
    assert found.entered and found.why.startswith("Entered on 24 Nov 2026")
    assert holding(found) == [
        ("The journey", True), ("What starts it", True), ("How often", False), ("Whoever enters", True),
        ("Entered", None),
    ]  # fmt: skip
    started = found.checks[1]
    assert (started.expected, started.at) == ("somebody does “Signed up”", stage.now)
    assert found.checks[2].found == "They are on the way already."


def test_of_somebody_who_was_kept_out_the_reason_is_told(stage: Stage, ben: Profile) -> None:
    stage.journey(wait("pause"), filter=PRO)
    stage.does(ben, "signed_up")
    stage.rest()
    found = told(stage, ben)
    assert not found.entered and "plan" in found.why.lower()
    assert holding(found)[-2:] == [("Whoever enters", False), ("Was kept out", None)]
    assert "trial" in next(check.found for check in found.checks if check.holds is False)


def test_what_did_not_start_it_is_told(stage: Stage, ada: Profile) -> None:
    where = [{"property": "plan", "op": "is", "value": "pro"}]
    stage.journey(wait("pause"), trigger={"kind": "event", "name": "paid", "where": where})
    assert told(stage, ada).why == "Did not enter: nothing of what starts it has happened."
    assert told(stage, ada).checks[1].found == "They never did it."
    stage.does(ada, "paid", plan="free")
    stage.rest()
    assert told(stage, ada).checks[1].found == "They did it 1 time, but not so."


def test_segments_dates_rules_and_hands_are_told(stage: Stage, person: Person) -> None:
    eve = person("eve", attributes={"plan": "pro", "renews_at": "2026-12-01"})
    segment = definitions.save("pro", definition=PRO, name="Pro", status="live", now=stage.now)
    definitions.refresh(segment, stage.now)
    triggers = [
        {"kind": "segment_entered", "slug": "pro"}, {"kind": "segment_left", "slug": "pro"},
        {"kind": "date", "attribute": "renews_at", "time": "09:00"},
        {"kind": "schedule", "segment": "pro", "cron": "0 9 * * 1"}, {"kind": "manual"}, {"kind": "api"},
    ]  # fmt: skip
    stage.journey(wait("pause"), trigger=triggers)
    stage.rest()
    found = [check.found for check in told(stage, eve).checks[1:7]]
    assert "which starts nothing" in found[0]
    assert found[1].startswith("They are")
    assert found[2].startswith("That is on 1 Dec 2026")
    assert found[3].startswith("They are in the segment; the next time is 30 Nov 2026")
    assert found[4:] == ["That has not happened.", "That has not happened."]


def test_a_draft_and_a_paused_journey_say_so(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause"), publish=False)
    assert told(stage, ada).why == "The journey was never published."
    publishing.publish("onboarding", now=stage.now)
    stage.does(ada, "other")
    publishing.pause("onboarding", now=stage.now)
    stage.now += timedelta(hours=1)
    stage.does(ada, "signed_up")
    stage.rest()
    found = told(stage, ada)
    assert "live" in found.why and ("Was kept out", None) in holding(found)


def test_staff_find_a_person_on_the_page_of_the_journey(stage: Stage, ada: Profile, ben: Profile) -> None:
    stage.journey(wait("pause"), filter=PRO)
    for one in (ada, ben):
        stage.does(one, "signed_up")
    stage.rest()
    client, here = signed_in("author"), page(Journey.objects.get())
    assert "Why is somebody on it" in text(client, here)
    assert "What was checked for Ben" in text(client, f"{here}?person=ben@example.com")
    assert "Entered on" in text(client, f"{here}?person=ada")
    assert "Nobody here has" in text(client, f"{here}?person=%00nobody")


@pytest.mark.parametrize("query", [{}, {"segment": "x", "journey": "y"}])
def test_programs_say_what_is_to_be_explained(ada: Profile, query: Any) -> None:
    assert client_with().get("/api/v1/profiles/ada/explain/", query).status_code == 400


def test_programs_ask_as_well(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause"))
    answer = client_with().get("/api/v1/profiles/ada/explain/", {"journey": "onboarding"})
    assert (answer.status_code, answer.json()["entered"]) == (200, False)
    assert [check["what"] for check in answer.json()["checks"]] == ["The journey", "What starts it", "How often"]
    assert client_with().get("/api/v1/profiles/ada/explain/", {"journey": "x"}).status_code == 404
