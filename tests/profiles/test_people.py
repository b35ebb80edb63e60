from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.errors import Invalid
from profiles import merging, people
from profiles.merging import Pair
from profiles.models import Account, Identifier, Profile, Pulse

pytestmark = pytest.mark.django_db


def _pulse() -> tuple[str, list[str]]:
    pulse = Pulse.objects.get()
    pulse.delete()
    return pulse.cause, pulse.attributes


def test_put_makes_somebody_new(now: datetime) -> None:
    profile, created = people.put("ada", {"email": "ada@example.com", "attributes": {"plan": "pro"}}, now=now)
    assert created and people.find("ada") == profile
    assert (profile.email, profile.attributes) == ("ada@example.com", {"plan": "pro"})
    assert profile.first_seen_at == profile.last_seen_at == now
    assert profile.attribute_times == {"email": now.isoformat(), "plan": now.isoformat()}
    assert _pulse() == ("attribute", ["email", "plan"])


def test_put_replaces_the_whole(ada: Profile, now: datetime) -> None:
    profile, created = people.put("ada", {"first_name": "Augusta", "attributes": {"seats": 3}}, now=now)
    profile.refresh_from_db()
    assert not created and profile.pk == ada.pk
    assert (profile.email, profile.first_name, profile.attributes) == (None, "Augusta", {"seats": 3})
    assert _pulse() == ("attribute", ["email", "first_name", "plan", "seats"])
    assert profile.attribute_times["plan"] == now.isoformat(), "what is emptied stays so against late data"


def test_put_of_the_same_changes_nothing_and_wakes_nobody(now: datetime) -> None:
    same = {"email": "ada@example.com", "attributes": {"plan": "pro", "tags": [1, "a"]}, "account": "acme"}
    people.put("ada", same, now=now)
    Pulse.objects.all().delete()
    people.put("ada", same, now=now + timedelta(hours=1))
    assert not Pulse.objects.exists()


def test_patch_merges_key_by_key_and_null_empties(ada: Profile, now: datetime) -> None:
    profile = people.patch("ada", {"email": None, "attributes": {"plan": None, "seats": 2}}, now=now)
    profile.refresh_from_db()
    assert (profile.email, profile.first_name, profile.attributes) == (None, "Ada", {"seats": 2})
    assert _pulse() == ("attribute", ["email", "plan", "seats"])


def test_true_is_not_the_number_one(now: datetime) -> None:
    people.put("ada", {"attributes": {"beta": 1}}, now=now)
    Pulse.objects.all().delete()
    people.patch("ada", {"attributes": {"beta": True}}, now=now)
    assert _pulse() == ("attribute", ["beta"])


def test_patch_of_nobody_is_refused(now: datetime) -> None:
    with pytest.raises(Profile.DoesNotExist):
        people.patch("nobody", {"email": "a@example.com"}, now=now)


def test_a_company_is_made_and_its_values_count_as_changed(ada: Profile, now: datetime) -> None:
    Account.objects.create(external_id="acme", attributes={"tier": "gold"}, created_at=now)
    people.patch("ada", {"account": "acme"}, now=now)
    assert _pulse() == ("attribute", ["account.name", "account.tier"])
    people.patch("ada", {"first_name": "A."}, now=now)
    assert _pulse() == ("attribute", ["first_name"])
    people.patch("ada", {"account": "other"}, now=now)
    ada.refresh_from_db()
    assert ada.account == Account.objects.get(external_id="other")
    assert _pulse() == ("attribute", ["account.name", "account.tier"])
    people.put("ada", {}, now=now)
    ada.refresh_from_db()
    assert ada.account is None


def test_values_are_read_as_the_tracking_api_reads_them(now: datetime) -> None:
    profile, _ = people.put("ada", {"created_at": "2026-01-31", "timezone": "Europe/Berlin", "locale": "de"}, now=now)
    profile.refresh_from_db()
    assert profile.created_at == datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "path", "words"),
    [
        ({"email": "no address"}, "email", "email address"),
        ({"email": 5}, "email", "text"),
        ({"timezone": "Mars/Olympus"}, "timezone", "IANA"),
        ({"created_at": "yesterday"}, "created_at", "RFC 3339"),
        ({"plan": "pro"}, "plan", "attributes"),
        ({"attributes": []}, "attributes", "object"),
        ({"attributes": {" ": 1}}, "attributes", "blank"),
        ({"attributes": {"$ours": 1}}, "attributes", r"\$"),
        ({"attributes": {"deep": {"bad": "nul\x00"}}}, "attributes.deep.bad", "NUL"),
        ({"attributes": {"big": 2**60}}, "attributes.big", "2\\^53"),
        ({"account": ""}, "account", "blank"),
        ({"account": 7}, "account", "text"),
    ],
)
def test_bad_values_are_refused_with_their_path(values: dict[str, Any], path: str, words: str, now: datetime) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        people.put("ada", values, now=now)
    assert [problem.path for problem in refused.value.problems] == [path]
    assert not Profile.objects.exists()


