"""The sample behaviour is what was published, moved by whole days, and the same every time."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from playbooks.demo import behaviour

NOW = datetime(2026, 11, 24, 21, 0, tzinfo=UTC)
MUSIC_MOVED = behaviour.days_to_move(behaviour.MUSIC_LAST, NOW)
WEB_MOVED = behaviour.days_to_move(behaviour.WEB_LAST, NOW)


@pytest.fixture(scope="module")
def music() -> list[behaviour.Call]:
    return list(behaviour.music_shop(MUSIC_MOVED))


@pytest.fixture(scope="module")
def web() -> list[behaviour.Call]:
    return list(behaviour.web_shop(WEB_MOVED))


def _tracked(calls):
    return [call for call in calls if call["type"] == "track"]


def test_the_music_shop_has_all_purchases_and_people_that_were_published(music):
    assert len(_tracked(music)) == behaviour.MUSIC.events == 69_659
    assert len({call["userId"] for call in music}) == behaviour.MUSIC.people == 23_570
    dollars = sum(call["properties"]["value"] for call in _tracked(music))
    assert round(dollars / 1e6, 2) == 2.50


def test_the_web_shop_has_all_events_of_each_kind_that_were_published(web):
    kinds = Counter(call["event"] for call in _tracked(web))
    assert sum(kinds.values()) == behaviour.WEB.events == 31_106
    published = {
        "product_view": 6_851,
        "add_to_cart": 1_346,
        "purchase": 470,
        "support_chat": 277,
        "payment_error": 119,
    }
    assert {name: kinds[name] for name in published} == published
    assert len({call["userId"] for call in web}) == behaviour.WEB.people == 600


def test_each_set_ends_as_late_as_whole_days_allow(music, web):
    assert max(map(behaviour.at_of, music)) == datetime(2026, 11, 24, tzinfo=UTC)
    last = max(map(behaviour.at_of, web))
    assert NOW - timedelta(days=1) < last <= NOW
    assert last.time() == behaviour.WEB_LAST.time()


def test_intervals_stay_as_they_were(music):
    unmoved = behaviour.music_shop(timedelta(0))
    assert all(
        behaviour.at_of(moved) - behaviour.at_of(first) == MUSIC_MOVED
        for moved, first in zip(music, unmoved, strict=True)
    )


def test_every_call_has_its_own_id_and_the_same_one_each_time(music, web):
    ids = [call["messageId"] for call in [*music, *web]]
    assert len(set(ids)) == len(ids)
    assert ids[:50] == [
        call["messageId"] for call, _ in zip(behaviour.music_shop(timedelta(5)), range(50), strict=False)
    ]


def test_everybody_is_introduced_before_they_do_anything(music, web):
    known: set[str] = set()
    for call in [*music, *web]:
        if call["type"] == "identify":
            known.add(call["userId"])
        assert call["userId"] in known


def test_addresses_belong_to_nobody(music, web):
    addresses = {call["traits"]["email"] for call in [*music, *web] if call["type"] == "identify"}
    assert len(addresses) == 24_170
    assert all(address.endswith("@example.com") for address in addresses)


def test_four_people_in_five_agree_and_always_the_same(music):
    people = {call["userId"] for call in music}
    agreed = {user for user in people if behaviour.agrees(user)}
    assert 0.78 < len(agreed) / len(people) < 0.82
    assert agreed == {user for user in people if behaviour.agrees(user)}


def test_a_share_tells_all_of_some_people_and_nothing_of_the_others(music):
    told = list(behaviour.music_shop(MUSIC_MOVED, 10))
    people = {call["userId"] for call in told}
    assert 0.08 < len(people) / behaviour.MUSIC.people < 0.12
    assert told == [call for call in music if call["userId"] in people]
    assert behaviour.totals(10).events == len(_tracked(told)) + len(_tracked(list(behaviour.web_shop(WEB_MOVED, 10))))
