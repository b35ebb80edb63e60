"""Who a call is about, and what a browser's key may not say of them."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from profiles import rejected
from profiles.ingest import Trust
from profiles.models import Account, Identifier, IdentityConflict, Merge, Profile, Pulse, RejectedEvent
from tests.profiles.told import ago, alias, events_of, given, group, identify, somebody, track

HOUR = timedelta(hours=1)


def test_a_track_makes_somebody_new_known_or_anonymous(db: None, now: datetime) -> None:
    given(track(userId="u"), track(anonymousId="x"), now=now)
    assert (somebody("u").external_id, somebody("x").external_id) == ("u", None)
    assert set(Identifier.objects.values_list("kind", "value")) == {("user_id", "u"), ("anonymous_id", "x")}


def test_a_track_with_both_ids_is_the_users_and_links_nothing(db: None, now: datetime) -> None:
    given(track(userId="u", anonymousId="x"), now=now)
    assert list(Identifier.objects.values_list("value", flat=True)) == ["u"]


def test_one_id_may_be_of_both_kinds_without_being_one_person(db: None, now: datetime) -> None:
    given(track(userId="42"), track(anonymousId="42"), now=now)
    assert Profile.objects.count() == 2


def test_an_identify_makes_an_anonymous_person_known_with_all_they_did(db: None, now: datetime) -> None:
    given(track("Before", anonymousId="x"), now=now)
    before = somebody("x").pk
    given(identify(userId="u", anonymousId="x"), track("After", anonymousId="x"), track("Also", userId="u"), now=now)
    assert somebody("u").pk == somebody("x").pk == before
    assert somebody("u").external_id == "u"
    assert events_of("u") == ["Before", "After", "Also"]
    assert not Merge.objects.exists()


def test_an_identify_links_a_new_device_to_a_known_person(db: None, now: datetime) -> None:
    given(track(userId="u"), identify(userId="u", anonymousId="x"), now=now)
    given(track("There", anonymousId="x"), now=now)
    assert events_of("u") == ["Visited", "There"]


def test_somebody_anonymous_merges_into_somebody_known_on_their_own(db: None, now: datetime) -> None:
    given(track("Pricing", anonymousId="x", timestamp=ago(now, hours=1)), track("Paid", userId="u"), now=now)
    given(identify(anonymousId="x", traits={"plan": "trial", "city": "Bern"}, timestamp=ago(now, hours=1)), now=now)
    given(identify(userId="u", traits={"plan": "pro"}), now=now)
    survivor, absorbed = somebody("u").pk, somebody("x").pk
    given(identify(userId="u", anonymousId="x"), now=now)
    assert somebody("u").pk == somebody("x").pk == survivor
    assert events_of("u") == ["Pricing", "Paid"]
    assert somebody("u").attributes == {"plan": "pro", "city": "Bern"}
    assert Merge.objects.get().absorbed_id == absorbed
    assert not Profile.objects.filter(pk=absorbed).exists()


def test_many_merges_of_one_batch_all_happen(db: None, now: datetime) -> None:
    given(*[track(f"On {n}", anonymousId=f"x{n}") for n in range(5)], track(userId="u"), now=now)
    given(*[alias(f"x{n}", "u") for n in range(5)], track("Then", anonymousId="x3"), now=now)
    assert Profile.objects.count() == 1
    assert sorted(events_of("u")) == ["On 0", "On 1", "On 2", "On 3", "On 4", "Then", "Visited"]
    assert Merge.objects.count() == 5


@pytest.mark.parametrize("call", [identify(userId="v", anonymousId="x"), alias("x", "v"), alias("u", "v")])
def test_two_known_people_never_merge_but_are_listed_once(db: None, now: datetime, call: dict[str, Any]) -> None:
    given(identify(userId="u", anonymousId="x"), track(userId="v"), now=now)
    given(call, call, now=now)
    given(call, now=now + HOUR)
    conflict = IdentityConflict.objects.get()
    assert {conflict.first, conflict.second} == {somebody("u"), somebody("v")}
    assert conflict.reason and conflict.resolved_at is None
    assert somebody("x") == somebody("u")
    assert not Merge.objects.exists()


def test_a_conflict_that_staff_have_settled_does_not_come_back(db: None, now: datetime) -> None:
    given(identify(userId="u", anonymousId="x"), identify(userId="v", anonymousId="x"), now=now)
    IdentityConflict.objects.update(resolved_at=now, resolution="They stay apart.")
    given(identify(userId="v", anonymousId="x"), now=now)
    assert IdentityConflict.objects.get().resolved_at == now


def test_somebody_else_on_the_same_device_is_somebody_else(db: None, now: datetime) -> None:
    given(identify(userId="u", anonymousId="x", traits={"plan": "pro"}), now=now)
    given(identify(userId="new", anonymousId="x", traits={"plan": "trial"}), now=now)
    assert somebody("x") == somebody("u") != somebody("new")
    assert (somebody("u").attributes, somebody("new").attributes) == ({"plan": "pro"}, {"plan": "trial"})


def test_an_alias_looks_for_an_anonymous_id_first_and_then_for_a_user_id(db: None, now: datetime) -> None:
    given(track("As a device", anonymousId="both"), track("As a user", userId="both"), now=now)
    given(alias("both", "u"), now=now)
    assert events_of("u") == ["As a device"]
    assert not IdentityConflict.objects.exists()
    given(alias("both", "v"), now=now)  # now it leads to u, whom we know
    assert IdentityConflict.objects.count() == 1


def test_an_alias_gives_somebody_known_a_further_user_id_that_nobody_has_yet(db: None, now: datetime) -> None:
    given(track("Before", userId="u"), alias("u", "v"), track("After", userId="v"), now=now)
    given(alias("u", "v"), now=now)
    assert Profile.objects.get().external_id == "u"
    assert somebody("u") == somebody("v")
    assert events_of("v") == ["Before", "After"]
    assert not IdentityConflict.objects.exists() and not Merge.objects.exists()


def test_AZ05_a_browser_gives_nobody_known_a_further_user_id(db: None, now: datetime) -> None:
    given(track(userId="u"), now=now)
    browser(alias("u", "v"), now=now)
    assert somebody("u") != somebody("v")
    assert RejectedEvent.objects.get().type == "alias"


def test_an_alias_of_an_id_that_nobody_has_yet_waits_for_it(db: None, now: datetime) -> None:
    given(alias("x", "u"), now=now)
    given(track("Late", anonymousId="x"), now=now)
    assert events_of("u") == ["Late"]


def test_the_same_id_twice_does_nothing(db: None, now: datetime) -> None:
    assert given(alias("u", "u"), now=now).stored == 1
    assert not Profile.objects.exists()
    given(alias("x", "u"), now=now)
    assert given(alias("x", "u"), alias("u", "u"), identify(userId="u", anonymousId="x"), now=now).stored == 3
    assert Profile.objects.count() == 1
    assert not IdentityConflict.objects.exists()


def test_events_that_move_in_a_merge_are_taken_on_by_the_survivor(db: None, now: datetime) -> None:
    given(track("Signed up", anonymousId="x"), track(userId="u"), alias("x", "u"), now=now)
    assert {pulse.profile_id for pulse in Pulse.objects.all()} == {somebody("u").pk}
    assert {pulse.cause for pulse in Pulse.objects.all()} == {"event", "merge"}


# ── A browser's key ──────────────────────────────────────────────────────────────────────────────────────────────────


def browser(*items: Any, now: datetime) -> Any:
    return given(*items, now=now, trust=Trust.BROWSER)


EMAIL = {"email": "evil@example.com", "phone": "666", "plan": "pro"}


def test_AZ05_a_browser_introduces_somebody_new_with_their_address(db: None, now: datetime) -> None:
    browser(track(anonymousId="x"), identify(userId="u", anonymousId="x", traits=EMAIL), now=now)
    ada = somebody("u")
    assert (ada.email, ada.phone, ada.attributes) == ("evil@example.com", "666", {"plan": "pro"})
    assert events_of("u") == ["Visited"]
    assert not RejectedEvent.objects.exists()


def test_AZ05_a_browser_sets_the_address_of_somebody_anonymous(db: None, now: datetime) -> None:
    browser(identify(anonymousId="x", traits=EMAIL), now=now)
    browser(identify(anonymousId="x", traits={"email": "other@example.com"}), now=now)
    assert somebody("x").email == "other@example.com"


@pytest.mark.parametrize("known_address", [None, "ada@example.com"])
def test_AZ05_a_browser_cannot_change_the_address_of_somebody_known(
    db: None, now: datetime, known_address: str | None
) -> None:
    given(identify(userId="u", traits={"email": known_address}), now=now - HOUR)
    receipt = browser(identify(userId="u", traits=EMAIL), now=now)
    ada = somebody("u")
    assert (ada.email, ada.phone, ada.attributes) == (known_address, None, {"plan": "pro"})
    assert receipt.rejected == []  # the answer does not say whether anybody has this id
    kept = RejectedEvent.objects.get()
    assert "browser's key cannot change" in kept.reason
    assert "evil@example.com" in kept.payload and "666" in kept.payload and "pro" not in kept.payload


def test_AZ05_nor_by_way_of_the_anonymous_id_that_leads_to_them(db: None, now: datetime) -> None:
    browser(identify(userId="u", anonymousId="x"), now=now)
    assert browser(identify(anonymousId="x", traits=EMAIL), now=now).rejected == []
    ada = somebody("u")
    assert (ada.email, ada.phone, ada.attributes) == (None, None, {"plan": "pro"})
    kept = RejectedEvent.objects.get()
    assert json.loads(kept.payload) == {
        "type": "identify",
        "anonymousId": "x",
        "traits": {"email": "evil@example.com", "phone": "666"},
        "timestamp": now.isoformat(),
    }
    assert rejected.replay([kept.pk], now=now).taken == 1
    assert somebody("u").phone == "666"


@pytest.mark.parametrize("link", [identify(userId="u", anonymousId="x"), alias("x", "u")])
def test_AZ05_a_link_that_a_browser_may_not_make_is_kept_once_for_staff(
    db: None, now: datetime, link: dict[str, Any]
) -> None:
    given(track(userId="u"), track("Anonymously", anonymousId="x"), now=now)
    for hours in range(3):
        assert browser(link, link, now=now + hours * HOUR).rejected == []
    assert somebody("x") != somebody("u")
    kept = RejectedEvent.objects.get()
    assert "browser's key cannot" in kept.reason
    assert rejected.replay([kept.pk], now=now).taken == 1
    assert somebody("x") == somebody("u")


def test_AZ05_an_address_that_is_known_already_may_be_said_again(db: None, now: datetime) -> None:
    given(identify(userId="u", traits={"email": "ada@example.com"}), now=now)
    browser(identify(userId="u", traits={"email": "ada@example.com", "plan": "pro"}), now=now)
    assert somebody("u").attributes == {"plan": "pro"}
    assert not RejectedEvent.objects.exists()


@pytest.mark.parametrize("link", [identify(userId="u", anonymousId="x"), alias("x", "u")])
@pytest.mark.parametrize(
    ("before", "linked"),
    [
        ([identify(userId="u")], True),
        ([group("g", userId="u")], True),
        ([track(userId="u")], False),
        ([{"type": "page", "userId": "u"}], False),
        ([identify(userId="u", anonymousId="other device")], False),
        ([track(anonymousId="other device"), identify(userId="u", anonymousId="other device")], False),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_AZ05_a_browser_links_only_to_somebody_without_earlier_traffic(
    db: None, now: datetime, link: dict[str, Any], before: list[Any], linked: bool, together: bool
) -> None:
    given(track("Anonymously", anonymousId="x"), now=now)
    if together:
        browser(*before, link, now=now)
    else:
        given(*before, now=now)
        browser(link, now=now)
    assert (somebody("x") == somebody("u")) is linked
    assert not IdentityConflict.objects.exists()
    assert somebody("x").external_id == ("u" if linked else None)


def test_AZ05_a_browser_brings_no_address_by_way_of_a_merge(db: None, now: datetime) -> None:
    given(identify(userId="u", traits={"plan": "pro"}), now=now)
    browser(identify(anonymousId="x", traits=EMAIL), identify(userId="u", anonymousId="x"), now=now)
    assert somebody("u") != somebody("x")
    assert somebody("u").email is None


@pytest.mark.parametrize("call", [alias("u", "v"), alias("x", "v"), identify(userId="v", anonymousId="x")])
def test_AZ05_a_browser_cannot_alias_somebody_known_nor_fill_the_list_of_conflicts(
    db: None, now: datetime, call: dict[str, Any]
) -> None:
    given(identify(userId="u", anonymousId="x"), track(userId="v"), now=now)
    assert browser(call, now=now).rejected == []
    assert somebody("x") == somebody("u") != somebody("v")
    assert not IdentityConflict.objects.exists() and not Merge.objects.exists()


def test_AZ05_a_browser_fills_only_a_new_company_and_moves_nobody(db: None, now: datetime) -> None:
    given(group("acme", userId="u", traits={"seats": 5}), now=now)
    browser(group("acme", userId="v", traits={"seats": 500}), now=now)
    browser(group("evil", userId="u", traits={"seats": 1}), group("evil", userId="u", traits={"seats": 2}), now=now)
    assert somebody("v").account == somebody("u").account == Account.objects.get(external_id="acme")
    assert {a.external_id: a.attributes for a in Account.objects.all()} == {"acme": {"seats": 5}, "evil": {"seats": 1}}


def test_an_import_is_believed_like_a_server(db: None, now: datetime) -> None:
    given(track(userId="u"), track(anonymousId="x"), now=now)
    given(identify(userId="u", anonymousId="x", traits=EMAIL), now=now, trust=Trust.IMPORT)
    assert somebody("x").email == "evil@example.com"
