from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import UUIDField
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.errors import Conflict
from profiles import catalogue, merging
from profiles.merging import Pair
from profiles.models import (
    Account,
    Event,
    EventDay,
    Identifier,
    IdentityConflict,
    Merge,
    Profile,
    Pulse,
)
from staff.models import AuditEntry

pytestmark = pytest.mark.django_db

Did = Callable[..., None]


@pytest.fixture
def did(now: datetime) -> Did:
    """Stores what somebody did, with its daily count, as ingest does."""
    return lambda profile, name, at=now, **properties: _did(profile, name, at, properties)


def _did(profile: Profile, name: str, at: datetime, properties: dict[str, Any]) -> None:
    kind = catalogue.intern([name], now=at)[name]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_event (message_id, profile_id, name_id, occurred_at, received_at, properties)"
            " VALUES (gen_random_uuid()::text, %s, %s, %s, %s, '{}')",
            [profile.id, kind, at, at],
        )
        cursor.execute(
            "INSERT INTO profiles_eventday AS d VALUES (%s, %s, (%s AT TIME ZONE 'UTC')::date, 1, %s, %s)"
            " ON CONFLICT (profile_id, name_id, day) DO UPDATE SET n = d.n + 1,"
            " first_at = least(d.first_at, excluded.first_at), last_at = greatest(d.last_at, excluded.last_at)",
            [profile.id, kind, at, at, at],
        )


def _rollup() -> set[tuple[Any, ...]]:
    return set(EventDay.objects.values_list("profile_id", "type_id", "day", "n", "first_at", "last_at"))


def _rollup_of_raw_events() -> set[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT profile_id, name_id, (occurred_at AT TIME ZONE 'UTC')::date AS day, count(*)::int,"
            " min(occurred_at), max(occurred_at) FROM profiles_event GROUP BY 1, 2, 3"
        )
        return set(cursor.fetchall())


def _merge(survivor: Profile, *absorbed: Profile, now: datetime) -> None:
    merging.merge([Pair(survivor.id, one.id) for one in absorbed], reason="They signed in.", now=now)


def test_everything_moves_to_the_survivor(ada: Profile, cleo: Profile, did: Did, now: datetime) -> None:
    did(cleo, "page", now - timedelta(days=2))
    did(cleo, "page", now)
    did(ada, "page", now - timedelta(hours=1))
    Pulse.objects.create(profile_id=cleo.id, at=now, cause=Pulse.Cause.EVENT, names=[1], events=[7])
    _merge(ada, cleo, now=now)
    assert set(Event.objects.values_list("profile_id", flat=True)) == {ada.id}
    assert set(Identifier.objects.values_list("profile_id", flat=True)) == {ada.id}
    assert _rollup() == _rollup_of_raw_events()
    assert sorted(EventDay.objects.values_list("n", flat=True)) == [1, 2]
    assert set(Pulse.objects.values_list("profile_id", "cause")) == {(ada.id, "event"), (ada.id, "merge")}
    assert not Profile.objects.filter(pk=cleo.pk).exists()


def test_the_merge_pulse_says_what_may_have_changed(ada: Profile, person: Any, did: Did, now: datetime) -> None:
    other = person(attributes={"colour": "green", "plan": "basic"}, phone="+49 30 1234567")
    did(other, "signed_up")
    _merge(ada, other, now=now)
    pulse = Pulse.objects.get(cause=Pulse.Cause.MERGE)
    assert pulse.names == list(catalogue.intern(["signed_up"], now=now).values())
    assert pulse.attributes == ["colour", "phone"]


def test_a_company_that_comes_with_a_merge_changes_all_its_values(ada: Profile, person: Any, now: datetime) -> None:
    acme = Account.objects.create(external_id="acme", attributes={"seats": 5}, created_at=now)
    _merge(ada, person(account=acme), now=now)
    ada.refresh_from_db()
    assert ada.account == acme
    assert Pulse.objects.get().attributes == ["account.name", "account.seats"]


def test_gaps_are_filled_and_of_two_the_newest_wins_where_times_are_known(person: Any, now: datetime) -> None:
    earlier, later = now.isoformat(), (now + timedelta(seconds=1)).isoformat()
    survivor = person(
        "ada",
        email="old@example.com",
        attributes={"plan": "pro", "seats": 1, "tone": "warm"},
        attribute_times={"email": earlier, "plan": later, "seats": earlier},
    )
    absorbed = person(
        email="new@example.com",
        first_name="Ada",
        attributes={"plan": "free", "seats": 2, "tone": "cold", "theme": "dark"},
        attribute_times={"email": later, "plan": earlier, "seats": later},
    )
    _merge(survivor, absorbed, now=now)
    survivor.refresh_from_db()
    assert survivor.email == "new@example.com" and survivor.first_name == "Ada"
    assert survivor.attributes == {"plan": "pro", "seats": 2, "tone": "warm", "theme": "dark"}
    assert survivor.attribute_times["seats"] == later


