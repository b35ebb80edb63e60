from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from foundation import clock

NOON = datetime(2030, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def manual(db: None, settings: Settings) -> None:
    settings.CAIRN_CLOCK = "manual"


def _real() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


@pytest.mark.django_db
def test_time_goes_on_inside_a_transaction() -> None:
    before = clock.now()
    assert clock.now() > before
    assert before.utcoffset() == timedelta(0)


@pytest.mark.django_db
def test_the_row_means_nothing_to_a_clock_that_runs_by_itself() -> None:
    clock.set_to(NOON)
    assert abs(clock.now() - _real()) < timedelta(seconds=5)


def test_a_manual_clock_runs_until_it_is_set_and_then_stands(manual: None) -> None:
    assert abs(clock.now() - _real()) < timedelta(seconds=5)
    clock.set_to(NOON)
    assert clock.now() == clock.now() == NOON


def test_it_moves_forwards_only(manual: None) -> None:
    clock.set_to(NOON)
    clock.set_to(NOON - timedelta(days=1))
    assert clock.now() == NOON
    clock.set_to(NOON + timedelta(hours=1))
    assert clock.now() == NOON + timedelta(hours=1)


def test_released_it_runs_with_real_time(manual: None) -> None:
    clock.set_to(NOON)
    clock.release()
    assert abs(clock.now() - _real()) < timedelta(seconds=5)


def test_stopped_it_holds_the_present_but_takes_no_time_back(manual: None) -> None:
    clock.stop()
    held = clock.now()
    assert clock.now() == held
    assert abs(held - _real()) < timedelta(seconds=5)
    clock.set_to(NOON)
    clock.stop()
    assert clock.now() == NOON


def test_the_wall_shows_real_time_whatever_the_manual_clock_says(manual: None) -> None:
    clock.set_to(NOON)
    assert abs(clock.wall() - _real()) < timedelta(seconds=5)
