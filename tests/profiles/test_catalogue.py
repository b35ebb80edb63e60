import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import Conflict, Invalid
from profiles import catalogue, ingest, merging, people, samples
from profiles.ingest import Trust
from profiles.merging import Pair
from profiles.models import AttributeType, Event, EventDay, EventType, Merge, Profile, Pulse
from staff.models import AuditEntry

_db = pytest.mark.django_db
Send = Callable[..., ingest.Receipt]


@pytest.fixture
def send(now: datetime) -> Send:
    """Sends events as `(who, name)` or `(who, name, at)`, with properties."""

    def send(*events: Any, **properties: Any) -> ingest.Receipt:
        items = [
            {"type": "track", "userId": who, "event": name, "properties": properties,
             "timestamp": (at[0] if at else now).isoformat()}
            for who, name, *at in events
        ]  # fmt: skip
        return ingest.take(items, source="test", trust=Trust.SERVER, now=now)

    return send


def _type(name: str) -> EventType:
    return EventType.objects.get(name=name)


def _names() -> dict[str, str | None]:
    return dict(EventType.objects.values_list("name", "renamed_to__name"))


def _stored() -> dict[str, int]:
    """Events by name, as raw events and as daily counts, which agree."""
    raw: dict[str, int] = {}
    for name in Event.objects.values_list("type__name", flat=True):
        raw[name] = raw.get(name, 0) + 1
    counted: dict[str, int] = {}
    for name, n in EventDay.objects.values_list("type__name", "n"):
        counted[name] = counted.get(name, 0) + n
    assert raw == counted
    return raw


# ── Names and ids ───────────────────────────────────────────────────────────────────────────────────────────────────


@_db
def test_a_name_has_one_id_for_ever(now: datetime) -> None:
    first = catalogue.intern(["a", "b"], now=now)
    assert catalogue.intern(["b", "c", "b"], now=now)["b"] == first["b"]
    assert catalogue.intern([], now=now) == {}
    assert EventType.objects.count() == 3


@_db
def test_what_is_blocked_is_refused_and_can_be_approved_again(send: Send, now: datetime) -> None:
    send(("ada", "x"))
    catalogue.block(_type("x"), now=now)
    assert catalogue.blocked() == {"x"}
    assert send(("ada", "x")).stored == 0
    catalogue.approve(_type("x"), now=now)
    assert send(("ada", "x")).stored == 1
    assert list(AuditEntry.objects.order_by("id").values_list("verb", "target")) == [("block", "x"), ("approve", "x")]


@_db
def test_required_properties_are_asked_of_former_names_too(send: Send, now: datetime) -> None:
    send(("ada", "old"))
    catalogue.describe(_type("old"), required=["plan"], description="Signed up.", now=now)
    catalogue.rename(_type("old"), "new", now=now)
    assert catalogue.required() == {"old": ["plan"], "new": ["plan"]}
    assert send(("ada", "old")).stored == 0
    assert send(("ada", "old"), plan="pro").stored == 1


# ── Renames ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@_db
def test_a_rename_to_a_free_name_moves_nothing_and_holds_for_all_that_is_stored(send: Send, now: datetime) -> None:
    send(("ada", "Signed Up"), ("ben", "Signed Up"))
    id = _type("Signed Up").pk
    Pulse.objects.all().delete()
    today = catalogue.rename(_type("Signed Up"), "signed_up", now=now)
    assert (today.pk, today.name) == (id, "signed_up")
    assert _names() == {"signed_up": None, "Signed Up": "signed_up"}
    assert _stored() == {"signed_up": 2}
    assert catalogue.intern(["Signed Up", "signed_up"], now=now) == {"Signed Up": id, "signed_up": id}
    send(("ada", "Signed Up"))
    assert _stored() == {"signed_up": 3}
    assert Pulse.objects.filter(cause="history", names=[id]).count() == 2
    assert AuditEntry.objects.get().details == {"to": "signed_up"}


@_db
def test_a_rename_to_a_name_in_use_joins_what_is_stored_under_both(send: Send, now: datetime) -> None:
    send(("ada", "old"), ("ada", "new"), ("ben", "old", now - timedelta(days=1)))
    catalogue.observe(now)
    old, new = _type("old").pk, _type("new").pk
    catalogue.rename(_type("old"), "new", now=now)
    assert _stored() == {"new": 3}
    assert not Pulse.objects.filter(names__contains=[old]).exists()
    assert Pulse.objects.filter(names__contains=[new], cause="history").count() == 2
    catalogue.observe(now)
    assert (_type("new").volume, _type("new").volume_30_days, _type("old").volume) == (3, 3, 0)