def test_the_survivor_keeps_its_own_id_and_takes_one_only_where_it_has_none(
    ada: Profile, ben: Profile, cleo: Profile, now: datetime
) -> None:
    _merge(ada, ben, now=now)
    _merge(cleo, ada, now=now)
    assert Profile.objects.get().external_id == "ada"
    assert set(Identifier.objects.filter(kind="user_id").values_list("value", "profile")) == {
        ("ada", cleo.id),
        ("ben", cleo.id),
    }


def test_first_and_last_seen_span_both(person: Any, now: datetime) -> None:
    survivor, absorbed = person("ada"), person(seen=now - timedelta(days=9))
    Profile.objects.filter(pk=absorbed.pk).update(last_seen_at=now + timedelta(days=1))
    _merge(survivor, absorbed, now=now)
    survivor.refresh_from_db()
    assert (survivor.first_seen_at, survivor.last_seen_at) == (now - timedelta(days=9), now + timedelta(days=1))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_chains_end_at_the_last_survivor(person: Any, did: Did, now: datetime, order: tuple[int, int]) -> None:
    a, b, c = person("a"), person(), person()
    did(c, "page")
    did(b, "page")
    pairs = [Pair(a.id, b.id), Pair(b.id, c.id)]
    merging.merge([pairs[place] for place in order], reason="Chain", now=now)
    assert list(Profile.objects.all()) == [a]
    assert Event.objects.filter(profile_id=a.id).count() == 2
    assert _rollup() == _rollup_of_raw_events()


def test_a_pair_that_is_one_already_changes_nothing(ada: Profile, cleo: Profile, now: datetime) -> None:
    merging.merge([Pair(ada.id, ada.id)], reason="The same", now=now)
    merging.merge([Pair(ada.id, cleo.id), Pair(cleo.id, ada.id)], reason="A circle", now=now)
    assert Merge.objects.count() == 1 and Profile.objects.get() == ada


def test_who_was_merged_away_meanwhile_is_followed(ada: Profile, ben: Profile, cleo: Profile, now: datetime) -> None:
    _merge(ben, cleo, now=now)
    _merge(ada, ben, now=now)
    assert merging.whoever([cleo.id, ben.id, ada.id]) == {cleo.id: ada.id, ben.id: ada.id}
    _merge(ada, cleo, now=now)
    assert Merge.objects.count() == 2


def test_conflicts_follow_the_survivor(ada: Profile, ben: Profile, person: Any, now: datetime) -> None:
    dora, eve = person("dora"), person("eve")
    for first, second in [(ada, ben), (ben, dora), (dora, ada), (eve, ben)]:
        IdentityConflict.objects.create(first=first, second=second, reason="Same device.", seen_at=now)
    _merge(ada, ben, now=now)
    settled = IdentityConflict.objects.get(resolved_at__isnull=False)
    assert settled.resolution == "They became one."
    still = IdentityConflict.objects.filter(resolved_at=None).values_list("first", "second")
    assert {frozenset(pair) for pair in still} == {frozenset((dora.id, ada.id)), frozenset((eve.id, ada.id))}


def test_no_row_of_any_table_points_at_the_absorbed(ada: Profile, ben: Profile, did: Did, now: datetime) -> None:
    did(ben, "page")
    Pulse.objects.create(profile_id=ben.id, at=now, cause=Pulse.Cause.EVENT)
    IdentityConflict.objects.create(first=ada, second=ben, reason="Same device.", seen_at=now)
    before = _pointing_at(ben.id)
    assert {"profiles.Event", "profiles.EventDay", "profiles.Identifier", "profiles.Pulse"} <= before
    _merge(ada, ben, now=now)
    # Merge says who was absorbed, and nobody is a row of that id any more.
    assert _pointing_at(ben.id) == {"profiles.Merge"}


def _pointing_at(id: UUID) -> set[str]:
    """The models with a relation to profiles, or any column of UUIDs, that holds this id."""
    found = set()
    for model in apps.get_models():
        for f in model._meta.concrete_fields:
            points = f.related_model is Profile or (isinstance(f, UUIDField) and f.related_model is None)
            if points and model is not Profile and model._base_manager.filter(**{f.name: id}).exists():
                found.add(model._meta.label)
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    deeds=st.lists(st.tuples(st.integers(0, 3), st.sampled_from("xyz"), st.integers(0, 4 * 24 * 60)), max_size=12),
    pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=4),
)
def test_after_any_merges_the_counts_are_those_of_the_raw_events(
    db: None, person: Any, did: Did, now: datetime, deeds: list[Any], pairs: list[Any]
) -> None:
    people = [person() for _ in range(4)]
    for who, name, minutes in deeds:
        did(people[who], name, now - timedelta(minutes=minutes))
    merging.merge([Pair(people[a].id, people[b].id) for a, b in pairs], reason="Any", now=now)
    assert _rollup() == _rollup_of_raw_events()
    merges = list(Merge.objects.filter(absorbed_id__in=[p.id for p in people]).order_by("-id"))
    for merge in merges:
        merging.undo(merge, now=now)
    assert _rollup() == _rollup_of_raw_events()
    assert {p.id for p in people} <= set(Profile.objects.values_list("id", flat=True))
    for who, person_ in enumerate(people):
        assert Event.objects.filter(profile_id=person_.id).count() == sum(deed[0] == who for deed in deeds)


