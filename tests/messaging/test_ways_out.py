"""The screens of the ways out: a pace is set and taken away, and a lane that is shut is opened."""

from datetime import datetime

import pytest
from django.test import Client
from django.urls import reverse

from foundation.admin import page_of
from messaging import lanes
from messaging.models import Lane, Pace
from staff.models import AuditEntry, User


@pytest.fixture
def olga(admin_user: User, client: Client) -> Client:
    client.force_login(admin_user)
    return client


def test_a_pace_is_set_changed_and_taken_away(olga: Client) -> None:
    new = reverse("admin:messaging_pace_add")
    wrong = olga.post(new, {"channel": "email", "place": "googlemail.com", "per_minute": "300", "warm_up": "50, many"})
    page = wrong.content.decode()
    assert "Enter a whole number." in page
    wrong = olga.post(new, {"channel": "email", "place": "googlemail.com", "per_minute": "300"})
    assert "This must be left empty, or be gmail.com, which takes in what goes there." in wrong.content.decode()

    olga.post(new, {"channel": "email", "place": "Gmail.com", "per_minute": "300"})
    pace = Pace.objects.get()
    assert lanes.sentence(pace) == "email to gmail.com: at most 300 messages a minute"
    fields = {"per_minute": "60", "warm_up": "50, 100", "warm_up_from": "2026-12-01"}
    olga.post(page_of(pace), fields)
    pace.refresh_from_db()
    assert (pace.place, pace.per_minute, pace.warm_up) == ("gmail.com", 60, [50, 100])
    olga.post(reverse("admin:messaging_pace_delete", args=[pace.pk]), {"post": "yes"})
    assert not Pace.objects.exists()
    assert list(AuditEntry.objects.order_by("id").values_list("verb", flat=True)) == [
        "pace.set",
        "pace.set",
        "pace.dropped",
    ]


def test_a_lane_that_is_shut_says_what_the_other_side_said_and_is_opened(olga: Client, now: datetime) -> None:
    lanes.trouble("email", "gmail.com", reason="550 5.7.1 Blocked.", now=now)
    lane = Lane.objects.get()
    page = olga.get(page_of(lane)).content.decode()
    assert "550 5.7.1 Blocked." in page and "Open it again" in page
    olga.post(page_of(lane), {"verb": "open"})
    lane.refresh_from_db()
    assert lane.shut_until is None
    assert AuditEntry.objects.get().summary == "Opened the way out by email to gmail.com again."
