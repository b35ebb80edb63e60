"""Random conditions about random people: the answer in SQL is the one of the plain evaluator, to the microsecond."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from foundation import strict_json
from foundation.errors import Invalid
from segments.language import Asked, Scope, parse
from tests.segments import reference, strategies
from tests.segments.reference import Frame
from tests.segments.world import Done, Someone, settle

pytestmark = pytest.mark.django_db
NIGHTLY = os.environ.get("CAIRN_NIGHTLY") == "1"
thorough = settings(
    max_examples=3_000 if NIGHTLY else 120,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    print_blob=True,
)
ats = st.one_of(st.just(strategies.AT), strategies.moments())


@contextmanager
def undone() -> Iterator[None]:
    """What is stored within is gone after."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def agrees(people: list[Someone], condition: Any, at: datetime) -> None:
    parsed = parse(condition)
    note(f"{condition} at {at}")
    expected = reference.matching(condition, Frame(at, people))
    assert parsed.matching(None, at=at) == expected
    assert parsed.count(at) == len(expected)
    some = {one.id for one in people[::2]}
    assert parsed.matching(some, at=at) == expected & some
    for one in people[:2]:
        top, *_ = parsed.explain(one.id, at=at)
        assert top.holds == (one.id in expected)
    assert parsed.matching(None, at=at) ^ parse({"not": condition}).matching(None, at=at) == {one.id for one in people}
    assert parsed.sentence()


@thorough
@given(people=strategies.people(), asked=st.lists(st.tuples(strategies.conditions(), ats), min_size=4, max_size=8))
def test_SQ01_any_condition_answers_as_the_reference_does(
    people: list[Someone], asked: list[tuple[Any, datetime]]
) -> None:
    with undone():
        settle(people)
        for condition, at in asked:
            agrees(people, condition, at)


@thorough
@given(
    people=strategies.people(),
    asked=st.lists(st.tuples(strategies.conditions(since=True), ats), min_size=3, max_size=6),
    begun=st.lists(st.tuples(*[st.one_of(st.none(), strategies.moments())] * 3), min_size=6, max_size=12),
)
def test_each_of_those_asked_is_answered_from_where_they_began(
    people: list[Someone], asked: list[tuple[Any, datetime]], begun: list[tuple[datetime | None, ...]]
) -> None:
    with undone():
        settle(people)
        every = [
            (people[n % len(people)], Asked(uuid4(), people[n % len(people)].id, *times))
            for n, times in enumerate(begun)
        ]
        for condition, at in asked:
            note(f"{condition} at {at}")
            found = parse(condition, scope=Scope.JOURNEY).matching_each([one for _, one in every], at=at)
            for person, one in every:
                frame = Frame(at, people, one.after, one.entered_at, one.step_entered_at)
                assert (one.key in found) == reference.holds(condition, person, frame), (one, person)


@settings(parent=thorough, max_examples=600 if NIGHTLY else 50)
@given(
    people=strategies.people(),
    asked=st.lists(st.tuples(strategies.conditions(), ats), min_size=3, max_size=6),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati"]),
)
def test_days_and_times_without_a_zone_are_the_projects(people: list[Someone], asked: list[Any], zone: str) -> None:
    from django.test import override_settings

    with undone(), override_settings(PROJECT_TIME_ZONE=zone):
        settle(people)
        for condition, at in asked:
            expected = reference.matching(condition, Frame(at, people, zone=zone))
            note(f"{condition} at {at}")
            assert parse(condition).matching(None, at=at) == expected


def test_a_microsecond_decides() -> None:
    at, step = strategies.AT, timedelta(microseconds=1)
    people = [Someone(events=[Done("a", at - timedelta(days=7) + n * step)]) for n in (-1, 0, 1)]
    people += [Someone(events=[Done("a", at + n * step)]) for n in (0, 1)]
    settle(people)
    week = parse({"kind": "event", "name": "a", "window": {"last": {"days": 7}}})
    assert week.matching(None, at=at) == {people[2].id, people[3].id}


def test_numbers_compare_by_the_digits_they_were_written_with_and_too_many_are_refused() -> None:
    stored = [0.1, 0.1 + 0.2, 0.3, 1e300, -1.7e308, 5e-324, 9007199254740991]
    people = settle(Someone(attributes={"x": number}) for number in stored)
    for place, number in enumerate(stored):
        found = parse({"kind": "attribute", "name": "x", "op": "is", "value": number}).matching(None, at=strategies.AT)
        assert found == {people[place].id}
    above = parse({"kind": "attribute", "name": "x", "op": "gt", "value": 0.3}).matching(None, at=strategies.AT)
    assert above == {people[1].id, people[3].id, people[6].id}
    sent = strict_json.decode(b'{"kind": "attribute", "name": "x", "op": "is", "value": 0.10000000000000000555}')
    with pytest.raises(Invalid, match="more than 17 digits"):
        parse(sent)


def test_the_ends_of_time_are_moments_in_every_zone() -> None:
    from django.test import override_settings

    at = strategies.AT
    [ada] = settle([Someone(events=[Done("a", at)])])
    edges = ["0001-01-01", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9999-12-31"]
    for zone in ("UTC", "Asia/Kathmandu", "America/New_York"):
        with override_settings(PROJECT_TIME_ZONE=zone):
            for start, end in ((edges[0], edges[2]), (edges[1], edges[3])):
                ever = parse({"kind": "event", "name": "a", "window": {"between": [start, end]}})
                assert ever.matching(None, at=at) == {ada.id} and ever.next_changes([ada.id], at=at) == {}
                assert ever.sentence().startswith("People who did “A” from ")
