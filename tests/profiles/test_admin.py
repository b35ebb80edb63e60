import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from foundation.admin import list_of, page_of
from profiles import catalogue, ingest, merging, people
from profiles.ingest import Trust
from profiles.merging import Pair
from profiles.models import (
    Account,
    AttributeType,
    EventType,
    IdentityConflict,
    ImportJob,
    Merge,
    Profile,
    RejectedEvent,
)
from staff.models import User

pytestmark = pytest.mark.django_db

MODELS = (Profile, Account, EventType, AttributeType, RejectedEvent, IdentityConflict, Merge, ImportJob)


@pytest.fixture
def signed_in(db: None) -> Callable[[str], Client]:
    def sign_in(role: str) -> Client:
        user = User.objects.create_user(role.replace(" ", "-"), password="x", is_staff=True)
        if role != "nobody":
            user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def world(now: datetime) -> dict[type, Any]:
    """One row of everything, as it comes to be."""
    calls: list[dict[str, Any]] = [
        {
            "type": "identify",
            "userId": "ada",
            "traits": {"email": "ada@example.com", "firstName": "Ada", "plan": "pro"},
        },
        {"type": "group", "userId": "ada", "groupId": "acme", "traits": {"name": "Acme Ltd", "seats": 5}},
        {
            "type": "track",
            "anonymousId": "d1",
            "event": "report_exported",
            "properties": {"format": "pdf", "n": [1, {}]},
        },
        {"type": "identify", "userId": "ada", "anonymousId": "d1"},
        {"type": "page", "userId": "ada", "name": "Pricing"},
        {"type": "identify", "userId": "ben", "anonymousId": "d1", "traits": {"firstName": "Ben"}},
        {"type": "track", "userId": "ada", "event": "$ours"},
    ]
    ingest.take(calls, source="key Website", trust=Trust.SERVER, now=now)
    catalogue.observe(now)
    ImportJob.objects.create(
        kind="events", digest="d", path="/data/old.csv", state="done", rows=7, stored=5, refused=2,
        reasons={"timestamp: is missing": 2}, started_at=now,
    )  # fmt: skip
    return {model: model._default_manager.order_by("pk").first() for model in MODELS}


def _text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    page: str = answer.content.decode()
    return page


