"""How receivers take our mail: too much marked as spam stops what can wait there, and nothing else (CO-19)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from messaging import dispatch, lanes, outcomes
from messaging.delivery import Accepted
from messaging.domains import health
from messaging.domains.models import MailDay
from messaging.models import Lane, Message, Template
from profiles.models import Profile
from staff.models import AuditEntry
from tests.messaging.sink import Sink

DAY = timedelta(days=1)


@pytest.fixture
def sent(write: Callable[..., Template], ada: Profile) -> Callable[..., None]:
    """So many mails went to a receiver, of which the first so many were marked as spam."""
    template = write()

    def make(n: int, spam: int, at: datetime, domain: str = "gmail.com") -> None:
        messages = [
            Message(
                id=uuid4(), idempotency_key=f"test:{uuid4()}", profile=ada, channel="email", topic=template.topic,
                template=template, state="sending", address=f"p{i}@{domain}", due_at=at, queued_at=at, sending_at=at,
                fence=1,
            )
            for i in range(n)
        ]  # fmt: skip
        Message.objects.bulk_create(messages)
        Message.objects.filter(id__in=[one.id for one in messages[:spam]]).update(state="complained", sent_at=at)
        health.count([one.address for one in messages], at)

    return make


def test_co_19_three_in_a_thousand_stop_what_can_wait_there_and_staff_open_it_again(
    sent: Any, write: Any, queue: Any, agree: Any, receipts: Any, person: Any, ada: Profile, sink: Sink,
    admin_client: Client, now: datetime,
) -> None:  # fmt: skip
    sent(1_000, 2, now - DAY)
    sent(1_000, 1, now - DAY, "outlook.com")
    assert health.tick(now) == 0  # below three in a thousand
    sent(1_000, 4, now)
    assert health.tick(now) == 1
    assert health.tick(now) == 0  # once

    write("paid", topic="receipts")
    gia = person("gia", email="gia@googlemail.com")  # the same receiver, under its other name
    agree(ada, gia)
    held, needed, elsewhere = queue(gia), queue(gia, "paid"), queue(ada)
    dispatch.tick(now)
    for one in (held, needed, elsewhere):
        one.refresh_from_db()
    assert (held.state, needed.state, elsewhere.state) == ("deferred", "sent", "sent")
    assert "Of 1,000 mails that gmail.com took on 24 November 2026, 4 were marked as spam (0.40%)" in held.reason
    assert "It goes on once staff open it again." in held.reason

    shown = admin_client.get(reverse("admin:messaging_senderdomain_health")).content.decode()
    assert "What can wait is stopped to gmail.com" in shown
    lane = Lane.objects.get(place="gmail.com", urgent=False)
    page = reverse("admin:messaging_lane_change", args=[lane.pk])
    assert page in shown
    assert "What can wait is stopped until somebody opens it" in admin_client.get(page).content.decode()
    admin_client.post(page, {"verb": "open"})
    lane.refresh_from_db()
    assert lane.stopped_at is None
    held.refresh_from_db()
    dispatch.tick(max(now, held.due_at))
    held.refresh_from_db()
    assert held.state == "sent"
    assert AuditEntry.objects.filter(verb__in=["lane.stopped", "lane.opened"]).count() == 2


def test_co_19_what_somebody_has_looked_at_stops_nothing_again_and_what_comes_after_does(
    sent: Any, settings: Any, now: datetime
) -> None:
    sent(400, 2, now)  # a share of 0.5 %, of two people
    assert health.tick(now) == 0
    sent(600, 3, now)
    settings.STOP_AT_COMPLAINTS = False
    assert health.tick(now) == 0  # operators may leave it to people
    settings.STOP_AT_COMPLAINTS = True
    assert health.tick(now) == 1
    lanes.open_up(Lane.objects.get(place="gmail.com"), now=now)
    assert health.tick(now + DAY) == 0
    sent(1_000, 3, now + DAY)
    assert health.tick(now + DAY) == 1
    assert health.tick(now + 30 * DAY) == 0


def test_co_19_mails_are_counted_as_they_are_taken_by_receiver_and_day(sent: Any, now: datetime, settings: Any) -> None:
    settings.PROJECT_TIME_ZONE = "Pacific/Auckland"  # where it is eleven at night, and another day soon
    sent(2, 0, now)
    sent(3, 0, now + timedelta(hours=2), "googlemail.com")
    MailDay.objects.all().delete()
    messages = list(Message.objects.order_by("queued_at"))
    for part, at in ((messages[:2], now), (messages[2:], now + timedelta(hours=2))):
        outcomes.record({one.id: Accepted() for one in part}, {one.id: 1 for one in part}, at)
    counted = MailDay.objects.order_by("day").values_list("place", "sent")
    assert list(counted) == [("gmail.com", 2), ("gmail.com", 3)]
    outcomes.record({one.id: Accepted() for one in messages}, {one.id: 1 for one in messages}, now)
    assert sum(MailDay.objects.values_list("sent", flat=True)) == 5  # what is known is not counted twice
