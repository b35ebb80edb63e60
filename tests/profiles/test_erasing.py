import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from foundation import registry
from profiles import erasing, merging, people
from profiles.merging import Pair
from profiles.models import (
    AttributeType,
    Event,
    EventDay,
    EventType,
    IdentityConflict,
    ImportJob,
    Profile,
    Pulse,
    RejectedEvent,
    Tombstone,
)
from staff.models import AuditEntry, IdempotentAnswer

pytestmark = pytest.mark.django_db

EMAIL, ID, DEVICE, PHONE = "canary.zq@example.com", "canary-user-zq", "canary-device-zq", "+49 171 canary-zq"
CANARIES = (EMAIL, ID, DEVICE, PHONE, "Canaryzq")


def _scan() -> dict[str, list[str]]:
    """Table to the canaries found in any text of it."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            for canary in CANARIES:
                cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text ILIKE %s', [f"%{canary}%"])
                if cursor.fetchone()[0]:
                    found.setdefault(table, []).append(canary)
    return found


@pytest.fixture
def canary(person: Callable[..., Profile], ada: Profile, now: datetime, tmp_path: Path) -> Profile:
    """Somebody who has left traces wherever a person can."""
    from profiles.models import Identifier

    profile = person(ID, email=EMAIL, phone=PHONE, first_name="Canaryzq", attributes={"note": f"write to {EMAIL}"})
    device = person(email=EMAIL, attributes={"id": DEVICE})
    Identifier.objects.create(kind="anonymous_id", value=DEVICE, profile=device, created_at=now)
    old = person("canary-user-zq-old", email=EMAIL)
    merging.merge([Pair(device.id, old.id)], reason=f"{DEVICE} was {EMAIL}", now=now)
    merging.merge([Pair(profile.id, device.id)], reason=f"{DEVICE} signed in", now=now)
    IdentityConflict.objects.create(first=ada, second=profile, reason=f"{ID} and ada", seen_at=now)
    kind = EventType.objects.create(
        name="signed_up",
        properties={"mail": {"types": ["string"], "samples": [EMAIL, "weekly"]}},
        first_seen_at=now,
        last_seen_at=now,
    )
    AttributeType.objects.create(
        of="profile", name="nick", types=["string"], samples=["Canaryzq", "x"], first_seen_at=now, last_seen_at=now
    )
    Event.objects.create(
        id=1, message_id=ID, profile=profile, type=kind, occurred_at=now, received_at=now, properties={"m": EMAIL}
    )
    EventDay.objects.create(profile=profile, type=kind, day=now.date(), n=1, first_at=now, last_at=now)
    Pulse.objects.create(profile_id=profile.id, at=now, cause="event")
    for payload in ({"userId": ID}, {"anonymousId": DEVICE, "x": 1}, {"traits": {"email": EMAIL.upper()}}):
        _reject(payload, now)
    IdempotentAnswer.objects.create(
        key="1", owner=uuid4(), fingerprint="f", status=200, body=json.dumps({"id": 1, "email": EMAIL}), created_at=now
    )
    file = tmp_path / "people.csv"
    ImportJob.objects.create(kind="events", digest="d", path=str(file), refused=2, started_at=now)
    (tmp_path / "people.csv.refused.csv").write_text(f"row,reason,email\n2,bad,{EMAIL}\n3,bad,other@example.com\n")
    return profile


def _reject(payload: Any, now: datetime) -> RejectedEvent:
    return RejectedEvent.objects.create(
        received_at=now, source="key", position=0, reason="Bad.", payload=json.dumps(payload, separators=(",", ":"))
    )


def test_ER01_after_an_erasure_no_table_and_no_file_holds_a_trace(
    canary: Profile, now: datetime, tmp_path: Path
) -> None:
    before = _scan()
    assert {
        "profiles_profile", "profiles_identifier", "profiles_merge", "profiles_event", "profiles_rejectedevent",
        "profiles_eventtype", "profiles_attributetype", "profiles_identityconflict", "staff_idempotentanswer",
    } <= before.keys() | {table[:14] for table in before if table.startswith("profiles_event_")}  # fmt: skip
    people.erase(canary, now=now)
    assert _scan() == {}
    left = (tmp_path / "people.csv.refused.csv").read_text()
    assert left == "row,reason,email\n3,bad,other@example.com\n"
    assert not Event.objects.exists() and not EventDay.objects.exists()
    assert not Pulse.objects.filter(profile_id=canary.id).exists()


def test_what_is_of_others_stays(canary: Profile, ada: Profile, now: datetime) -> None:
    other = _reject({"userId": "ada", "note": "canary"}, now)
    people.erase(canary, now=now)
    assert Profile.objects.get() == ada
    assert RejectedEvent.objects.get() == other
    assert EventType.objects.get().properties == {"mail": {"types": ["string"], "samples": ["weekly"]}}
    assert AttributeType.objects.get().samples == ["x"]


def test_the_audit_trail_tells_of_the_erasure_without_naming_anybody(canary: Profile, now: datetime) -> None:
    people.erase(canary, now=now)
    entry = AuditEntry.objects.get(verb="erase")
    assert (entry.kind, entry.target) == ("profile", str(canary.pk))
    assert entry.summary == "Erased a person and all that names them."


def test_ER01_whoever_was_merged_since_they_were_found_is_erased_all_the_same(
    canary: Profile, person: Callable[..., Profile], now: datetime
) -> None:
    found = Profile.objects.get(pk=canary.pk)
    today = person("today", email=EMAIL)
    merging.merge([Pair(today.pk, found.pk)], reason="They are one.", now=now)
    erasing.erase(found, now=now)
    assert not Profile.objects.filter(pk__in=[found.pk, today.pk]).exists()
    assert {"today", ID, DEVICE} <= set(erasing.tombstoned(["today", ID, DEVICE]))
    assert AuditEntry.objects.get(verb="erase").target == str(today.pk)
    assert _scan() == {}


def test_ER06_to_erase_twice_is_to_erase_once(canary: Profile, now: datetime) -> None:
    people.erase(canary, now=now)
    people.erase(canary, now=now + timedelta(hours=1))
    assert AuditEntry.objects.filter(verb="erase").count() == 1
    assert set(Tombstone.objects.values_list("at", flat=True)) == {now}


def test_ER06_an_erasure_that_dies_half_way_leaves_all_and_the_next_erases_all(
    canary: Profile, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _scan()

    def die(profile: Profile) -> None:
        raise KeyboardInterrupt

    die.__module__ = "consent.dying"
    monkeypatch.setattr(registry.erase, "_answers", [*registry.erase._answers, die])
    with pytest.raises(KeyboardInterrupt):
        people.erase(canary, now=now)
    assert _scan() == before
    monkeypatch.undo()
    people.erase(canary, now=now)
    assert _scan() == {}


def test_ER03_ids_of_somebody_erased_are_known_for_90_days(canary: Profile, now: datetime) -> None:
    assert people.tombstoned([ID, DEVICE, "ada"]) == {}
    people.erase(canary, now=now)
    assert people.tombstoned([ID, "canary-user-zq-old", DEVICE, "ada"]) == dict.fromkeys(
        [ID, "canary-user-zq-old", DEVICE], now
    )
    assert erasing.forget(now + timedelta(days=89)) == 0
    assert erasing.forget(now + timedelta(days=90)) == 4  # the three, and an id that the old profile was made with
    assert people.tombstoned([ID, DEVICE]) == {}


def test_ER02_who_is_put_again_is_somebody_new(canary: Profile, now: datetime) -> None:
    people.erase(canary, now=now)
    profile, created = people.put(ID, {"email": EMAIL}, now=now)
    assert created and profile.pk != canary.pk and profile.attributes == {}
    assert people.tombstoned([ID, DEVICE]) == {DEVICE: now}


@pytest.mark.parametrize(
    ("user_id", "payload", "goes"),
    [
        ("7", {"userId": "7"}, True),
        ("7", {"userId": 7}, True),
        ("7", {"userId": 7, "x": 1}, True),
        ("7", {"userId": "77"}, False),
        ("7", {"userId": 77, "n": 7}, False),
        ("a%c", {"userId": "abc"}, False),
        ("a_c", {"userId": "abc"}, False),
        ("ünïcødé-id", {"userId": "ünïcødé-id"}, True),
        ('quo"te', {"userId": 'quo"te'}, True),
        ("back\\slash", {"userId": "back\\slash"}, True),
    ],
)
def test_refused_data_goes_if_and_only_if_it_names_the_person(
    user_id: str, payload: Any, goes: bool, person: Any, now: datetime
) -> None:
    kept = _reject(payload, now)
    people.erase(person(user_id), now=now)
    assert RejectedEvent.objects.filter(pk=kept.pk).exists() is not goes
