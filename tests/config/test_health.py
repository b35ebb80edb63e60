import re
from datetime import datetime, timedelta

import pytest
from celery import current_app
from django.db import connection
from django.test import Client
from django_celery_beat.models import PeriodicTask

from config import health, schedule
from config.schedule import SCHEDULE
from profiles.models import Profile, Pulse


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=True)


@pytest.fixture
def well(db: None, broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker answers, and all loops have just run."""
    schedule.sync()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE foundation_loop SET ran_at = clock_timestamp()")
    monkeypatch.setattr(current_app.conf, "broker_url", broker_url)


def _missing(client: Client) -> dict[str, str]:
    answer = client.get("/readyz")
    found = answer.json()
    assert answer.status_code == (503 if found["missing"] else 200)
    assert found["ready"] is not bool(found["missing"])
    assert answer["Cache-Control"].startswith("max-age=0, no-cache")
    missing: dict[str, str] = found["missing"]
    return missing


def test_alive_asks_nobody_else(client: Client) -> None:
    # No database is allowed in this test.
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"alive\n")
    assert client.post("/healthz").status_code == 405


def test_ready_when_all_works(well: None, client: Client) -> None:
    assert _missing(client) == {}


def test_not_ready_without_the_broker(well: None, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_app.conf, "broker_url", "redis+socket:///nowhere/at/all")
    missing = _missing(client)
    assert list(missing) == ["broker"]
    assert re.fullmatch(r"does not answer \(\w+\)", missing["broker"])


def test_not_ready_before_the_schedule_is_written(db: None, well: None, client: Client) -> None:
    PeriodicTask.objects.all().delete()
    assert "run `manage.py syncschedule`" in _missing(client)["loops"]


def test_a_loop_that_does_not_run_is_named(well: None, client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE foundation_loop SET ran_at = ran_at - interval '1 hour' WHERE name = 'journeys.react'")
        cursor.execute("UPDATE foundation_loop SET ran_at = NULL WHERE name = 'staff.forget'")
    said = _missing(client)["loops"]
    assert re.fullmatch(r"journeys\.react last ran 36\d\d seconds ago; staff\.forget has not run yet", said)


def test_a_loop_that_an_operator_switched_off_is_not_missed(well: None, client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE foundation_loop SET ran_at = NULL WHERE name = 'staff.forget'")
    PeriodicTask.objects.filter(name="staff.forget").update(enabled=False)
    assert _missing(client) == {}


def test_not_ready_while_migrations_wait(well: None, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_all_migrated", False)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    assert _missing(client)["migrations"] == "1 migrations are to be applied: run `manage.py migrate`"


def test_what_waits_is_counted_and_nobody_named(well: None, client: Client, ada: Profile, now: datetime) -> None:
    Pulse.objects.create(profile_id=ada.id, cause=Pulse.Cause.EVENT, at=now - timedelta(minutes=1))
    answer = client.get("/metrics")
    text = answer.content.decode()
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = text.splitlines()
    assert "cairn_pulses_waiting 1" in lines
    assert 'cairn_messages{state="queued"} 0' in lines
    assert "cairn_enrollments_due 0" in lines
    for entry in SCHEDULE:
        assert re.search(rf'^cairn_loop_age_seconds{{loop="{re.escape(entry.loop)}"}} [\d.e+-]+$', text, re.MULTILINE)
    assert "ada" not in text
    for line in lines:
        assert re.fullmatch(r'# (HELP|TYPE) cairn_\w+ .+|cairn_\w+(\{\w+="[^"]+"\})? [\d.e+-]+', line), line
