from collections.abc import Callable
from datetime import datetime, time, timedelta
from itertools import combinations_with_replacement
from typing import Any

import pytest

from consent import ledger, preferences, states, verification
from consent.ledger import EVERYTHING, Choice, Outcome
from consent.models import ConsentRecord, ConsentState, Preference, RefusedUpgrade, Subject, Topic
from foundation import clock
from profiles import merging
from profiles.merging import Pair
from profiles.models import Merge, Profile

Source = ConsentRecord.Source
Decide = Callable[..., Outcome]

# What somebody may have said of the news by email, most restrictive first.
SAID: dict[str, list[tuple[Any, ...]]] = {
    "refused everything": [(EVERYTHING, EVERYTHING, "denied")],
    "refused the channel": [(EVERYTHING, "email", "denied")],
    "refused it": [("news", "email", "denied")],
    "agreed, then refused everything": [("news", "email", "granted"), (EVERYTHING, EVERYTHING, "denied")],
    "refused everything, then agreed": [(EVERYTHING, EVERYTHING, "denied"), ("news", "email", "granted")],
    "agreed until before": [("news", "email", "granted", timedelta(minutes=30))],
    "agreed until later": [("news", "email", "granted", timedelta(days=30))],
    "agreed": [("news", "email", "granted")],
    "said nothing": [],
}


def merge(survivor: Profile, absorbed: Profile, now: datetime) -> None:
    merging.merge([Pair(survivor.id, absorbed.id)], reason="test", now=now)


def state_of(profile: Profile, topic: str = "news", channel: str = "email", now: datetime | None = None) -> str | None:
    found = states.of([profile.id], topic, channel, now=now).get(profile.id)
    return found.state if found else None


@pytest.mark.parametrize(("mine", "theirs"), list(combinations_with_replacement(SAID, 2)))
def test_CO24_of_two_decisions_the_more_restrictive_stands_whoever_lives_on(
    person: Callable[..., Profile],
    news: Topic,
    tips: Topic,
    decide: Decide,
    now: datetime,
    mine: str,
    theirs: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = []
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=1))
    for place, (first, second) in enumerate([(mine, theirs), (theirs, mine)]):
        survivor, absorbed = person(f"survivor-{place}"), person(f"absorbed-{place}")
        for one, said in ((survivor, first), (absorbed, second)):
            for minutes, (topic, channel, state, *ends) in enumerate(SAID[said]):
                until = now + ends[0] if ends else None
                decide(one, topic, state, channel, now=now + timedelta(minutes=minutes), expires_at=until)
        at = now + timedelta(hours=1)
        each = [state_of(one, now=at) for one in (survivor, absorbed)]
        merge(survivor, absorbed, at)
        ends_at = survivor.consents.filter(topic="news").values_list("expires_at", flat=True).first()
        ends_at = ends_at if ends_at and ends_at > at else None
        found.append((state_of(survivor, now=at), state_of(survivor, "tips"), ends_at))
        expected = next((state for state in ("denied", "expired", "granted") if state in each), None)
        assert state_of(survivor, now=at) == expected
        assert (ends_at is not None) == (expected == "granted" and "agreed until later" in (mine, theirs))
    assert found[0] == found[1]
    assert not RefusedUpgrade.objects.exists()
    assert not list(verification.verify())


def test_CO24_both_ledgers_stay_and_point_at_the_survivor(
    ada: Profile, ben: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(ada, "news", "granted")
    decide(ben, "news", "denied", now=now - timedelta(days=3))
    merge(ada, ben, now)
    assert ConsentRecord.objects.count() == 3
    assert {subject.current for subject in Subject.objects.filter(profile=ada)} == {True, False}
    row = ConsentRecord.objects.get(source=Source.MERGE)
    assert (row.state, row.occurred_at) == ("denied", now - timedelta(days=3))


def test_a_visitor_who_decided_nothing_leaves_no_trace_in_the_ledger(
    ada: Profile, cleo: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(ada, "news", "granted")
    merge(ada, cleo, now)
    assert state_of(ada) == "granted"
    assert ConsentRecord.objects.count() == Subject.objects.count() == 1


def test_several_become_one_at_once(
    ada: Profile, ben: Profile, cleo: Profile, news: Topic, tips: Topic, decide: Decide, now: datetime
) -> None:
    decide(ben, "news", "granted")
    decide(ben, "tips", "denied")
    decide(cleo, "news", "denied")
    merging.merge([Pair(ben.id, cleo.id), Pair(ada.id, ben.id)], reason="test", now=now)
    assert (state_of(ada), state_of(ada, "tips")) == ("denied", "denied")
    assert Subject.objects.filter(profile=ada).count() == 3
    assert not list(verification.verify())


def test_CO12_an_attempt_that_was_refused_is_remembered_across_a_merge(
    ada: Profile, ben: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(ben, "news", "denied")
    decide(ben, "news", "granted", source=Source.IMPORT)
    merge(ada, ben, now)
    assert RefusedUpgrade.objects.get().profile == ada


def test_wishes_for_less_win(ada: Profile, ben: Profile, now: datetime) -> None:
    until = now + timedelta(days=30)
    Preference.objects.create(profile=ada, intensity="more", hours_from=time(9), hours_to=time(17))
    Preference.objects.create(profile=ben, intensity="less", paused_until=until, time_zone="Asia/Tokyo")
    merge(ada, ben, now)
    wish = preferences.of([ada.id])[ada.id]
    assert (wish.intensity, wish.paused_until, wish.hours_from, wish.time_zone) == (
        "less",
        until,
        time(9),
        "Asia/Tokyo",
    )


def test_wishes_go_over_to_who_had_none(ada: Profile, ben: Profile, now: datetime) -> None:
    Preference.objects.create(profile=ben, intensity="less")
    merge(ada, ben, now)
    assert preferences.of([ada.id])[ada.id].intensity == "less"


def test_a_merge_that_is_taken_back_gives_each_their_own_decisions(
    ada: Profile, ben: Profile, news: Topic, tips: Topic, decide: Decide, now: datetime
) -> None:
    decide(ada, "news", "denied")
    decide(ben, "news", "granted")
    decide(ben, "tips", "denied")
    ref = Subject.objects.get(profile=ben).ref
    merge(ada, ben, now)
    merging.undo(Merge.objects.get(), now=now + timedelta(days=1))
    again = Profile.objects.get(id=ben.id)
    assert Subject.objects.get(profile=again, current=True).ref == ref
    assert (state_of(again), state_of(again, "tips")) == ("denied", "denied")  # each refusal counts for both
    assert (state_of(ada), state_of(ada, "tips")) == ("denied", "denied")
    assert not list(verification.verify())


def test_a_merge_that_is_taken_back_gives_nobody_a_consent_of_the_other(
    ada: Profile, ben: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(ada, "news", "granted")
    merge(ada, ben, now)
    merging.undo(Merge.objects.get(), now=now + timedelta(days=1))
    assert state_of(Profile.objects.get(id=ben.id)) is None


def test_what_is_decided_after_a_merge_goes_on_in_the_survivors_chain(
    ada: Profile, ben: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(ada, "news", "denied")
    decide(ben, "news", "denied")
    merge(ada, ben, now)
    choice = Choice(profile_id=ada.id, topic="news", channel="email", state="granted", source=Source.PAGE)
    row = ledger.record([choice], now=now + timedelta(days=1))[0].rows[0]
    assert row.subject_ref == Subject.objects.get(profile=ada, current=True).ref
    assert ConsentState.objects.get(profile=ada).state == "granted"
