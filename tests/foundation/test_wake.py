import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import current_app
from django.db import transaction
from pytest_django.fixtures import Settings

from foundation.wake import not_for, wake


def _forget_connections() -> None:
    forget: Any = current_app
    forget._after_fork()


@pytest.fixture
def queue(broker_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """The broker's queue, empty; wake-ups are on, as they are outside of tests."""
    settings.CAIRN_WAKE_UPS = True
    monkeypatch.setattr(current_app.conf, "broker_url", broker_url)
    _forget_connections()  # it has no connection from before
    with redis.Redis(unix_socket_path=broker_url.removeprefix("redis+socket://")) as client:
        client.delete("celery")
        yield client
    _forget_connections()


def _woken(queue: redis.Redis) -> list[str]:
    return [json.loads(message)["headers"]["task"] for message in queue.lrange("celery", 0, -1)]


def test_who_is_to_work_is_woken_after_the_commit(transactional_db: None, queue: redis.Redis) -> None:
    with transaction.atomic():
        wake("journeys.react")
        assert _woken(queue) == [], "what has not been committed could not be found"
    assert _woken(queue) == ["journeys.react"]


def test_nobody_is_woken_for_what_was_taken_back(transactional_db: None, queue: redis.Redis) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        wake("journeys.react")
        raise ZeroDivisionError
    assert _woken(queue) == []


def test_a_broker_that_is_away_costs_a_warning_and_nothing_else(
    transactional_db: None, queue: redis.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(current_app.conf, "broker_url", "redis+socket:///nowhere/at/all")
    _forget_connections()
    with transaction.atomic():
        wake("journeys.react")
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.message.startswith("the broker did not take the wake-up for journeys.react (")
    assert record.message.endswith("Beat will come by")


def test_switched_off_nobody_is_woken(transactional_db: None, queue: redis.Redis, settings: Settings) -> None:
    settings.CAIRN_WAKE_UPS = False
    with transaction.atomic():
        wake("journeys.react")
    assert _woken(queue) == []


def test_a_transaction_wakes_a_loop_once_however_often_it_asks(transactional_db: None, queue: redis.Redis) -> None:
    with transaction.atomic():
        wake("journeys.react")
        wake("messaging.dispatch")
        with transaction.atomic():
            wake("journeys.react")
    assert _woken(queue) == ["messaging.dispatch", "journeys.react"]


def test_what_was_taken_back_keeps_nobody_from_being_woken(transactional_db: None, queue: redis.Redis) -> None:
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            wake("journeys.react")
            raise ZeroDivisionError
        wake("journeys.react")
    assert _woken(queue) == ["journeys.react"]


def test_a_loop_that_goes_on_until_nothing_is_left_does_not_wake_itself(
    transactional_db: None, queue: redis.Redis
) -> None:
    with not_for("journeys.react"):
        wake("journeys.react")
        wake("messaging.dispatch")
    assert _woken(queue) == ["messaging.dispatch"]
