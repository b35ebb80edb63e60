"""What comes late or as history moves people, and starts nothing, whatever fresh things come with it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given as examples
from hypothesis import strategies as st

from profiles import pulses
from profiles.models import Identifier, Pulse
from segments import definitions, membership, sweep
from segments.membership import Change
from segments.models import Cause, Membership
from tests.profiles.told import ago, given, group, identify, somebody, track

pytestmark = pytest.mark.django_db
BOUGHT = {"kind": "event", "name": "bought"}
PRO = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}
BIG = {"kind": "account", "name": "seats", "op": "gte", "value": 50}
HISTORY = {"historical": True}


def live(now: datetime, **definitions_by_slug: Any) -> None:
    for slug, definition in definitions_by_slug.items():
        definitions.save(slug, definition=definition, status="live", now=now)


def react(now: datetime) -> dict[tuple[str, str], Change]:
    """One pass over all that waits: what changed, by segment and person."""
    with transaction.atomic():
        changes = membership.refresh(pulses.claim(1_000, now=now), now=now)
    names = {somebody(id).pk: id for id in ("u", "v") if _is_there(id)}
    return {(change.slug, names[change.profile_id]): change for change in changes}


def _is_there(id: str) -> bool:
    return Identifier.objects.filter(value=id).exists()


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("late", [{"timestamp": 25}, {"timestamp": 24 * 40}, HISTORY])
def test_a_late_event_starts_nothing_though_something_fresh_comes_with_it(
    now: datetime, late: dict[str, Any], order: int, is_known: bool
) -> None:
    live(now, buyers=BOUGHT, heirs={"kind": "segment", "slug": "buyers"})
    if is_known:
        given(track("unrelated", userId="u"), now=now)
        react(now)
    if "timestamp" in late:
        late = {"timestamp": ago(now, hours=late["timestamp"])}
    given(*[track("bought", userId="u", **late), track("unrelated", userId="u")][::order], now=now)
    changes = react(now)
    assert {key: (change.cause, change.triggers) for key, change in changes.items()} == {
        ("buyers", "u"): (Cause.HISTORY, False),
        ("heirs", "u"): (Cause.HISTORY, False),
    }


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize(
    "fresh", [track("unrelated", userId="u"), identify(userId="u", traits={"city": "Bern"}), group("g", userId="u")]
)
def test_so_does_a_late_value(now: datetime, fresh: dict[str, Any], is_known: bool) -> None:
    live(now, pros=PRO)
    if is_known:
        given(track("unrelated", userId="u"), now=now)
        react(now)
    given(identify(userId="u", traits={"plan": "pro"}, historical=True), fresh, now=now)
    [change] = react(now).values()
    assert (change.slug, change.cause, change.triggers) == ("pros", Cause.HISTORY, False)


def test_so_does_a_late_value_of_a_company(now: datetime) -> None:
    live(now, big=BIG)
    given(group("g", userId="u"), group("g", userId="v"), now=now)
    react(now)
    seats = group("g", userId="u", traits={"seats": 80}, historical=True)
    given(seats, group("g", userId="u", traits={"name": "G"}), track("unrelated", userId="v"), now=now)
    changes = react(now)
    assert {key: change.triggers for key, change in changes.items()} == {("big", "u"): False, ("big", "v"): False}


def test_what_waits_from_several_batches_is_told_apart_as_well(now: datetime) -> None:
    live(now, buyers=BOUGHT, pros=PRO)
    given(track("bought", userId="u", historical=True), now=now)
    given(identify(userId="u", traits={"plan": "pro"}), track("unrelated", userId="u"), now=now)
    changes = react(now)
    assert {change.slug: change.triggers for change in changes.values()} == {"buyers": False, "pros": True}


def test_a_fresh_one_of_the_same_name_starts_what_it_starts(now: datetime) -> None:
    live(now, buyers=BOUGHT)
    given(track("bought", userId="u", historical=True), track("bought", userId="u"), now=now)
    [change] = react(now).values()
    assert (change.cause, change.triggers) == (Cause.EVENT, True)


def test_of_a_value_the_last_word_counts(now: datetime) -> None:
    live(now, pros=PRO)
    fresh = identify(userId="u", traits={"plan": "trial"}, timestamp=ago(now, hours=1))
    given(fresh, identify(userId="u", traits={"plan": "pro"}, historical=True), now=now)
    assert [change.triggers for change in react(now).values()] == [False]
    history = identify(userId="v", traits={"plan": "trial"}, timestamp=ago(now, hours=1), historical=True)
    given(history, identify(userId="v", traits={"plan": "pro"}), now=now)
    assert [change.triggers for change in react(now).values()] == [True]


def test_nor_does_it_when_the_sweep_comes_by_at_that_moment(now: datetime) -> None:
    live(now, recent={**BOUGHT, "window": {"last": {"days": 7}}})
    given(track("unrelated", userId="u"), now=now)
    react(now)
    pulses.touch([somebody("u").pk], cause=Pulse.Cause.TIME, now=now)
    given(track("bought", userId="u", historical=True), now=now)
    assert [change.triggers for change in react(now).values()] == [False]


def test_time_still_moves_people_who_have_history(now: datetime) -> None:
    live(now, idle={"not": {**BOUGHT, "window": {"last": {"days": 7}}}})
    given(track("bought", userId="u", historical=True), now=now)
    assert react(now) == {}
    later = now + timedelta(days=8)
    assert sweep.tick(later) == 1
    [change] = react(later).values()
    assert (change.entered, change.cause, change.triggers) == (True, Cause.TIME, True)


# ── While a run is under way ─────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("seconds", [2, 200])
@pytest.mark.parametrize("flags", [{}, HISTORY])
def test_what_comes_while_a_run_is_under_way_is_seen_by_it(
    now: datetime, flags: dict[str, Any], seconds: float
) -> None:
    live(now, buyers=BOUGHT)
    given(track("bought", userId="u", **flags), now=now + timedelta(seconds=seconds))
    react(now)  # the run began before
    assert Membership.objects.count() == 1


def test_a_clock_that_is_far_off_does_not_carry_the_run_along(now: datetime) -> None:
    live(now, buyers=BOUGHT)
    given(track("bought", userId="u"), now=now + timedelta(days=2))
    given(track("bought", userId="v"), now=now + timedelta(seconds=20))
    with transaction.atomic():
        assert pulses.as_of(pulses.claim(10, now=now), now) == now + timedelta(seconds=20)


def test_history_that_is_dated_ahead_happened_when_it_came(now: datetime) -> None:
    live(now, buyers=BOUGHT)
    given(track("bought", userId="u", timestamp=ago(now, minutes=-4), historical=True), now=now)
    assert [change.triggers for change in react(now).values()] == [False]


# ── Whatever comes with whatever ─────────────────────────────────────────────────────────────────────────────────────
items = st.lists(
    st.tuples(st.sampled_from(["bought", "unrelated", "plan", "city"]), st.sampled_from(["fresh", "late", "history"])),
    min_size=1,
    max_size=6,
)


@examples(batches=st.lists(items, min_size=1, max_size=3))
def test_only_what_is_fresh_and_bears_on_a_segment_lets_it_trigger(batches: list[Any]) -> None:
    now = datetime.fromisoformat("2026-11-24T10:00:00+00:00")
    with transaction.atomic():
        live(now, buyers=BOUGHT)
        for batch in batches:
            given(*[_item(what, how, now) for what, how in batch], now=now)
        found = react(now)
        transaction.set_rollback(True)
    bought = {how for batch in batches for what, how in batch if what == "bought"}
    assert {change.triggers for change in found.values()} == ({"fresh" in bought} if bought else set())


def _item(what: str, how: str, now: datetime) -> dict[str, Any]:
    whens: dict[str, dict[str, Any]] = {"fresh": {}, "late": {"timestamp": ago(now, hours=30)}, "history": HISTORY}
    when = whens[how]
    if what in ("plan", "city"):
        return identify(userId="u", traits={what: how}, **when)
    return track(what, userId="u", **when)
