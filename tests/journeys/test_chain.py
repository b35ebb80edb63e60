"""From an event to its mail in one worker: what is queued is handed over at once, and the broker asked for the rest."""

from collections.abc import Callable

import pytest
import redis

from foundation import loops
from journeys import engine, tasks
from messaging import dispatch
from messaging.models import Message
from profiles.models import Profile
from tests.foundation.test_wake import _woken, queue  # noqa: F401 (a fixture)
from tests.journeys.conftest import Stage, send, wait


def test_what_an_event_brings_about_is_handed_over_in_the_same_run(
    committing_stage: Stage,
    queue: redis.Redis,  # noqa: F811
    person: Callable[..., Profile],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatch, "BATCH", 2)
    stage = committing_stage
    stage.journey(send("first"), wait("pause", days=1), send("last"))
    stage.does(person("eve", email="eve@example.com"), "signed_up")
    queue.delete("celery")
    loops.attempt("journeys.react", stage.now)
    assert list(Message.objects.values_list("state", flat=True)) == ["sent"]
    assert "messaging.dispatch" not in _woken(queue)
    for n in range(3):
        stage.does(person(f"p{n}", email=f"p{n}@example.com"), "signed_up")
    loops.attempt("journeys.react", stage.now)
    assert sorted(Message.objects.values_list("state", flat=True)) == ["queued", "sent", "sent", "sent"]
    assert "messaging.dispatch" in _woken(queue), "whoever is free does the rest"
    dispatch.tick(stage.now)
    assert set(Message.objects.values_list("state", flat=True)) == {"sent"}


def test_where_a_provider_is_slow_people_do_not_wait_for_messages(
    committing_stage: Stage,
    queue: redis.Redis,  # noqa: F811
    person: Callable[..., Profile],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "PEOPLE", 1)
    monkeypatch.setattr(tasks, "PATIENCE", 0)
    stage = committing_stage
    stage.journey(send("first"), wait("pause", days=1))
    for n in range(3):
        stage.does(person(f"p{n}", email=f"p{n}@example.com"), "signed_up")
    queue.delete("celery")
    loops.attempt("journeys.react", stage.now)
    assert sorted(Message.objects.values_list("state", flat=True)) == ["deferred", "queued", "queued"]
    assert "messaging.dispatch" in _woken(queue)
