"""Time moves people at its moments: without the safety net, in steps of any size, and with nobody asked in vain."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import given, note
from hypothesis import settings as these
from hypothesis import strategies as st

from consent import ledger, topics
from consent.ledger import Choice
from profiles import catalogue, pulses
from profiles.models import EventType, Profile, Pulse
from segments import definitions, membership, sweep
from segments.membership import Change
from segments.models import Cause, Membership, Segment, SizeChange, Watch
from tests.segments import reference, strategies
from tests.segments.reference import Frame
from tests.segments.test_next_change import ALONE, INSTANT, spans
from tests.segments.test_reference import NIGHTLY, thorough, undone
from tests.segments.world import Done, Someone, did, settle, there

pytestmark = pytest.mark.django_db
EVER = timedelta(days=36_525)
WEEK = {"last": {"days": 7}}


@pytest.fixture(autouse=True)
def without_the_net(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "MOVING", EVER)
    monkeypatch.setattr(sweep, "STILL", EVER)


def rest(now: datetime) -> list[Change]:
    """What `tick` does at one moment: the loops run until nothing is due."""
    changes: list[Change] = []
    for _ in range(20):
        touched = sweep.tick(now)
        with transaction.atomic():
            taken = pulses.claim(10_000, now=now)
            changes += membership.refresh(taken, now=now)
        if not touched and not taken:
            return changes
    raise AssertionError("it never rests")


def members(slug: str) -> set[UUID]:
    return set(Membership.objects.filter(segment__slug=slug).values_list("profile_id", flat=True))


def live(slug: str, definition: Any, now: datetime) -> Segment:
    return definitions.save(slug, definition=there(definition), status="live", now=now)


@these(parent=thorough, max_examples=500 if NIGHTLY else 30)
@given(
    people=strategies.people(),
    conditions=st.lists(strategies.conditions(kinds=ALONE), min_size=1, max_size=4),
    steps=st.lists(spans, min_size=1, max_size=5),
)
def test_at_every_step_of_any_size_everybody_is_where_they_belong(
    people: list[Someone], conditions: list[Any], steps: list[timedelta]
) -> None:
    with undone():
        at = strategies.AT - timedelta(days=40)
        settle(people)
        pulses.touch([one.id for one in people], cause=Pulse.Cause.EVENT, now=at)  # as whatever stores events does
        rest(at)
        for number, condition in enumerate(conditions):
            live(f"s{number}", condition, at)
        for step in steps:
            at += step
            rest(at)
            for number, condition in enumerate(conditions):
                note(f"{condition} at {at}")
                assert members(f"s{number}") == reference.matching(condition, Frame(at, people))
        for segment in Segment.objects.all():
            assert segment.size == len(members(segment.slug))


def test_a_person_is_touched_at_their_moment_and_at_no_other(ada: Profile, ben: Profile, now: datetime) -> None:
    live("active", {"kind": "event", "name": "a", "window": WEEK}, now)
    did([(ada.id, Done("a", now - timedelta(days=5))), (ada.id, Done("a", now - timedelta(days=1)))])
    pulses.touch([ada.id, ben.id], cause=Pulse.Cause.EVENT, now=now)
    assert [(change.slug, change.entered) for change in rest(now)] == [("active", True)]
    assert sweep.tick(now + timedelta(days=6) - INSTANT) == 0  # the older one left, which decides nothing
    assert sweep.tick(now + timedelta(days=6)) == 1
    [change] = rest(now + timedelta(days=6))
    assert (change.profile_id, change.entered, change.cause, change.triggers) == (ada.id, False, Cause.TIME, True)
    assert Watch.objects.filter(next_at__isnull=False).count() == 0


def test_one_big_step_over_several_changes_ends_where_small_ones_do(ada: Profile, now: datetime) -> None:
    live("back-and-forth", {"kind": "event", "name": "a", "window": WEEK, "count": {"op": "is", "value": 1}}, now)
    did([(ada.id, Done("a", now - timedelta(days=days))) for days in (1, 3)])
    pulses.touch([ada.id], cause=Pulse.Cause.EVENT, now=now)
    assert rest(now) == []
    seen = [(day, change.entered) for day in range(1, 8) for change in rest(now + timedelta(days=day))]
    assert seen == [(4, True), (6, False)]
    with undone():
        assert rest(now + timedelta(days=30)) == []


def test_an_event_that_moves_the_moment_on_costs_one_look_in_vain(ada: Profile, now: datetime) -> None:
    live("gone", {"kind": "recency", "name": "a", "op": "more_than_ago", "value": {"days": 7}}, now)
    later = now + timedelta(days=3)
    for at in (now, later):
        did([(ada.id, Done("a", at))])
        pulses.touch([ada.id], cause=Pulse.Cause.EVENT, now=at)
        assert rest(at) == []
    assert rest(now + timedelta(days=7)) == []
    [change] = rest(later + timedelta(days=7))
    assert (change.entered, change.cause) == (True, Cause.TIME)


def test_a_build_is_foreseen_too_people_that_nothing_touched_included(person: Any, now: datetime) -> None:
    people = [person(f"person-{n}") for n in range(3)]
    did([(one.id, Done("a", now - timedelta(days=n))) for n, one in enumerate(people)])
    live("active", {"kind": "event", "name": "a", "window": WEEK}, now)
    assert Segment.objects.get().unforeseen_since == now
    rest(now)
    assert Segment.objects.get().unforeseen_since is None
    left = [(change.profile_id, change.at) for day in range(10) for change in rest(now + timedelta(days=day))]
    assert left == [(one.id, now + timedelta(days=7 - n)) for n, one in reversed(list(enumerate(people)))]


def test_what_changed_between_a_build_and_the_next_round_is_not_lost(ada: Profile, now: datetime) -> None:
    did([(ada.id, Done("a", now - timedelta(days=6)))])
    live("active", {"kind": "event", "name": "a", "window": WEEK}, now)
    [change] = rest(now + timedelta(days=2))
    assert (change.entered, change.cause, change.triggers) == (False, Cause.TIME, True)


def test_what_cannot_be_asked_is_foreseen_once_it_can(
    ada: Profile, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import DatabaseError

    from segments.conditions.event import Event

    did([(ada.id, Done("a", now))])
    segment = live("active", {"kind": "event", "name": "a", "window": WEEK}, now)
    rest(now)
    with monkeypatch.context() as broken:

        def fail(*_: Any) -> Any:
            raise DatabaseError("no")

        broken.setattr(Event, "answer", fail)
        did([(ada.id, Done("a", now + timedelta(days=1)))])
        pulses.touch([ada.id], cause=Pulse.Cause.TIME, now=now + timedelta(days=1))
        assert rest(now + timedelta(days=1)) == []
    segment.refresh_from_db()
    assert (segment.flagged != "", segment.unforeseen_since) == (True, now + timedelta(days=1))
    Segment.objects.update(swept_at=None)  # its turn comes
    rest(now + timedelta(days=2))
    assert [change.entered for change in rest(now + timedelta(days=8))] == [False]


# ── Consent ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def news() -> Iterator[str]:
    topics.save(
        "news",
        name="News",
        description="What is new.",
        purpose="To tell",
        basis="consent",
        channels=["email"],
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )
    yield "news"


def decide(person: Profile, topic: str, channel: str, state: str, now: datetime, source: str = "page") -> None:
    ledger.record([Choice(profile_id=person.id, topic=topic, channel=channel, state=state, source=source)], now=now)


@pytest.mark.parametrize(("topic", "channel"), [("news", "email"), ("*", "email"), ("*", "*")])
def test_a_decision_moves_segments_at_once(
    ada: Profile, ben: Profile, news: str, now: datetime, topic: str, channel: str
) -> None:
    live("readers", {"kind": "consent", "topic": "news", "channel": "email", "state": "granted"}, now)
    rest(now)
    decide(ada, "news", "email", "granted", now)
    assert [(c.profile_id, c.entered, c.cause, c.triggers) for c in rest(now)] == [
        (ada.id, True, Cause.ATTRIBUTE, True)
    ]
    later = now + timedelta(minutes=1)
    decide(ada, topic, channel, "denied", later)
    assert [(c.profile_id, c.entered, c.cause) for c in rest(later)] == [(ada.id, False, Cause.ATTRIBUTE)]


def test_two_decisions_of_one_moment_end_with_the_second(ada: Profile, news: str, now: datetime) -> None:
    live("readers", {"kind": "consent", "topic": "news", "channel": "email", "state": "granted"}, now)
    decide(ada, "news", "email", "granted", now)
    rest(now)
    decide(ada, "news", "email", "denied", now)  # the clock stands: it counts from an instant later
    rest(now)
    assert members("readers") == {ada.id}
    rest(now + timedelta(minutes=1))
    assert members("readers") == set()


def test_a_decision_leaves_word_and_wakes_nobody(
    ada: Profile, news: str, now: datetime, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.CAIRN_WAKE_UPS = True
    with django_capture_on_commit_callbacks() as at_commit:
        decide(ada, "news", "email", "denied", now)
    [pulse] = Pulse.objects.all()
    assert (pulse.profile_id, pulse.cause, pulse.attributes) == (ada.id, "attribute", ["consent.news.email"])
    assert at_commit == []
    with django_capture_on_commit_callbacks() as at_commit:
        pulses.touch([ada.id], cause=Pulse.Cause.ATTRIBUTE, now=now)
    assert len(at_commit) == 1  # which is what it would look like


def test_a_decision_that_a_merge_carries_over_leaves_no_word(ada: Profile, news: str, now: datetime) -> None:
    decide(ada, "news", "email", "denied", now, source="merge")
    assert not Pulse.objects.exists()


# ── Sizes ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_sizes_are_true_at_every_moment(ada: Profile, ben: Profile, now: datetime) -> None:
    segment = live("known", {"kind": "event", "name": "a", "window": WEEK}, now)
    assert segment.size == 0
    did([(ada.id, Done("a", now)), (ben.id, Done("a", now))])
    pulses.touch([ada.id, ben.id], cause=Pulse.Cause.EVENT, now=now)
    with transaction.atomic():
        membership.refresh(pulses.claim(10, now=now), now=now)
    listed = Segment.objects.order_by("-size").get()  # type: ignore[misc]
    assert (listed.size, listed.counted) == (2, 0)
    segment.refresh_from_db()
    assert segment.size == 2
    sweep.tick(now)
    listed = Segment.objects.get()
    assert (listed.size, listed.counted, SizeChange.objects.count()) == (2, 2, 0)
    Profile.objects.get(id=ben.id).delete()
    assert Segment.objects.get().size == 1
    definitions.save("known", status="draft", now=now)
    assert Segment.objects.get().size == 0


def test_a_rename_touches_whoever_an_answer_or_its_moment_hangs_on_it(
    ada: Profile, ben: Profile, now: datetime
) -> None:
    did([(ada.id, Done("old", now - timedelta(days=3))), (ben.id, Done("new", now - timedelta(days=2)))])
    live("olds", {"kind": "event", "name": "old", "window": WEEK}, now)
    live("news", {"kind": "event", "name": "new", "window": WEEK}, now)
    rest(now)
    assert (members("olds"), members("news")) == ({ada.id}, {ben.id})
    catalogue.rename(EventType.objects.get(name="old"), "new", now=now)
    changes = rest(now)
    assert members("olds") == members("news") == {ada.id, ben.id}
    assert {one.cause for one in changes} == {Cause.HISTORY} and not any(one.triggers for one in changes)
    rest(now + timedelta(days=4))  # and so do the moments at which they go
    assert members("olds") == members("news") == {ben.id}
    rest(now + timedelta(days=5))
    assert members("olds") == members("news") == set()