@_db
def test_a_large_rename_is_finished_by_the_loop(send: Send, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_BATCH", 2)
    send(*((f"u{n}", "old") for n in range(7)), ("u1", "new"))
    catalogue.rename(_type("old"), "new", now=now)
    assert 0 < _stored()["old"] < 7
    with pytest.raises(Conflict, match="called new today"):
        catalogue.rename(_type("old"), "other", now=now)
    assert catalogue.follow(now) == _stored()["new"] - 1 - 2
    assert _stored() == {"new": 8}
    assert catalogue.follow(now) == 0


@_db
def test_a_rename_can_be_taken_back_and_chains_lead_to_today(send: Send, now: datetime) -> None:
    send(("ada", "a"))
    catalogue.rename(_type("a"), "b", now=now)
    catalogue.rename(_type("b"), "a", now=now)
    assert _names() == {"a": None, "b": "a"}
    catalogue.rename(_type("a"), "c", now=now)
    send(("ada", "d"))
    catalogue.rename(_type("c"), "d", now=now)
    assert _names() == {"a": "d", "b": "d", "c": "d", "d": None}
    send(("ada", "a"), ("ada", "b"), ("ada", "c"))
    assert _stored() == {"d": 5}


@_db
@pytest.mark.parametrize("bad", ["", " ", "$mine", "x" * 201, "two\nlines"])
def test_a_name_that_cannot_be_is_refused(send: Send, now: datetime, bad: str) -> None:
    send(("ada", "a"))
    with pytest.raises(Invalid):
        catalogue.rename(_type("a"), bad, now=now)


@_db
def test_our_own_names_stay(now: datetime) -> None:
    catalogue.intern(["$message_sent", "x"], now=now)
    for act in (catalogue.block, catalogue.approve, lambda row, now: catalogue.rename(row, "y", now=now)):
        with pytest.raises(Conflict, match="Cairn's own"):
            act(_type("$message_sent"), now=now)
    with pytest.raises(Conflict, match="already"):
        catalogue.rename(_type("x"), "x", now=now)


@_db
def test_a_merge_from_before_a_rename_can_still_be_taken_back(send: Send, now: datetime) -> None:
    send(("ada", "old"), ("ben", "old"), ("ben", "new"))
    ada, ben = (Profile.objects.get(external_id=id) for id in ("ada", "ben"))
    merging.merge([Pair(ada.id, ben.id)], reason="One", now=now)
    catalogue.rename(_type("old"), "new", now=now)
    merging.undo(Merge.objects.get(), now=now)
    assert _stored() == {"new": 3}
    assert dict(EventDay.objects.values_list("profile", "n")) == {ada.id: 1, ben.id: 2}


def test_a_rename_waits_for_those_who_store_under_the_old_name(transactional_db: None, now: datetime) -> None:
    """Whoever has interned a name and has not committed yet must not leave events under an id without its name."""
    stored, interned = threading.Event(), threading.Event()

    def store() -> None:
        with transaction.atomic():
            id = catalogue.intern(["old"], now=now)["old"]
            interned.set()
            stored.wait(0.3)
            profile = Profile.objects.create(external_id="ada", first_seen_at=now, last_seen_at=now)
            EventDay.objects.create(profile=profile, type_id=id, day=now.date(), n=1, first_at=now, last_at=now)
        connections.close_all()

    catalogue.intern(["old", "new"], now=now)
    thread = threading.Thread(target=store)
    thread.start()
    interned.wait(5)
    catalogue.rename(_type("old"), "new", now=now)
    thread.join()
    assert dict(EventDay.objects.values_list("type__name", "n")) == {"new": 1}


# ── Numbers and examples ────────────────────────────────────────────────────────────────────────────────────────────


@_db
def test_volumes_are_counted_as_events_arrive(send: Send, now: datetime) -> None:
    send(("ada", "x"), ("ada", "x", now - timedelta(days=29)), ("ada", "x", now - timedelta(days=200)), ("ada", "y"))
    assert catalogue.observe(now) == 4
    assert catalogue.observe(now) == 0
    assert (_type("x").volume, _type("x").volume_30_days) == (3, 2)
    assert (_type("x").first_seen_at, _type("x").last_seen_at) == (now - timedelta(days=200), now)
    send(("ben", "x"))
    catalogue.observe(now + timedelta(days=2))
    assert (_type("x").volume, _type("x").volume_30_days) == (4, 2)
    assert _type("x").last_seen_at == now
    catalogue.observe(now + timedelta(days=40))
    assert (_type("x").volume, _type("x").volume_30_days) == (4, 0)


@_db
def test_an_import_of_long_ago_leaves_few_words_of_arrival(send: Send, now: datetime) -> None:
    send(*(("ada", "x", now - timedelta(days=32 + day)) for day in range(300)))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM profiles_arrival")
        assert cursor.fetchone() == (1,)
    catalogue.observe(now)
    assert (_type("x").volume, _type("x").volume_30_days) == (300, 0)
    assert _type("x").last_seen_at == now - timedelta(days=32)


@_db
def test_properties_are_learnt_with_kinds_and_examples_that_name_nobody(send: Send, now: datetime) -> None:
    send(("ada", "x"), format="pdf", n=3, ok=True, mail="ada@example.com", tags=["a"], at="2026-01-01")
    catalogue.observe(now)
    send(("ada", "x"), format=7, n=3, email="hidden")
    catalogue.observe(now)
    assert _type("x").properties == {
        "format": {"types": ["string", "number"], "samples": ["pdf", 7]},
        "n": {"types": ["number"], "samples": [3]},
        "ok": {"types": ["boolean"], "samples": [True]},
        "mail": {"types": ["string"], "samples": ["(kept to ourselves)"]},
        "email": {"types": ["string"], "samples": ["(kept to ourselves)"]},
        "tags": {"types": ["array"], "samples": ["a"]},
        "at": {"types": ["date"], "samples": ["2026-01-01"]},
    }


@_db
def test_attributes_are_learnt_with_how_many_have_them(now: datetime) -> None:
    people.put("ada", {"attributes": {"plan": "pro", "seats": 5}, "account": "acme"}, now=now)
    people.put("ben", {"attributes": {"plan": "free", "nickname": "Benny"}}, now=now)
    catalogue.observe(now)
    found = {row.name: (row.types, row.samples, row.volume) for row in AttributeType.objects.filter(of="profile")}
    assert found == {
        "plan": (["string"], ["pro", "free"], 2) if found["plan"][1][0] == "pro" else (["string"], ["free", "pro"], 2),
        "seats": (["number"], [5], 1),
        "nickname": (["string"], ["(kept to ourselves)"], 1),
    }
    people.patch("ada", {"attributes": {"seats": None}}, now=now)
    catalogue.observe(now)
    assert AttributeType.objects.get(name="seats").volume == 0


@_db
def test_observing_an_unchanged_world_writes_nothing(
    send: Send, now: datetime, django_assert_max_num_queries: Any
) -> None:
    send(("ada", "x"), n=1)
    people.put("ada", {"attributes": {"plan": "pro"}}, now=now)
    catalogue.observe(now)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT xmin::text, name FROM profiles_eventtype UNION SELECT xmin::text, name FROM profiles_attributetype"
        )
        before = set(cursor.fetchall())
        with django_assert_max_num_queries(40):
            catalogue.observe(now)
        cursor.execute(
            "SELECT xmin::text, name FROM profiles_eventtype UNION SELECT xmin::text, name FROM profiles_attributetype"
        )
        assert set(cursor.fetchall()) == before


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("contact", "ada@example.com", "(an email address)"),
        ("contact", "write to ada@example.com please", "(an email address)"),
        ("call", "+44 20 7946 0958", "(a phone number)"),
        ("ref", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "(an id)"),
        ("host", "192.168.0.1", "(an IP address)"),
        ("host", "2001:db8::1", "(an IP address)"),
        ("page", "https://example.com/?user=ada", "(a link)"),
        ("note", "x" * 100, "(a long text)"),
        ("number", 4915112345678, "(a long number)"),
        ("first_name", "Ada", "(kept to ourselves)"),
        ("password", "hunter2", "(kept to ourselves)"),
        ("name", "Pricing", "Pricing"),
        ("plan", "pro", "pro"),
        ("year", 2026, 2026),
        ("since", "2026-11-24", "2026-11-24"),
        ("nothing", None, None),
        ("parts", {"a": 1}, None),
        ("tags", ["ada@example.com"], "(an email address)"),
    ],
)
def test_LG01_examples_name_nobody(name: str, value: Any, shown: Any) -> None:
    assert samples.shown(name, value) == shown


@given(st.lists(st.one_of(st.integers(), st.booleans(), st.text(max_size=5), st.none(), st.floats()), max_size=40))
def test_examples_stay_few_and_each_but_once(values: list[Any]) -> None:
    known: dict[str, Any] = {}
    for value in values:
        samples.learn(known, "x", value)
        assert not samples.learn(known, "x", value), "nothing is new twice"
    assert len(known.get("samples", [])) <= samples.MOST
