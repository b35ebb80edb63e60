"""The months of the event table."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from foundation import clock
from profiles import partitions
from profiles.models import Event, EventDay
from tests.profiles.told import given, track


@pytest.fixture
def owner(transactional_db: None) -> Iterator[BaseDatabaseWrapper]:
    yield connections["owner"]
    connections["owner"].close()


def _names(owner: BaseDatabaseWrapper) -> list[str]:
    with owner.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'profiles_event'::regclass")
        return sorted(name for (name,) in cursor.fetchall())


def _month(moment: datetime) -> str:
    return f"profiles_event_{moment:%Y_%m}"


def test_making_them_again_makes_none(owner: BaseDatabaseWrapper) -> None:
    assert partitions.ensure(owner) == 0
    names = _names(owner)
    assert partitions.OLDER in names
    assert len(names) == 1 + partitions.MONTHS_BACK + 1 + partitions.MONTHS_AHEAD


def test_each_of_them_serves_lists_by_time_and_one_event_by_when_it_came(owner: BaseDatabaseWrapper) -> None:
    partitions.ensure(owner, clock.now().date() + timedelta(days=200))
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT tablename, indexdef FROM pg_indexes WHERE tablename LIKE 'profiles_event%%' ORDER BY 1, 2"
        )
        indexes: dict[str, list[str]] = {}
        for table, index in cursor.fetchall():
            indexes.setdefault(table, []).append(index.partition(" USING ")[2])
    for name in _names(owner):
        assert sorted(indexes[name]) == [
            "brin (received_at) WITH (autosummarize='on')",
            "btree (name_id, occurred_at) INCLUDE (profile_id)",
            "btree (occurred_at, id)",
            "btree (profile_id, name_id, occurred_at)",
        ]


def test_there_are_as_many_as_are_asked_for(owner: BaseDatabaseWrapper) -> None:
    until = (clock.now() + timedelta(days=400)).date()
    assert partitions.ensure(owner, until) >= 13
    assert f"profiles_event_{until:%Y_%m}" in _names(owner)


def test_what_is_past_the_retention_is_dropped_and_its_counts_stay(owner: BaseDatabaseWrapper, settings: Any) -> None:
    now = clock.now()
    old = [datetime(1999, 5, 5, tzinfo=UTC), now - timedelta(days=200), now - timedelta(days=20)]
    given(*[track(userId="u", timestamp=moment.isoformat()) for moment in old], now=now)
    assert partitions.drop_expired(owner) == []
    settings.EVENT_RETENTION_DAYS = 90
    dropped = partitions.drop_expired(owner)
    assert {partitions.OLDER, _month(old[1])} <= set(dropped)
    assert _month(old[2]) not in dropped
    assert [event.occurred_at for event in Event.objects.all()] == [old[2]]
    assert EventDay.objects.count() == 3
    assert partitions.drop_expired(owner) == []
    assert partitions.ensure(owner) == 0
    assert partitions.OLDER in _names(owner)


def test_months_come_back_when_the_retention_grows(owner: BaseDatabaseWrapper, settings: Any) -> None:
    now = clock.now()
    settings.EVENT_RETENTION_DAYS = 30
    assert partitions.drop_expired(owner)
    long_ago = track(userId="u", timestamp=(now - timedelta(days=300)).isoformat())
    assert given(long_ago, now=now).rejected
    settings.EVENT_RETENTION_DAYS = 400
    assert 9 <= partitions.ensure(owner) <= 14
    assert given(long_ago, now=now).stored == 1
    settings.EVENT_RETENTION_DAYS = None
    assert partitions.ensure(owner) > 20
    assert given(track(userId="u", timestamp=(now - timedelta(days=900)).isoformat()), now=now).stored == 1


def test_every_day_that_may_come_has_its_month(owner: BaseDatabaseWrapper) -> None:
    now = clock.now()
    moments = [now - timedelta(days=days) for days in range(0, 20_000, 97)] + [datetime(1970, 1, 1, tzinfo=UTC)]
    items = [track(userId="u", timestamp=moment.isoformat()) for moment in moments if moment.year >= 1970]
    assert given(*items, now=now).stored == len(items)
    assert date.min < Event.objects.earliest("occurred_at").occurred_at.date()
