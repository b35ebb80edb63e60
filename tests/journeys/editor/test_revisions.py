"""Drafts edit by edit: two people at one journey, taking back, and what is changed from elsewhere."""

from datetime import datetime
from typing import Any

import pytest

from foundation.errors import Conflict, Invalid
from journeys import publishing
from journeys.editor import edits, revisions, shape
from journeys.editor.edits import Change, Delete, Insert, Set
from journeys.editor.revisions import Overtaken
from journeys.editor.shape import Gap
from journeys.models import Journey
from staff.actors import acting_as
from staff.models import AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def journey(now: datetime) -> Journey:
    return publishing.begin("welcome", name="Welcome", document=shape.empty(), now=now)


def put_in(kind: str, at: str, journey: Journey, now: datetime, upon: int = 10_000) -> str:
    document = revisions.head(journey, now=now).document
    step = edits.begun(kind, shape.keys(document))
    revisions.do(journey.slug, Insert(Gap.read(at), [step]), upon=upon, now=now)
    return str(step["key"])


def keys(journey: Journey) -> list[str]:
    draft = publishing.draft_of(journey)
    return [spot.step["key"] for spot in shape.walk(draft.document)] if draft else []


def test_an_unfinished_draft_is_kept_and_told_and_not_published(journey: Journey, now: datetime) -> None:
    with acting_as("user:ada"):
        put_in("wait", "in:", journey, now)
        put_in("message", "after:wait", journey, now)
    assert keys(journey) == ["wait", "message"]
    row = journey.revisions.order_by("-number")[0]
    assert (row.what, row.author) == ("Put in “Send a message …”.", "user:ada")
    assert AuditEntry.objects.filter(kind="journey", verb="change", actor="user:ada").count() == 2
    with pytest.raises(Invalid, match=r"steps\[1\].template"):
        publishing.publish("welcome", now=now)


def test_what_two_people_do_to_different_steps_is_brought_together(journey: Journey, now: datetime) -> None:
    put_in("wait", "in:", journey, now)
    put_in("exit", "after:wait", journey, now)
    upon = revisions.head(journey, now=now).number
    with acting_as("user:ada"):
        revisions.do("welcome", Change("wait", {"for": {"days": 3}}), upon=upon, now=now)
    with acting_as("user:ben"):
        outcome = revisions.do("welcome", Change("exit", {"reason": "Done"}), upon=upon, now=now)
    assert outcome.merged
    draft = publishing.draft_of(journey)
    assert draft is not None
    assert [step.get("for") or step.get("reason") for step in draft.document["steps"]] == [{"days": 3}, "Done"]


def test_who_changes_the_same_step_sees_both_and_may_insist(journey: Journey, now: datetime) -> None:
    put_in("wait", "in:", journey, now)
    upon = revisions.head(journey, now=now).number
    with acting_as("user:ada"):
        revisions.do("welcome", Change("wait", {"for": {"days": 3}}), upon=upon, now=now)
    mine = Change("wait", {"for": {"days": 9}})
    with acting_as("user:ben"):
        with pytest.raises(Overtaken, match="ada changed the same meanwhile") as refused:
            revisions.do("welcome", mine, upon=upon, now=now)
        assert refused.value.clashes == ["wait"]
        assert shape.find(refused.value.mine, "wait").step["for"] == {"days": 9}
        assert shape.find(refused.value.theirs.document, "wait").step["for"] == {"days": 3}
        revisions.do("welcome", mine, upon=upon, insist=True, now=now)
    draft = publishing.draft_of(journey)
    assert draft is not None and draft.document["steps"][0]["for"] == {"days": 9}


def test_each_takes_back_what_they_did_themselves_and_does_it_again(journey: Journey, now: datetime) -> None:
    with acting_as("user:ada"):
        put_in("wait", "in:", journey, now)
        put_in("exit", "after:wait", journey, now)
    with acting_as("user:ben"):
        put_in("update", "after:wait", journey, now)
        assert revisions.ways(journey).redo is None
    with acting_as("user:ada"):
        revisions.undo("welcome", now=now)
        assert keys(journey) == ["wait", "update"]
        revisions.redo("welcome", now=now)
        assert keys(journey) == ["wait", "update", "exit"]
    with acting_as("user:ben"):
        revisions.undo("welcome", now=now)
        with pytest.raises(Conflict, match="nothing to take back"):
            revisions.undo("welcome", now=now)


def test_what_is_taken_back_again_and_again_comes_back_the_same(journey: Journey, now: datetime) -> None:
    states: list[Any] = [revisions.head(journey, now=now).document]
    with acting_as("user:ada"):
        done: list[edits.Edit] = [
            Insert(Gap(), [edits.begun("branch", set())]),
            Insert(Gap(list="branch/yes"), [edits.begun("wait", set())]),
            Set("exit", {"kind": "event", "name": "account_closed"}),
            Delete("branch"),
        ]
        states += [revisions.do("welcome", edit, upon=10_000, now=now).head.document for edit in done]
        for state in reversed(states[:-1]):
            assert revisions.undo("welcome", now=now).head.document == state
        for state in states[1:]:
            assert revisions.redo("welcome", now=now).head.document == state


def test_a_change_over_the_api_becomes_a_revision_of_its_own(journey: Journey, now: datetime) -> None:
    put_in("wait", "in:", journey, now)
    document = {
        "entry": {"trigger": {"kind": "event", "name": "signed_up"}},
        "steps": [{"key": "bye", "kind": "exit"}],
    }
    with acting_as("key:Website"):
        publishing.save("welcome", name="Welcome", document=document, now=now)
    head = revisions.head(journey, now=now)
    assert (head.document, head.kind, revisions.person(head.author)) == (document, "found", "The key Website")
    publishing.publish("welcome", now=now)
    assert revisions.head(journey, now=now).number == head.number
    journey.refresh_from_db()
    assert put_in("wait", "in:", journey, now) == "wait"
    revisions.undo("welcome", now=now)
    assert publishing.draft_of(journey) is None  # it says what is published again
