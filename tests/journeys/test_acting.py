"""Steps that do something beyond the journey: set values, start another journey, give work to people."""

from datetime import timedelta
from typing import Any

import pytest

from foundation.errors import Invalid
from journeys import audit
from profiles import people
from profiles.models import Profile
from tests.journeys.conftest import Stage, branch, send, wait


# ── Values ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def update(key: str = "set", **values: Any) -> dict[str, Any]:
    return {"key": key, "kind": "update", "set": values}


def test_values_are_set_for_whoever_comes_by_and_are_seen_at_once(stage: Stage, ada: Profile, ben: Profile) -> None:
    onboarded = {"kind": "attribute", "name": "stage", "op": "is", "value": "onboarded"}
    stage.journey(update(stage="onboarded", plan=None), branch("so", onboarded, [send("yes")], [send("no")]))
    for one in (ada, ben):
        stage.does(one, "signed_up")
    stage.rest()
    for one in (ada, ben):
        one.refresh_from_db()
        assert one.attributes == {"stage": "onboarded"}
        assert stage.messages(one) == [("yes", "queued")]
    assert audit.breaches(stage.now) == []


def test_a_value_that_came_about_later_stays(stage: Stage, ada: Profile) -> None:
    stage.journey(wait("pause", hours=1), update(plan="free"))
    stage.does(ada, "signed_up")
    stage.rest()
    people.patch("ada", {"attributes": {"plan": "team"}}, now=stage.now + timedelta(hours=3))
    stage.go_on(hours=2)
    ada.refresh_from_db()
    assert (ada.attributes["plan"], stage.enrollment(ada).state) == ("team", "completed")


@pytest.mark.parametrize(
    ("values", "path"),
    [({"email": 7}, "set.email"), ({"$a": 1}, "set"), ({}, "set"), ({"a": "\x00"}, "set.a"), ({"": 1}, "set")],
)
def test_values_that_cannot_be_set_are_named(stage: Stage, values: Any, path: str) -> None:
    with pytest.raises(Invalid) as refusal:
        stage.journey({"key": "set", "kind": "update", "set": values})
    assert [problem.path for problem in refusal.value.problems] == [f"document.steps[0].{path}"]
