"""The auditor: silent when all is well, and it finds each thing that is not."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command

from journeys import audit, publishing
from journeys.models import Attempt, Enrollment, Transition
from messaging.models import Message
from profiles.models import Event, Profile
from tests.journeys.conftest import Stage, branch, leave, send, wait

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2027, 1, 1, tzinfo=UTC)
FEATURE = {"kind": "event", "name": "feature_used"}


def _message(**fields: Any) -> None:
    Message.objects.filter(step="help").update(**fields)


@pytest.fixture
def played(stage: Stage, ada: Profile, ben: Profile, cleo: Profile) -> Stage:
    """One who completed, one who was taken off, one who waits; and a change of the journey on the way."""
    steps = [send("hello"), wait("pause", days=2), branch("active", FEATURE, [leave("done")], [send("help", "nudge")])]
    stage.journey(*steps, exit={"kind": "event", "name": "closed"})
    for person in (ada, ben):
        stage.does(person, "signed_up")
    stage.rest()
    stage.journey(*steps, send("more"), exit={"kind": "event", "name": "closed"})
    stage.go_on(hours=1)
    stage.does(ben, "closed")
    stage.go_on(days=2)
    stage.does("carl", "signed_up")
    stage.rest()
    return stage


def test_all_is_well_after_a_play(played: Stage) -> None:
    assert sorted(Enrollment.objects.values_list("state", flat=True)) == ["active", "completed", "exited"]
    assert audit.breaches(played.now) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda: Transition.objects.filter(step="pause", answer="advance").delete(), "went from pause"),
        (lambda: Transition.objects.filter(answer="entered").delete(), "entered 0 times"),
        (lambda: Transition.objects.filter(answer="advance", step="active").update(arm="yes"), "went from active"),
        (lambda: Message.objects.filter(step="help").delete(), "never queued"),
        (lambda: Transition.objects.filter(kind="message", step="hello").update(kind="wait"), "never passed"),
        (lambda: Enrollment.objects.filter(state="active").update(step="moon"), "does not have"),
        (lambda: Enrollment.objects.filter(state="active").update(attempts=9), "tried 9 times"),
        (lambda: Enrollment.objects.filter(state="exited").update(reason=""), "without a reason"),
        (lambda: Transition.objects.filter(step="help").update(enrollment=uuid4()), "line of help is left"),
        (lambda: Attempt.objects.create(enrollments=[uuid4()], at=LONG_AGO), "in the hands of a worker"),
        (lambda: _message(state="sending", sending_at=LONG_AGO), "is being sent since"),
        (lambda: _message(state="failed", ended_at=LONG_AGO), "is failed without a reason"),
        (lambda: _message(state="unknown", ended_at=LONG_AGO), "is unknown without a reason"),
        (lambda: _message(state="sent", sending_at=LONG_AGO), "and queued at"),
        (lambda: _message(state="sent", sending_at=LATER, sent_at=LATER), "was stale since"),
        (lambda: Event.objects.filter(type__name="$journey_exited").delete(), "no event $journey_exited"),
    ],
)
def test_it_finds_what_is_not(played: Stage, change: Any, said: str) -> None:
    change()
    assert any(said in sentence for sentence in audit.breaches(played.now)), audit.breaches(played.now)


def test_it_finds_who_is_held_up_but_not_in_a_paused_journey(played: Stage) -> None:
    late = played.now + timedelta(days=3)
    assert any("should have gone on" in sentence for sentence in audit.breaches(late))
    publishing.pause("onboarding", now=played.now)
    assert audit.breaches(late) == []


def test_the_command_ends_with_one_where_something_is_wrong(played: Stage, monkeypatch: Any) -> None:
    monkeypatch.setattr("foundation.clock.now", lambda: played.now)
    out, err = StringIO(), StringIO()
    call_command("audit", stdout=out)
    assert "All is well" in out.getvalue()
    Message.objects.all().delete()
    with pytest.raises(SystemExit) as ended:
        call_command("audit", stdout=out, stderr=err)
    assert ended.value.code == 1
    assert "never queued" in err.getvalue()
