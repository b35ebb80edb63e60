"""When answers next change: never later than they do, for random people, conditions and pairs of moments."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from segments.language import parse
from tests.segments import strategies
from tests.segments.reference import Frame, holds, matching, moment
from tests.segments.test_reference import NIGHTLY, thorough, undone
from tests.segments.world import EPOCH, Done, Someone, settle

pytestmark = pytest.mark.django_db
ALONE = tuple(kind for kind in strategies.KINDS if kind != "top")
INSTANT = timedelta(microseconds=1)
ats = st.one_of(st.just(strategies.AT), strategies.moments())
# How far time moves: to and beside the borders, and far beyond.
spans = st.one_of(
    st.sampled_from([timedelta(**length) for length in strategies.DURATIONS]),
    st.sampled_from([timedelta(**length) for length in strategies.DURATIONS]).map(lambda span: span + INSTANT),
    st.integers(1, 90 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes)),
    st.just(INSTANT),
)


@settings(parent=thorough, max_examples=3_000 if NIGHTLY else 150)
@given(
    people=strategies.people(),
    asked=st.lists(
        st.tuples(strategies.conditions(kinds=ALONE), ats, st.lists(spans, min_size=2, max_size=4)),
        min_size=4,
        max_size=8,
    ),
)
def test_no_answer_changes_before_the_moment_that_was_foreseen(
    people: list[Someone], asked: list[tuple[Any, datetime, list[timedelta]]]
) -> None:
    with undone():
        settle(people)
        for condition, at, steps in asked:
            note(f"{condition} at {at}")
            foreseen = parse(condition).next_changes([one.id for one in people], at=at)
            assert all(then > at for then in foreseen.values())
            before = matching(condition, Frame(at, people))
            for step in steps:
                for person in before ^ matching(condition, Frame(at + step, people)):
                    note(f"{person} changed by {at + step}")
                    assert foreseen[person] <= at + step


def moves(leaf: Any) -> bool:
    return parse(leaf).needs().time


# Leaves that time moves, alone or with the opposite of another, which hides nothing.
moving = st.one_of(
    *(
        strategies.leaves(kinds=(kind,)).filter(moves)
        for kind in ("event", "measure", "recency", "trend", "sequence", "sequence", "message")
    ),
    st.builds(
        lambda name, op, value: {"kind": "attribute", "name": name, "op": op, "value": value},
        st.sampled_from(["x", "y", "email", "created_at"]),
        st.sampled_from(["within_last", "more_than_ago", "within_next", "more_than_ahead"]),
        strategies.durations,
    ),
)
values = st.one_of(strategies.moments().map(lambda at: at.isoformat()), st.sampled_from([1, 2, "pro"]))
known = st.lists(
    st.builds(
        Someone,
        events=st.lists(
            st.builds(
                Done,
                st.sampled_from(["a", "a", "b", "$message_opened"]),
                strategies.moments(),
                st.dictionaries(st.sampled_from(strategies.PROPERTIES), values, max_size=2),
            ),
            max_size=7,
        ),
        attributes=st.dictionaries(st.sampled_from(["x", "y"]), values, max_size=2),
    ),
    min_size=1,
    max_size=3,
)


def borders(people: list[Someone], at: datetime) -> list[datetime]:
    """Every moment after `at` at which time alone can change anything."""
    moments = {done.at for one in people for done in one.events} | {EPOCH}
    said = [
        value
        for one in people
        for bag in (one.attributes, *(d.properties for d in one.events))
        for value in bag.values()
    ]
    moments |= {read for value in said if (read := moment(value, "UTC"))}
    lengths = [timedelta(**length) for length in strategies.DURATIONS]
    shifts = [timedelta(0), *lengths, *(2 * one for one in lengths), *(-one for one in lengths)]
    return sorted({read + shift for read in moments for shift in shifts if read + shift > at})


@settings(parent=thorough, max_examples=3_000 if NIGHTLY else 60)
@given(people=known, asked=st.lists(moving, min_size=5, max_size=10))
def test_the_first_change_of_all_never_comes_before_the_moment_that_was_foreseen(
    people: list[Someone], asked: list[Any]
) -> None:
    # Nothing is dated ahead, which would be foreseen whatever else is.
    at = max([strategies.AT, *(done.at for one in people for done in one.events)])
    with undone():
        settle(people)
        for condition in asked:
            foreseen = parse(condition).next_changes([one.id for one in people], at=at)
            for person in people:
                before = holds(condition, person, Frame(at, people))
                changed = (b for b in borders([person], at) if holds(condition, person, Frame(b, people)) != before)
                if first := next(changed, None):
                    note(f"{condition} of {person} at {at} changes at {first}")
                    assert at < foreseen[person.id] <= first


def once(*ago: int) -> Someone:
    return Someone(events=[Done("a", strategies.AT - timedelta(days=days)) for days in ago])


WEEK = {"last": {"days": 7}}


@pytest.mark.parametrize(
    ("condition", "days"),
    [
        ({"kind": "event", "name": "a", "window": WEEK}, 6),  # when the last one leaves
        ({"kind": "event", "name": "a", "window": WEEK, "count": {"op": "gte", "value": 2}}, 4),
        ({"kind": "event", "name": "a", "window": WEEK, "count": {"op": "gte", "value": 4}}, None),
        ({"kind": "event", "name": "a", "window": WEEK, "count": {"op": "is", "value": 0}}, 6),
        ({"kind": "event", "name": "a", "window": WEEK, "count": {"op": "between", "value": [1, 2]}}, 1),
        ({"kind": "event", "name": "b", "window": WEEK}, None),
        ({"kind": "event", "name": "a"}, None),
        ({"kind": "recency", "name": "a", "op": "more_than_ago", "value": {"days": 14}}, 13),
        ({"kind": "recency", "name": "a", "op": "within_last", "value": {"hours": 12}}, None),
        ({"kind": "recency", "name": "a", "which": "first", "op": "within_last", "value": {"days": 30}}, 10),
    ],
)
def test_it_is_the_very_moment_where_one_thing_decides(condition: Any, days: int | None) -> None:
    [person] = settle([once(1, 3, 6, 20)])
    foreseen = parse(condition).next_changes([person.id], at=strategies.AT)
    assert foreseen == ({} if days is None else {person.id: strategies.AT + timedelta(days=days)})


@pytest.mark.parametrize(
    ("op", "days"), [("within_last", 3), ("more_than_ago", 10), ("within_next", 3), ("more_than_ahead", None)]
)
def test_dates_of_people_are_foreseen(op: str, days: int | None) -> None:
    at = strategies.AT
    [person] = settle([Someone(attributes={"renews_at": (at + timedelta(days=3)).isoformat()})])
    condition = parse({"kind": "attribute", "name": "renews_at", "op": op, "value": {"days": 7}})
    assert condition.next_changes([person.id], at=at) == (
        {} if days is None else {person.id: at + timedelta(days=days)}
    )
