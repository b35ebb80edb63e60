"""What the list says of each segment: how it moved, who uses it, and what looks wrong."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from profiles.models import EventType, Profile
from segments import definitions
from segments.editor import health
from segments.editor.charting import chart
from segments.editor.health import Health
from segments.models import Membership, MembershipChange, Segment

pytestmark = pytest.mark.django_db
MONTH = timedelta(days=30)


def of(segment: Segment, now: datetime) -> Health:
    return health.of([Segment.objects.get(pk=segment.pk)], now)[segment.pk]


def words(segment: Segment, now: datetime) -> list[str]:
    return [word for word, _ in of(segment, now).flags]


@pytest.fixture
def crowd(person: Callable[..., Profile]) -> list[Profile]:
    return [person(f"p{n}", attributes={"n": n}) for n in range(24)]


def up_to(n: int) -> dict[str, Any]:
    return {"kind": "attribute", "name": "n", "op": "lt", "value": n}


def test_what_nobody_uses_and_nobody_is_in_is_said(now: datetime) -> None:
    segment = definitions.save("a", definition={"any": []}, status="live", now=now)
    assert words(segment, now) == ["Empty", "Unused"]
    definitions.save("b", name="User of it", definition={"kind": "segment", "slug": "a"}, now=now)
    assert of(segment, now).used_by == ["Segment “User of it” uses it"]
    assert words(segment, now) == ["Empty"]
    assert words(definitions.save("c", definition={"any": []}, now=now), now) == []  # a draft


def test_an_event_that_has_gone_quiet_is_said(ada: Profile, now: datetime) -> None:
    done = {"any": [{"kind": "event", "name": "signed_up"}, {"all": []}]}
    segment = definitions.save("a", definition=done, status="live", now=now)
    assert of(segment, now).flags[0] == ("Quiet", "Nobody has ever done “Signed up”, which it relies on.")
    row = EventType.objects.create(name="signed_up", first_seen_at=now - MONTH, last_seen_at=now - timedelta(days=9))
    assert of(segment, now).flags[0][0] == "Quiet"
    EventType.objects.filter(pk=row.pk).update(last_seen_at=now - timedelta(days=1))
    assert words(segment, now) == ["Unused"]


def test_a_size_that_moves_by_more_than_half_in_a_week_is_said(crowd: list[Profile], now: datetime) -> None:
    segment = definitions.save("a", definition=up_to(12), status="live", now=now - MONTH)
    assert "Moved" not in words(segment, now)
    definitions.save("a", definition=up_to(24), now=now - timedelta(days=1))
    assert ("Moved", "In a week it went from 12 to 24 people.") in of(segment, now).flags
    assert (of(segment, now).came, of(segment, now).went) == (12, 0)


def test_nearly_the_same_people_in_another_are_said(crowd: list[Profile], now: datetime) -> None:
    many = definitions.save("many", name="Many", definition=up_to(20), status="live", now=now)
    definitions.save("more", name="More", definition=up_to(21), status="live", now=now)
    few = definitions.save("few", name="Few", definition=up_to(10), status="live", now=now)
    assert ("Overlaps", "Of its people, 100% are in “More” too.") in of(many, now).flags
    assert "Overlaps" not in words(few, now)  # a small part of larger ones
    assert health.overlaps([Segment.objects.get(pk=few.pk)])[few.pk] == [("Many", 1.0, 0.5), ("More", 1.0, 10 / 21)]


def test_the_size_over_time_is_worked_back_from_today(crowd: list[Profile], now: datetime) -> None:
    segment = definitions.save("a", definition=up_to(12), status="live", now=now - timedelta(days=5))
    definitions.save("a", definition=up_to(20), now=now - timedelta(days=2))
    definitions.save("a", definition=up_to(4), now=now - timedelta(days=1))
    drawn = chart(segment, Membership.objects.filter(segment=segment).count(), now)
    assert [day.size for day in drawn.days] == [0, 12, 12, 12, 20, 4, 4]
    assert drawn.said == "In 7 days it grew from 0 to 4 people; it was largest at 20."
    assert len(drawn.line.split()) == 7 and MembershipChange.objects.filter(segment=segment).count() == 36
