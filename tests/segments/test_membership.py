from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from profiles import pulses
from profiles.models import Profile, Pulse
from profiles.pulses import Taken
from segments import definitions, membership
from segments.models import Cause, Membership, MembershipChange, Segment
from tests.segments.world import Done, did, number

pytestmark = pytest.mark.django_db
SIGNED_UP = {"kind": "event", "name": "signed_up"}
PRO = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}


def taken(person: Profile, *names: str, cause: str = "event", attributes: tuple[str, ...] = ()) -> Taken:
    return Taken(
        person.id, frozenset({cause}), frozenset(number(n) for n in names), frozenset(attributes), (), None, None
    )


def live(slug: str, definition: Any, now: datetime, **fields: Any) -> Segment:
    return definitions.save(slug, definition=definition, status="live", now=now, **fields)


def members(slug: str) -> set[UUID]:
    return set(Membership.objects.filter(segment__slug=slug).values_list("profile_id", flat=True))


def test_a_new_live_segment_is_built_at_once(ada: Profile, ben: Profile, now: datetime) -> None:
    segment = live("pros", PRO, now)
    assert members("pros") == {ada.id}
    assert (segment.size, segment.flagged) == (1, "")
    assert MembershipChange.objects.get().cause == Cause.BUILD


def test_an_event_brings_a_person_in(ada: Profile, ben: Profile, now: datetime) -> None:
    live("new", SIGNED_UP, now)
    did([(ada.id, Done("signed_up", now))])
    [change] = membership.refresh([taken(ada, "signed_up"), taken(ben, "other")], now=now)
    assert (change.slug, change.profile_id, change.entered, change.cause, change.triggers) == (
        "new",
        ada.id,
        True,
        Cause.EVENT,
        True,
    )
    assert members("new") == {ada.id}
    assert membership.refresh([taken(ada, "signed_up")], now=now) == []


@pytest.mark.parametrize(("cause", "triggers"), [("event", True), ("history", False), ("merge", False)])
def test_only_fresh_causes_trigger(ada: Profile, now: datetime, cause: str, triggers: bool) -> None:
    live("new", SIGNED_UP, now)
    did([(ada.id, Done("signed_up", now))])
    [change] = membership.refresh([taken(ada, "signed_up", cause=cause)], now=now)
    assert (change.cause, change.triggers) == (cause, triggers)


def test_only_segments_that_depend_on_what_changed_are_asked(ada: Profile, now: datetime) -> None:
    live("new", SIGNED_UP, now)
    live("pros", PRO, now)
    membership.refresh([taken(ada, "other")], now=now)  # known from here on
    Profile.objects.filter(id=ada.id).update(attributes={"plan": "trial"})
    assert membership.refresh([taken(ada, "other")], now=now) == []
    [change] = membership.refresh([taken(ada, cause="attribute", attributes=("plan",))], now=now)
    assert (change.slug, change.entered) == ("pros", False)


def test_somebody_new_is_asked_of_every_segment(person: Any, now: datetime) -> None:
    live("not_signed_up", {"not": SIGNED_UP}, now)
    dora = person("dora")
    [change] = membership.refresh([taken(dora, "other")], now=now)
    assert (change.slug, change.entered, change.cause) == ("not_signed_up", True, Cause.EVENT)


def test_segments_that_use_segments_follow_in_the_same_pass(ada: Profile, now: datetime) -> None:
    live("new", SIGNED_UP, now)
    live("new-pros", {"all": [PRO, {"kind": "segment", "slug": "new"}]}, now)
    did([(ada.id, Done("signed_up", now))])
    changes = membership.refresh([taken(ada, "signed_up")], now=now)
    assert [change.slug for change in changes] == ["new", "new-pros"]


def test_of_a_family_the_first_that_matches_wins(ada: Profile, ben: Profile, now: datetime) -> None:
    live("paying", PRO, now, family="stage", position=1)
    live("known", {"all": []}, now, family="stage", position=2)
    assert (members("paying"), members("known")) == ({ada.id}, {ben.id})
    Profile.objects.filter(id=ben.id).update(attributes={"plan": "pro"})
    changes = membership.refresh([taken(ben, cause="attribute", attributes=("plan",))], now=now)
    assert {(c.slug, c.entered) for c in changes} == {("paying", True), ("known", False)}


def test_time_moves_people_by_way_of_the_sweep(ada: Profile, now: datetime) -> None:
    from segments import sweep

    did([(ada.id, Done("signed_up", now))])
    live("fresh", {**SIGNED_UP, "window": {"last": {"days": 7}}}, now)
    later = now + timedelta(days=7)
    assert sweep.tick(later) == 1
    assert Pulse.objects.get().cause == Pulse.Cause.TIME
    with transaction.atomic():
        [change] = membership.refresh(pulses.claim(10, now=later), now=later)
    assert (change.entered, change.cause, change.triggers) == (False, Cause.TIME, True)
    assert sweep.tick(later) == 0


def ahead(person: Profile, name: str, at: datetime) -> Taken:
    return Taken(person.id, frozenset({"event"}), frozenset({number(name)}), frozenset(), (1,), at, at)


