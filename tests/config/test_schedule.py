from collections.abc import Iterator

import pytest
from django.db import connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from config import schedule
from config.celery import app
from config.schedule import SCHEDULE, Entry
from foundation import loops

ONE = Entry("test.one", 5, "Does one thing.")
TWO = Entry("test.two", 60, "Does another.")


@pytest.fixture(autouse=True)
def database(db: None) -> Iterator[None]:
    yield


def _task(entry: Entry) -> PeriodicTask:
    return PeriodicTask.objects.select_related("interval").get(name=entry.loop)


def _every(entry: Entry) -> tuple[int, str]:
    interval = _task(entry).interval
    return interval.every, interval.period


def _remembered() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM foundation_loop WHERE scheduled IS NOT NULL")
        return {name for (name,) in cursor.fetchall()}


def test_each_entry_is_a_task_that_runs_its_loop() -> None:
    schedule.sync((ONE, TWO))
    task = _task(ONE)
    assert (task.task, task.enabled, task.description) == ("test.one", True, "Does one thing.")
    assert _every(ONE) == (5, "seconds")
    assert task.expire_seconds == 10, "what waited for too long says nothing new"
    assert _task(TWO).expire_seconds == 60


def test_syncing_again_changes_nothing() -> None:
    schedule.sync((ONE,))
    before = _task(ONE).date_changed
    schedule.sync((ONE,))
    assert PeriodicTask.objects.filter(name="test.one").count() == 1
    assert IntervalSchedule.objects.filter(every=5).count() == 1
    assert _task(ONE).date_changed >= before


def test_a_new_interval_of_ours_arrives() -> None:
    schedule.sync((ONE,))
    schedule.sync((Entry("test.one", 20, "Does one thing, slower."),))
    assert _every(ONE) == (20, "seconds")
    assert _task(ONE).expire_seconds == 20
    assert _task(ONE).description == "Does one thing, slower."


def test_what_an_operator_changed_stays() -> None:
    schedule.sync((ONE,))
    task = _task(ONE)
    task.interval = IntervalSchedule.objects.create(every=2, period=IntervalSchedule.MINUTES)
    task.save()
    schedule.sync((ONE,))
    schedule.sync((Entry("test.one", 20, "Does one thing."),))
    assert _every(ONE) == (2, "minutes")
    assert _task(ONE).expire_seconds == 20, "what the operator left alone still follows us"


def test_what_an_operator_switched_off_stays_off_and_back_on_follows_us_again() -> None:
    schedule.sync((ONE,))
    PeriodicTask.objects.filter(name="test.one").update(enabled=False)
    schedule.sync((ONE,))
    schedule.sync((ONE,))
    assert not _task(ONE).enabled
    PeriodicTask.objects.filter(name="test.one").update(enabled=True)
    schedule.sync((ONE,))
    assert _task(ONE).enabled


def test_an_operators_interval_given_up_follows_us_again() -> None:
    schedule.sync((ONE,))
    task = _task(ONE)
    ours = task.interval
    task.interval = IntervalSchedule.objects.create(every=2, period=IntervalSchedule.MINUTES)
    task.save()
    schedule.sync((ONE,))
    task.interval = ours
    task.save()
    schedule.sync((Entry("test.one", 20, "Does one thing."),))
    assert _every(ONE) == (20, "seconds")


def test_an_entry_that_is_no_more_is_dropped_and_what_operators_added_is_not() -> None:
    schedule.sync((ONE, TWO))
    every = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.DAYS)
    PeriodicTask.objects.create(name="theirs", task="test.one", interval=every)
    schedule.sync((TWO,))
    assert set(PeriodicTask.objects.values_list("name", flat=True)) >= {"test.two", "theirs"}
    assert not PeriodicTask.objects.filter(name="test.one").exists()
    assert _remembered() == {"test.two"}


def test_a_task_that_was_deleted_comes_back() -> None:
    schedule.sync((ONE,))
    PeriodicTask.objects.filter(name="test.one").delete()
    schedule.sync((ONE,))
    assert _every(ONE) == (5, "seconds")


def test_beat_is_told() -> None:
    schedule.sync((ONE,))
    before = PeriodicTasks.last_change()
    schedule.sync((Entry("test.one", 20, "Does one thing."),))
    assert PeriodicTasks.last_change() > before


def test_every_loop_is_scheduled_and_every_entry_is_a_loop() -> None:
    app.loader.import_default_modules()
    assert sorted(entry.loop for entry in SCHEDULE) == [name for name in loops.names() if not name.startswith("test.")]


def test_every_entry_says_what_it_does() -> None:
    for entry in SCHEDULE:
        assert entry.what.endswith(".")
        assert entry.every >= 1