def _words(page: str) -> str:
    main = page[page.index("<main") if "<main" in page else 0 :]
    return " ".join(unescape(re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", main, flags=re.S)).split())


@pytest.mark.parametrize("model", MODELS)
def test_every_list_and_page_is_told_in_words(signed_in: Any, world: Any, model: Any) -> None:
    owner = signed_in("owner")
    assert world[model] is not None
    for address in (list_of(model), page_of(world[model])):
        said = _words(_text(owner, address))
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", said), "an id"
        assert not re.search(r'\{"|": |\[\]|None|datetime', said), "JSON or Python"


@pytest.mark.parametrize("model", MODELS)
def test_who_may_not_see_it_gets_neither_list_nor_page(signed_in: Any, world: Any, model: Any) -> None:
    nobody = signed_in("nobody")
    for address in (list_of(model), page_of(world[model])):
        assert nobody.get(address).status_code == 403
        assert nobody.post(address, {"verb": "erase"}).status_code == 403
        assert Client().get(address).status_code == 302
    assert nobody.get(reverse("admin:profiles_story", args=[world[Profile].pk])).status_code == 403


def test_a_viewer_sees_the_catalogue_and_no_person(signed_in: Any, world: Any) -> None:
    viewer = signed_in("viewer")
    kind = EventType.objects.get(name="report_exported")
    said = _words(_text(viewer, page_of(kind)))
    assert "format text pdf" in said and "Approve" not in said
    assert list_of(Profile) not in _text(viewer, list_of(EventType))
    assert viewer.get(list_of(Profile)).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_an_empty_list_says_how_it_fills(signed_in: Any, model: Any) -> None:
    screen: Any = admin.site._registry[model]
    assert screen.empty in _words(_text(signed_in("owner"), list_of(model)))


@pytest.mark.parametrize("model", MODELS)
def test_a_list_asks_no_more_the_longer_it_is(signed_in: Any, now: datetime, model: Any, person: Any) -> None:
    owner = signed_in("owner")
    _many(model, 3, now, person)
    owner.get(list_of(model))
    with CaptureQueriesContext(
        connection,
    ) as few:
        owner.get(list_of(model))
    _many(model, 20, now, person)
    with CaptureQueriesContext(connection) as many:
        owner.get(list_of(model))
    assert len(many) <= len(few)


def _many(model: Any, n: int, now: datetime, person: Any) -> None:
    def conflict() -> None:
        IdentityConflict.objects.create(
            first=person(str(uuid4())), second=person(str(uuid4())), reason="Same device.", seen_at=now
        )

    def event_type() -> None:
        today = EventType.objects.create(name=str(uuid4()), first_seen_at=now, last_seen_at=now)
        EventType.objects.create(name=str(uuid4()), renamed_to=today, first_seen_at=now, last_seen_at=now)

    make: dict[Any, Callable[[], Any]] = {
        Profile: lambda: person(
            account=Account.objects.create(external_id=str(uuid4()), created_at=now), email=f"{uuid4()}@example.com"
        ),
        Account: lambda: person(account=Account.objects.create(external_id=str(uuid4()), created_at=now)),
        EventType: event_type,
        AttributeType: lambda: AttributeType.objects.create(
            of="profile", name=str(uuid4()), first_seen_at=now, last_seen_at=now
        ),
        RejectedEvent: lambda: RejectedEvent.objects.create(
            received_at=now, source="x", position=0, reason="r", payload="{}"
        ),
        IdentityConflict: conflict,
        Merge: lambda: merging.merge([Pair(person(str(uuid4())).id, person().id)], reason="r", now=now),
        ImportJob: lambda: ImportJob.objects.create(kind="events", digest=str(uuid4()), path="p", started_at=now),
    }
    for _ in range(n):
        make[model]()


# ── People ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_persons_page_tells_who_they_are_and_what_happened(signed_in: Any, world: Any) -> None:
    said = _words(_text(signed_in("support"), page_of(Profile.objects.get(external_id="ada"))))
    for words in (
        "Ada",
        "Known",
        "at Acme Ltd",
        "ada@example.com",
        "Report exported",
        "format : pdf",
        "pdf",
        "Looked at the page Pricing",
        "A device d1",
        "Merged",
    ):
        assert words in said or words == "format : pdf"


def test_a_long_story_is_told_page_by_page_without_a_gap(signed_in: Any, ada: Profile, now: datetime) -> None:
    same = now - timedelta(days=3)
    calls = [
        {
            "type": "track",
            "userId": "ada",
            "event": f"deed_{n:03}",
            "timestamp": (same if n % 2 else now - timedelta(hours=n)).isoformat(),
        }
        for n in range(100)
    ]
    ingest.take(calls, source="x", trust=Trust.SERVER, now=now)
    client, told = signed_in("support"), []
    page = _text(client, page_of(ada))
    while True:
        told += re.findall(r"Deed (\d+)", page)
        older = re.search(r'hx-get="([^"]*/profiles_story/[^"]*)"', page)
        if older is None:
            break
        page = _text(client, unescape(older[1]))
    assert len(told) == len(set(told)) == 100


@pytest.mark.parametrize(
    "query", ["", "?before=x&row=1", "?before=1e400&row=1", "?before=1&row=x", "?before=nan&row=1"]
)
def test_a_story_asked_for_in_a_wrong_way_is_not_found(signed_in: Any, ada: Profile, query: str) -> None:
    assert signed_in("support").get(reverse("admin:profiles_story", args=[ada.pk]) + query).status_code == 404


@pytest.mark.parametrize("term", ["ada@", "ADA", "love", "Ada Lovel", "the-device-of-ada", "old-id"])
def test_people_are_found_by_beginnings_and_by_whole_ids(signed_in: Any, now: datetime, term: str, person: Any) -> None:
    people.put("old-id", {}, now=now)
    people.put("ada", {"email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"}, now=now)
    ada = people.find("ada")
    assert ada is not None
    merging.merge([Pair(ada.id, Profile.objects.get(external_id="old-id").id)], reason="One", now=now)
    ingest.take(
        [{"type": "identify", "userId": "ada", "anonymousId": "the-device-of-ada"}],
        source="",
        trust=Trust.SERVER,
        now=now,
    )
    person("ben", email="ben@example.com", first_name="Ben")
    page = _text(signed_in("support"), f"{list_of(Profile)}?q={term}")
    assert page_of(ada) in page and "ben@example.com" not in page


def test_a_search_is_answered_from_indexes(signed_in: Any, ada: Profile) -> None:
    client = signed_in("support")
    with CaptureQueriesContext(connection) as asked:
        client.get(f"{list_of(Profile)}?q=ada")
        client.get(f"{list_of(Account)}?q=acme")
    searches = [q["sql"] for q in asked if "LIKE" in q["sql"]]
    assert searches
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for sql in searches:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Seq Scan on profiles_" not in plan, plan


def test_a_person_is_erased_by_who_may(signed_in: Any, ada: Profile) -> None:
    support, officer = signed_in("support"), signed_in("privacy officer")
    assert support.post(page_of(ada), {"verb": "erase"}).status_code == 403
    answer = officer.post(page_of(ada), {"verb": "erase"}, follow=True)
    assert answer.redirect_chain == [(list_of(Profile), 302)]
    assert "is erased" in _words(answer.content.decode())
    assert not Profile.objects.exists()


# ── What staff may do about what arrives ────────────────────────────────────────────────────────────────────────────


def test_a_name_is_blocked_and_approved_on_its_page(signed_in: Any, world: Any) -> None:
    developer, viewer = signed_in("developer"), signed_in("viewer")
    kind = EventType.objects.get(name="report_exported")
    assert viewer.post(page_of(kind), {"verb": "block"}).status_code == 403
    said = _words(developer.post(page_of(kind), {"verb": "block"}, follow=True).content.decode())
    assert "report_exported is blocked" in said and "Blocked" in said
    developer.post(page_of(kind), {"verb": "approve"})
    kind.refresh_from_db()
    assert kind.status == "approved"
    value = AttributeType.objects.get(name="plan")
    developer.post(page_of(value), {"verb": "approve"})
    value.refresh_from_db()
    assert value.status == "approved"


def test_refused_data_is_tried_again(signed_in: Any, now: datetime) -> None:
    calls = [{"type": "track", "userId": f"u{n}", "event": "x"} for n in range(3)]
    catalogue.intern(["x"], now=now)
    catalogue.block(EventType.objects.get(), now=now)
    ingest.take(calls, source="key Website", trust=Trust.SERVER, now=now)
    developer, row = signed_in("developer"), RejectedEvent.objects.order_by("pk")[0]
    said = _words(developer.post(page_of(row), {"verb": "again"}, follow=True).content.decode())
    assert "It is refused again: event: x is blocked" in said
    catalogue.approve(EventType.objects.get(), now=now)
    assert "1 call is taken." in _words(developer.post(page_of(row), {"verb": "again"}, follow=True).content.decode())
    other = RejectedEvent.objects.filter(replayed_at=None)[0]
    assert "2 calls are taken." in _words(developer.post(page_of(other), {"verb": "all"}, follow=True).content.decode())
    assert not RejectedEvent.objects.filter(replayed_at=None).exists()
    assert developer.post(page_of(row), {"verb": "again"}).status_code == 403, "it is taken already"


@pytest.mark.parametrize(("verb", "left"), [("merge", 1), ("apart", 2)])
def test_a_conflict_is_settled(signed_in: Any, world: Any, verb: str, left: int) -> None:
    support, viewer, conflict = signed_in("support"), signed_in("viewer"), world[IdentityConflict]
    assert viewer.post(page_of(conflict), {"verb": verb}).status_code == 403
    before = Profile.objects.count()
    said = _words(support.post(page_of(conflict), {"verb": verb}, follow=True).content.decode())
    assert Profile.objects.count() == before - 2 + left
    assert "Settled" in said
    assert support.post(page_of(conflict), {"verb": verb}).status_code == 403


def test_a_merge_is_taken_back(signed_in: Any, world: Any) -> None:
    support, merge = signed_in("support"), world[Merge]
    assert "Who became part of them" in _words(_text(support, page_of(merge)))
    answer = support.post(page_of(merge), {"verb": "undo"}, follow=True)
    assert "They are two again: Someone anonymous is back." in _words(answer.content.decode())
    assert answer.redirect_chain == [(list_of(Merge), 302)]


def test_names_from_outside_are_shown_as_text(signed_in: Any, now: datetime) -> None:
    bad = "<script>alert(1)</script>"
    calls: list[dict[str, Any]] = [
        {"type": "identify", "userId": bad, "traits": {"firstName": bad, bad: bad}},
        {"type": "group", "userId": bad, "groupId": bad, "traits": {"name": bad}},
        {"type": "track", "userId": bad, "event": bad, "properties": {bad: {bad: [bad]}}},
        {"type": "track", "userId": bad, "event": "$x" + bad},
    ]
    ingest.take(calls, source=bad, trust=Trust.SERVER, now=now)
    catalogue.observe(now)
    owner = signed_in("owner")
    models: tuple[Any, ...] = (Profile, Account, EventType, AttributeType, RejectedEvent)
    for model in models:
        for address in (list_of(model), page_of(model.objects.first())):
            assert bad not in _text(owner, address)
