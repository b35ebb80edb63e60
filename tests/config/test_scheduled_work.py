"""The screen on scheduled work, as an owner uses it, and what syncing makes of what was changed there."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import PeriodicTask

from config import schedule
from staff.models import AuditEntry, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Client:
    schedule.sync()
    user = User.objects.create_user("olga", is_staff=True)
    user.groups.add(Group.objects.get(name="owner"))
    client = Client()
    client.force_login(user)
    return client


def _page(name: str) -> str:
    return reverse("admin:django_celery_beat_periodictask_change", args=[PeriodicTask.objects.get(name=name).pk])


def test_it_tells_in_words_what_is_done_and_how_often(owner: Client) -> None:
    listed = owner.get(reverse("admin:django_celery_beat_periodictask_changelist")).content.decode()
    assert "Moves people on in their journeys" in listed
    assert "every second" in listed
    assert "journeys.advance" not in listed


def test_what_is_switched_off_and_slowed_down_stays_so_after_the_next_start(owner: Client) -> None:
    owner.post(_page("profiles.observe"), {"verb": "off"})
    owner.post(_page("messaging.dispatch"), {"verb": "every:10"})
    schedule.sync()
    assert not PeriodicTask.objects.get(name="profiles.observe").enabled
    assert schedule.seconds(PeriodicTask.objects.get(name="messaging.dispatch")) == 10
    assert AuditEntry.objects.filter(kind="scheduled work", actor="user:olga").count() == 2


def test_who_may_not_change_it_is_offered_nothing(owner: Client) -> None:
    user = User.objects.create_user("vic", is_staff=True)
    user.groups.add(Group.objects.get(name="viewer"))
    client = Client()
    client.force_login(user)
    assert client.post(_page("profiles.observe"), {"verb": "off"}).status_code == 403
    assert PeriodicTask.objects.get(name="profiles.observe").enabled