@pytest.mark.parametrize("bad", ["", "  ", "x" * 256, "nul\x00"])
def test_an_id_that_cannot_be_kept_is_refused(bad: str, now: datetime) -> None:
    with pytest.raises(Invalid):
        people.put(bad, {}, now=now)


def test_an_id_that_came_with_a_merge_leads_to_who_they_are_today(ada: Profile, ben: Profile, now: datetime) -> None:
    merging.merge([Pair(ada.id, ben.id)], reason="One person", now=now)
    assert people.find("ben") == ada
    profile, created = people.put("ben", {"first_name": "Both"}, now=now)
    assert (profile.pk, profile.external_id, created) == (ada.pk, "ada", False)


def test_all_that_is_known_stands_under_one_set_of_names(now: datetime) -> None:
    profile, _ = people.put("ada", {"email": "a@example.com", "attributes": {"email": "x", "phone": "1"}}, now=now)
    assert people.attributes_of(profile) == {"email": "a@example.com", "phone": "1"}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.dictionaries(st.sampled_from([*Profile.COLUMNS, "attributes", "account", "x"]), _json, max_size=4))
def test_JS01_whatever_is_put_is_stored_as_it_is_or_refused_in_words(db: None, now: datetime, values: Any) -> None:
    try:
        profile, _ = people.put("any", values, now=now)
    except Invalid as refused:
        assert all(problem.reason for problem in refused.problems)
        return
    profile.refresh_from_db()
    given_ = values.get("attributes", {})
    assert profile.attributes == {name: value for name, value in given_.items() if value is not None}
    assert Identifier.objects.filter(value="any").count() == 1


# ── Many at once ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_values_of_many_are_set_with_one_read_and_one_write(
    now: datetime, person: Any, django_assert_max_num_queries: Any
) -> None:
    many = [person(f"p{n}", attributes={"n": n}) for n in range(30)]
    values = {one.id: {"stage": "onboarded", "n": n, "first_name": "X"} for n, one in enumerate(many)}
    with django_assert_max_num_queries(3):
        changed = people.set_attributes(values, now=now)
    assert changed == {one.id: {"stage", "first_name"} for one in many}
    for n, one in enumerate(many):
        one.refresh_from_db()
        assert (one.first_name, one.attributes) == ("X", {"n": n, "stage": "onboarded"})
        assert set(one.attribute_times) == {"n", "stage", "first_name"}
    causes = Pulse.objects.values_list("profile_id", "cause", "attributes")
    assert {(p, c, tuple(a)) for p, c, a in causes} == {(one.id, "attribute", ("first_name", "stage")) for one in many}


def test_what_came_about_later_stays(ada: Profile, now: datetime) -> None:
    people.patch("ada", {"attributes": {"plan": "team"}}, now=now + timedelta(hours=1))
    Pulse.objects.all().delete()
    assert people.set_attributes({ada.id: {"plan": "free", "seats": 2}}, now=now) == {ada.id: {"seats"}}
    ada.refresh_from_db()
    assert ada.attributes == {"plan": "team", "seats": 2}
    assert _pulse() == ("attribute", ["seats"])


def test_null_empties_and_the_same_wakes_nobody(ada: Profile, now: datetime) -> None:
    assert people.set_attributes({ada.id: {"plan": None, "email": None}}, now=now) == {ada.id: {"plan", "email"}}
    ada.refresh_from_db()
    assert (ada.email, ada.attributes, ada.attribute_times["plan"]) == (None, {}, now.isoformat())
    Pulse.objects.all().delete()
    assert people.set_attributes({ada.id: {"plan": None}}, now=now) == {}
    assert not Pulse.objects.exists()


@pytest.mark.parametrize(
    ("values", "path"), [({"email": 7}, "email"), ({"$x": 1}, "attributes"), ({"a": "\x00"}, "attributes.a")]
)
def test_what_cannot_be_set_for_one_is_set_for_nobody(
    values: dict[str, Any], path: str, ada: Profile, ben: Profile, now: datetime
) -> None:
    with pytest.raises(Invalid) as refusal:
        people.set_attributes({ada.id: {"plan": "x"}, ben.id: values}, now=now)
    assert [problem.path for problem in refusal.value.problems] == [path]
    ada.refresh_from_db()
    assert ada.attributes == {"plan": "pro"}


def test_who_is_gone_is_passed_over(ada: Profile, now: datetime) -> None:
    assert people.set_attributes({Profile().id: {"a": 1}, ada.id: {"a": 1}}, now=now) == {ada.id: {"a"}}