def test_a_merge_can_be_taken_back(person: Any, did: Did, now: datetime) -> None:
    earlier, later = now.isoformat(), (now + timedelta(seconds=1)).isoformat()
    survivor = person("ada", attributes={"plan": "pro"}, attribute_times={"plan": earlier})
    absorbed = person(
        email="b@example.com",
        attributes={"plan": "free", "x": 1},
        attribute_times={"plan": later},
        seen=now - timedelta(days=3),
    )
    did(survivor, "page", now - timedelta(hours=5))
    did(absorbed, "page", now - timedelta(hours=4))
    did(absorbed, "click", now)
    was = {p.pk: Profile.objects.filter(pk=p.pk).values().get() for p in (survivor, absorbed)}
    rollup = _rollup()
    _merge(survivor, absorbed, now=now)
    Pulse.objects.all().delete()
    merging.undo(Merge.objects.get(), now=now)
    assert {p["id"]: p for p in Profile.objects.values()} == was
    assert _rollup() == rollup == _rollup_of_raw_events()
    assert Identifier.objects.filter(profile=absorbed).count() == 1
    assert set(Pulse.objects.values_list("profile_id", flat=True)) == {survivor.id, absorbed.id}
    assert AuditEntry.objects.get().summary == "Parted two profiles that had been merged."


def test_what_came_after_the_merge_stays_when_it_is_taken_back(
    ada: Profile, person: Any, did: Did, now: datetime
) -> None:
    other = person(attributes={"theme": "dark"}, phone="1")
    did(other, "page", now)
    _merge(ada, other, now=now)
    did(ada, "page", now + timedelta(minutes=1))
    ada.refresh_from_db()
    ada.attributes["theme"] = "light"
    ada.save()
    merging.undo(Merge.objects.get(), now=now)
    ada.refresh_from_db()
    assert ada.attributes == {"plan": "pro", "theme": "light"} and ada.phone is None
    assert _rollup() == _rollup_of_raw_events()


def test_two_merges_are_taken_back_in_any_order(ada: Profile, person: Any, now: datetime) -> None:
    time = lambda n: (now + timedelta(seconds=n)).isoformat()  # noqa: E731
    first = person(attributes={"theme": "dark"}, attribute_times={"theme": time(1)})
    second = person(attributes={"theme": "light"}, attribute_times={"theme": time(2)})
    _merge(ada, first, now=now)
    _merge(ada, second, now=now)
    for merge in Merge.objects.order_by("id"):
        merging.undo(merge, now=now)
    ada.refresh_from_db()
    assert "theme" not in ada.attributes


def test_a_merge_is_not_taken_back_where_that_cannot_be_done_well(
    ada: Profile, ben: Profile, cleo: Profile, now: datetime
) -> None:
    _merge(ben, cleo, now=now)
    first = Merge.objects.get()
    with pytest.raises(Conflict, match="30 days"):
        merging.undo(first, now=now + timedelta(days=31))
    _merge(ada, ben, now=now)
    with pytest.raises(Conflict, match="later merge first"):
        merging.undo(first, now=now)
    merging.undo(Merge.objects.exclude(pk=first.pk).get(), now=now)
    merging.undo(first, now=now)
    assert Profile.objects.count() == 3


def test_staff_settle_a_conflict_by_a_merge_into_the_older(person: Any, now: datetime) -> None:
    younger, older = person("younger"), person("older", seen=now - timedelta(days=2))
    conflict = IdentityConflict.objects.create(first=younger, second=older, reason="Same device.", seen_at=now)
    merging.resolve(conflict, merge=True, now=now)
    conflict.refresh_from_db()
    assert Profile.objects.get() == older
    assert (conflict.resolved_at, conflict.resolution) == (now, "They became one.")
    assert AuditEntry.objects.get().verb == "merge"
    with pytest.raises(Conflict, match="settled already"):
        merging.resolve(conflict, merge=False, now=now)


def test_staff_settle_a_conflict_by_keeping_two_apart(ada: Profile, ben: Profile, now: datetime) -> None:
    conflict = IdentityConflict.objects.create(first=ada, second=ben, reason="Same device.", seen_at=now)
    merging.resolve(conflict, merge=False, now=now)
    conflict.refresh_from_db()
    assert Profile.objects.count() == 2
    assert (conflict.resolved_at, conflict.resolution) == (now, "They stay apart.")
    assert AuditEntry.objects.get().verb == "keep apart"
