from datetime import datetime, timedelta
from typing import Any

import pytest

from profiles import catalogue, ingest, rejected
from profiles.ingest import Trust
from profiles.models import Event, EventType, Profile, RejectedEvent
from staff.models import AuditEntry

pytestmark = pytest.mark.django_db


def _send(now: datetime, *items: dict[str, Any], trust: Trust = Trust.SERVER) -> ingest.Receipt:
    return ingest.take(list(items), source="key Website", trust=trust, now=now)


@pytest.fixture
def blocked(now: datetime) -> RejectedEvent:
    """A call that was refused since its event is blocked; it came with a clock that ran an hour fast."""
    _send(now, {"type": "track", "userId": "ada", "event": "x"})
    catalogue.block(EventType.objects.get(), now=now)
    stamps = {"timestamp": (now + timedelta(minutes=50)).isoformat(), "sentAt": (now + timedelta(hours=1)).isoformat()}
    _send(now, {"type": "track", "userId": "ada", "event": "x", "messageId": "m", "properties": {"n": 7}, **stamps})
    return RejectedEvent.objects.get()


def test_what_was_refused_is_taken_after_its_cause_is_mended(blocked: RejectedEvent, now: datetime) -> None:
    later = now + timedelta(days=3)
    catalogue.approve(EventType.objects.get(), now=later)
    assert rejected.replay([blocked.pk], now=later) == rejected.Outcome(1, {})
    event = Event.objects.get(message_id="m")
    assert event.properties == {"n": 7}
    assert event.occurred_at == now - timedelta(minutes=10), "its clock is corrected by when it first came"
    blocked.refresh_from_db()
    assert blocked.replayed_at == later
    entry = AuditEntry.objects.get(verb="try again")
    assert (entry.target, entry.summary) == (str(blocked.pk), "Tried 1 refused call again: 1 taken.")


def test_what_was_taken_is_not_taken_twice(blocked: RejectedEvent, now: datetime) -> None:
    catalogue.approve(EventType.objects.get(), now=now)
    rejected.replay([blocked.pk], now=now)
    assert rejected.replay([blocked.pk], now=now) == rejected.Outcome(0, {})
    assert Event.objects.filter(message_id="m").count() == 1


def test_what_is_refused_again_stays_once_with_the_reason_of_today(blocked: RejectedEvent, now: datetime) -> None:
    catalogue.approve(EventType.objects.get(), now=now)
    catalogue.describe(EventType.objects.get(), required=["plan"], now=now)
    outcome = rejected.replay([blocked.pk], now=now)
    assert outcome.taken == 0 and "must have plan" in outcome.refused[blocked.pk]
    row = RejectedEvent.objects.get()
    assert row.replayed_at is None and "must have plan" in row.reason


def test_one_that_is_refused_again_holds_up_no_other(now: datetime) -> None:
    _send(now, {"type": "track", "userId": "ada", "event": "$x"}, {"type": "nonsense"}, {"type": "track", "event": "y"})
    RejectedEvent.objects.filter(name="$x").update(payload='{"type":"track","userId":"ada","event":"x"}')
    ids = list(RejectedEvent.objects.values_list("pk", flat=True))
    outcome = rejected.replay(ids, now=now)
    assert (outcome.taken, len(outcome.refused)) == (1, 2)
    assert Event.objects.get().type.name == "x"
    assert RejectedEvent.objects.count() == 3


@pytest.mark.parametrize(
    "payload", ["[]", "7", '"text"', "no JSON", "", "[" * 100_000, '{"type":"track","userId":"\\ud800","event":"x"}']
)
def test_JS01_a_payload_that_can_never_be_taken_is_refused_in_words(payload: str, now: datetime) -> None:
    row = RejectedEvent.objects.create(received_at=now, source="x", position=0, reason="Old.", payload=payload)
    outcome = rejected.replay([row.pk], now=now)
    assert outcome.taken == 0 and outcome.refused[row.pk] not in ("", "Old.")
    assert RejectedEvent.objects.count() == 1


def test_what_a_browser_could_not_say_is_said_once_staff_vouch_for_it(now: datetime) -> None:
    _send(now, {"type": "track", "userId": "ada", "event": "x"})
    _send(now, {"type": "identify", "userId": "ada", "traits": {"email": "ada@example.com"}}, trust=Trust.BROWSER)
    assert Profile.objects.get().email is None
    assert rejected.replay([RejectedEvent.objects.get().pk], now=now).taken == 1
    assert Profile.objects.get().email == "ada@example.com"
