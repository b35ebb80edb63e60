"""The figures of the home page and of the summary, against what was made here by hand."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from foundation import standstill
from insights import backlog, overview, summary
from journeys import engine, publishing
from playbooks import files, installing
from profiles import ingest
from segments import definitions, sweep
from staff.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(now: datetime) -> None:
    """A shop with three people: one ordered five times, one once, one is anonymous; one item is refused."""
    installing.install(files.load("music-shop"), now=now)
    items = [_order("ada", n) for n in range(5)] + [_order("ben", 9), {"type": "track", "event": "looked"}]
    items.append({"type": "track", "anonymousId": "x", "event": "looked"})
    ingest.take(items, source="key:Shop", trust=ingest.Trust.SERVER, now=now)
    engine.react(now)
    sweep.tick(now)


def _order(user: str, n: int) -> dict[str, object]:
    properties = {"quantity": n, "value": n * 2.5}
    return {
        "type": "track",
        "userId": user,
        "event": "order_completed",
        "messageId": f"{user}-{n}",
        "properties": properties,
    }


def test_the_summary_counts_what_is_there(shop: None):
    assert summary.people() == (3, 1, 0)
    assert summary.events() == [("order_completed", 6), ("looked", 1)]
    assert summary.events_in_rollup() == 7
    assert [n for _, n in summary.rejected()] == [1]
    sizes = {name: size for name, size, _ in summary.segments()}
    assert (sizes["Music customers"], sizes["Loyal customers"]) == (2, 1)
    after = next(one for one in summary.journeys() if one.name == "After an order")
    assert (after.entered, after.on_the_way, after.completed, after.left, after.failed) == (2, 2, 0, 0, 0)
    assert sum(one.number for one in summary.messages()) == 2


def test_a_quiet_house_has_no_backlog_and_work_shows_by_its_kind(shop: None, now: datetime):
    assert not backlog.waiting(now - timedelta(days=1))
    found = backlog.waiting(now)
    assert (found.pulses, found.enrollments, found.messages, found.sending) == (0, 0, 2, 0)
    later = backlog.waiting(now + timedelta(days=8))
    assert later.enrollments == 2
    assert "2 steps" in str(later)
    assert not later.is_sending_alone


def test_the_home_page_shows_each_role_what_it_may_view(shop: None):
    def sees(role: str) -> list[str]:
        user = User.objects.create_user(role.replace(" ", "-"), is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        return [part.title for part in overview.parts(user)]

    assert sees("owner") == ["Now", "Needs a look", "Segments", "Journeys"]
    assert sees("developer") == ["Segments", "Journeys"]


def test_what_needs_a_look_is_named_with_its_number(shop: None):
    user = User.objects.create_superuser("root")
    attention = next(part for part in overview.parts(user) if part.title == "Needs a look")
    assert [name for name, _ in attention.rows] == ["Data that could not be taken"]  # type: ignore[attr-defined]


def test_a_standstill_of_sending_is_said_with_its_reason(shop: None, now: datetime):
    standstill.begin("An older database is back.", now=now)
    attention = next(
        part for part in overview.parts(User.objects.create_superuser("root")) if part.title == "Needs a look"
    )
    assert attention.rows[0] == (  # type: ignore[attr-defined]
        "Nothing is sent",
        "An older database is back. Whoever runs Cairn has to let it go on.",
    )


def test_the_home_page_asks_the_same_however_many_people_there_are(
    shop: None, now: datetime, django_assert_max_num_queries: Callable[..., AbstractContextManager[object]]
):
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    client.get("/admin/")
    with django_assert_max_num_queries(40):
        assert client.get("/admin/").status_code == 200


def test_a_segment_without_people_is_told_as_empty(now: datetime):
    definitions.save("nobody", name="Nobody", status="live", definition={"any": []}, now=now)
    assert summary.segments() == [("Nobody", 0, summary.segments()[0][2])]


def test_a_paused_journey_is_told_as_paused(shop: None, now: datetime):
    publishing.pause("win-back", now=now)
    user = User.objects.create_superuser("root")
    part = next(part for part in overview.parts(user) if part.title == "Journeys")
    assert any("Paused" in str(cells[1]) for cells in part.rows)  # type: ignore[attr-defined]
