"""Whose data may only be stored, or may not serve marketing, is in no segment that they must not be in."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from consent import limits as consent_limits
from consent.models import Limit
from profiles import pulses
from profiles.models import Profile, Pulse
from segments import definitions, limits, membership, sweep
from segments.membership import Change
from segments.models import Cause, Membership, MembershipChange, Segment

pytestmark = pytest.mark.django_db
EVERYBODY: dict[str, Any] = {"all": []}


def members(slug: str) -> set[Any]:
    return set(Membership.objects.filter(segment__slug=slug).values_list("profile_id", flat=True))


def follow(now: datetime) -> list[Change]:
    with transaction.atomic():
        return membership.refresh(pulses.claim(100, now=now), now=now)


def live(slug: str, now: datetime, definition: Any = EVERYBODY, **fields: Any) -> Segment:
    return definitions.save(slug, definition=definition, status="live", now=now, **fields)


def test_CO10_who_is_restricted_is_in_no_segment_and_comes_back(ada: Profile, ben: Profile, now: datetime) -> None:
    live("offers", now)
    live("analysis", now, marketing=False)
    live("both", now, {"kind": "segment", "slug": "offers"})
    live("most-active", now, {"not": {"kind": "top", "name": "*", "percent": 50}})
    every = ("offers", "analysis", "both", "most-active")
    follow(now)
    consent_limits.restrict(ada, now=now)
    changes = follow(now)
    assert {(one.slug, one.profile_id, one.entered, one.triggers) for one in changes} == {
        (slug, ada.id, False, False) for slug in every
    }
    assert all(members(slug) == {ben.id} for slug in every)
    assert set(MembershipChange.objects.filter(entered=False).values_list("cause", flat=True)) == {Cause.LIMIT}
    assert definitions.preview(EVERYBODY, at=now).members == ["ben"]
    assert definitions.preview(EVERYBODY, at=now, marketing=False).members == ["ben"]
    # A build, a sweep and an event of theirs change nothing of it.
    live("offers", now, {"any": [EVERYBODY]})
    pulses.touch([ada.id], cause=Pulse.Cause.EVENT, now=now, attributes=["plan"])
    sweep.tick(now + timedelta(days=2))
    assert follow(now + timedelta(days=2)) == [] and members("offers") == {ben.id}
    consent_limits.lift(ada, Limit.Kind.RESTRICTED, now=now)
    back = follow(now + timedelta(days=2))
    assert {one.slug for one in back} == set(every) and not any(one.triggers for one in back)
    assert all(members(slug) == {ada.id, ben.id} for slug in every)


def test_CO04_who_objects_is_in_no_segment_for_marketing(ada: Profile, ben: Profile, now: datetime) -> None:
    live("offers", now)
    live("analysis", now, marketing=False)
    follow(now)
    consent_limits.object_all(ada, now=now)
    assert [one.slug for one in follow(now) if one.profile_id == ada.id] == ["offers"]
    assert (members("offers"), members("analysis")) == ({ben.id}, {ada.id, ben.id})
    assert definitions.preview(EVERYBODY, at=now).members == ["ben"]
    assert definitions.preview(EVERYBODY, at=now, marketing=False).members == ["ada", "ben"]
    # What the segment is used for decides, as soon as that is said.
    definitions.save("offers", marketing=False, now=now)
    definitions.save("analysis", marketing=True, now=now)
    assert (members("offers"), members("analysis")) == ({ada.id, ben.id}, {ben.id})


def test_CO04_a_family_does_not_sort_them_elsewhere(ada: Profile, now: datetime) -> None:
    live("first", now, family="stage", position=1)
    live("second", now, family="stage", position=2, marketing=False)
    consent_limits.object_all(ada, now=now)
    follow(now)
    assert members("first") == members("second") == set()


def test_CO10_segments_filled_by_hand_hold_nobody_who_must_not_be_in_them(
    ada: Profile, ben: Profile, now: datetime
) -> None:
    offers = live("offers", now, kind="static")
    others = live("others", now, {"not": {"kind": "segment", "slug": "offers"}})
    membership.add(offers, [ada.id], now=now)
    follow(now)
    assert (members("offers"), members(others.slug)) == ({ada.id}, {ben.id})
    consent_limits.object_all(ada, now=now)
    follow(now)
    assert members("offers") == set() and members("others") == {ben.id}
    assert membership.add(offers, [ada.id, ben.id], now=now) != [] and members("offers") == {ben.id}
    consent_limits.lift(ada, Limit.Kind.OBJECTED, now=now)
    follow(now + timedelta(hours=1))
    assert members("offers") == {ada.id, ben.id}
    consent_limits.object_all(ada, now=now + timedelta(hours=2))
    follow(now + timedelta(hours=2))
    definitions.save("offers", marketing=False, now=now + timedelta(hours=3))
    assert members("offers") == {ada.id, ben.id}


def test_CO10_why_somebody_is_kept_out_is_said_in_words(ada: Profile, now: datetime) -> None:
    assert limits.kept_out(ada.id) == []
    consent_limits.object_all(ada, now=now)
    assert "object to all marketing" in limits.kept_out(ada.id)[0] and limits.kept_out(ada.id, marketing=False) == []
    consent_limits.restrict(ada, now=now)
    assert [said.partition(",")[0] for said in limits.kept_out(ada.id, marketing=False)] == [
        "What is known of them may only be stored"
    ]