def test_what_came_while_the_run_was_under_way_is_seen(ada: Profile, now: datetime) -> None:
    live("new", SIGNED_UP, now)
    at = now + timedelta(seconds=2)
    did([(ada.id, Done("signed_up", at))])
    [change] = membership.refresh([ahead(ada, "signed_up", at)], now=now)
    assert (change.entered, change.at) == (True, at)


def test_what_a_fast_clock_dates_ahead_is_seen_when_its_time_comes(ada: Profile, now: datetime) -> None:
    from segments import sweep

    live("new", SIGNED_UP, now)
    at = now + timedelta(minutes=4)
    did([(ada.id, Done("signed_up", at))])
    assert membership.refresh([ahead(ada, "signed_up", at)], now=now) == []
    assert sweep.tick(at - timedelta(microseconds=1)) == 0
    assert sweep.tick(at) == 1
    with transaction.atomic():
        taken_then = pulses.claim(10, now=at)
        changes = membership.refresh(taken_then, now=at)
    assert [(change.slug, change.entered) for change in changes] == [("new", True)]


def test_a_definition_that_cannot_be_read_is_flagged_and_holds_back_no_other(ada: Profile, now: datetime) -> None:
    from segments import sweep

    live("broken", SIGNED_UP, now)
    live("fresh", {**SIGNED_UP, "window": {"last": {"days": 7}}}, now)
    Segment.objects.filter(slug="broken").update(definition={"kind": "gone"})
    did([(ada.id, Done("signed_up", now))])
    assert [change.slug for change in membership.refresh([taken(ada, "signed_up")], now=now)] == ["fresh"]
    assert sweep.tick(now + timedelta(days=8)) == 1
    assert "cannot be read" in Segment.objects.get(slug="broken").flagged
    assert Segment.objects.get(slug="fresh").flagged == ""


def test_the_most_active_are_looked_through_as_a_whole(person: Any, now: datetime) -> None:
    from segments import sweep

    people = [person(f"person-{n}") for n in range(4)]
    did([(one.id, Done("a", now)) for n, one in enumerate(people) for _ in range(n + 1)])
    live("top", {"kind": "top", "name": "a", "percent": 25}, now)
    live("rest", {"not": {"kind": "segment", "slug": "top"}}, now)
    assert members("top") == {people[3].id}
    did([(people[0].id, Done("a", now)) for _ in range(9)])
    assert membership.refresh([taken(people[0], "a")], now=now) == []  # it takes everybody to say
    later = now + timedelta(minutes=5)
    assert sweep.tick(later) == 2
    with transaction.atomic():
        changes = membership.refresh(pulses.claim(10, now=later), now=later)
    assert {(c.slug, c.profile_id, c.entered, c.triggers) for c in changes} == {
        ("top", people[0].id, True, True),
        ("top", people[3].id, False, True),
        ("rest", people[0].id, False, True),
        ("rest", people[3].id, True, True),
    }
    assert (members("top"), sweep.tick(later)) == ({people[0].id}, 0)


def test_the_sweep_keeps_the_sizes(ada: Profile, ben: Profile, now: datetime) -> None:
    from segments import sweep

    live("new", SIGNED_UP, now)
    did([(ada.id, Done("signed_up", now)), (ben.id, Done("signed_up", now))])
    membership.refresh([taken(ada, "signed_up"), taken(ben, "signed_up")], now=now)
    sweep.tick(now)
    assert Segment.objects.get().size == 2


def test_a_run_that_began_earlier_does_not_undo_what_a_later_one_saw(ada: Profile, now: datetime) -> None:
    live("new", SIGNED_UP, now)
    live("new-too", {"kind": "segment", "slug": "new"}, now)
    later = now + timedelta(minutes=1)
    did([(ada.id, Done("signed_up", later))])
    membership.refresh([taken(ada, "signed_up")], now=later)
    assert membership.refresh([taken(ada, "signed_up", cause="merge")], now=now) == []
    assert members("new") == members("new-too") == {ada.id}


def test_nor_does_a_build_that_had_to_wait(ada: Profile, now: datetime) -> None:
    from segments import building

    segment = live("new", SIGNED_UP, now)
    later = now + timedelta(minutes=1)
    did([(ada.id, Done("signed_up", later))])
    membership.refresh([taken(ada, "signed_up")], now=later)
    building.build([segment], now=now, cause=Cause.DEFINITION)
    assert members("new") == {ada.id}


def test_nor_does_it_miss_who_was_put_in_by_hand_meanwhile(ada: Profile, now: datetime) -> None:
    beta = definitions.save("beta", kind="static", status="live", now=now)
    live("testers", {"kind": "segment", "slug": "beta"}, now)
    membership.add(beta, [ada.id], now=now + timedelta(minutes=1))
    with transaction.atomic():
        changes = membership.refresh(pulses.claim(10, now=now), now=now)
    assert [(change.slug, change.entered, change.cause) for change in changes] == [("testers", True, Cause.HAND)]
