"""Requests under the GDPR: due in a calendar month, logged, carried out, and never lost."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from rest_framework.test import APIClient

from consent import limits, links, requests, states
from consent.ledger import Outcome
from consent.models import Limit, PrivacyRequest, PrivacyStep, Topic
from foundation import clock, registry
from foundation.errors import Conflict, Invalid
from messaging import dispatch, system, templates
from messaging.models import Message
from messaging.outbox import Request, enqueue
from profiles import merging, people
from profiles.models import Profile
from staff import keys
from staff.models import Key, User

At = Callable[[datetime], None]


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> At:
    def at(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    at(now)
    return at


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    return tmp_path


def raise_(profile: Profile, kind: str, now: datetime) -> PrivacyRequest:
    return requests.raise_(profile, kind, via="page", said="Please.", now=now)


def page(client: Client, profile: Profile, made: datetime, **fields: str) -> Any:
    path = urlsplit(links.preferences_url(profile, made)).path
    return client.post(path, fields) if fields else client.get(path)


@pytest.mark.parametrize(
    ("raised", "due"),
    [
        (datetime(2026, 1, 31, 12, tzinfo=UTC), date(2026, 2, 28)),
        (datetime(2028, 1, 31, 12, tzinfo=UTC), date(2028, 2, 29)),
        (datetime(2026, 12, 31, 12, tzinfo=UTC), date(2027, 1, 31)),
        (datetime(2026, 3, 31, 23, 59, tzinfo=UTC), date(2026, 4, 30)),
    ],
)
def test_CO06_it_is_due_in_a_calendar_month(ada: Profile, raised: datetime, due: date) -> None:
    assert raise_(ada, "access", raised).due_on == due


def test_CO06_it_is_due_soon_on_day_23_and_overdue_on_day_31(ada: Profile, now: datetime) -> None:
    row = raise_(ada, "access", now)  # 24 November; due on 24 December
    told = {day: requests.status(row, now + timedelta(days=day)) for day in (0, 22, 23, 30, 31)}
    assert told == {0: "open", 22: "open", 23: "due_soon", 30: "due_soon", 31: "overdue"}


def test_CO06_two_months_more_once_with_a_reason_and_in_time(ada: Profile, ben: Profile, now: datetime) -> None:
    row = raise_(ada, "access", now)
    with pytest.raises(Invalid, match="why"):
        requests.extend(row.id, reason=" ", now=now)
    assert requests.extend(row.id, reason="Much to read.", now=now).due_on == date(2027, 2, 24)
    assert Message.objects.filter(profile=ada, template__slug="house-extended-en").count() == 1
    with pytest.raises(Conflict, match="once"):
        requests.extend(row.id, reason="More.", now=now)
    late = raise_(ben, "access", now)
    with pytest.raises(Conflict, match="overdue"):
        requests.extend(late.id, reason="Late.", now=now + timedelta(days=31))


def test_PP05_from_the_page_it_is_one_request_with_a_due_date_and_an_acknowledgement(
    client: Client, ada: Profile, at: At, now: datetime, folder: Path
) -> None:
    old = now - timedelta(days=9)
    answer = page(client, ada, old, do="ask", kind="rectification", said="My name is Ada Lovelace.")
    assert "We have your request, and answer by Dec. 24, 2026." in answer.content.decode()
    page(client, ada, old, do="ask", kind="rectification", said="Lovelace!")
    row = PrivacyRequest.objects.get()
    assert (row.via, row.said, row.due_on) == ("page", "My name is Ada Lovelace.", date(2026, 12, 24))
    told = [(step.what, step.said) for step in row.steps.order_by("id")]
    assert told == [("Raised.", ""), ("Asked again.", "Lovelace!")]
    assert {step.actor for step in PrivacyStep.objects.all()} == {"customer"}
    dispatch.tick(now)
    assert [message.subject for message in Message.objects.all()] == ["We have your request"]
    html = page(client, ada, now).content.decode()
    assert "You asked: Correct something. You get an answer by Dec. 24, 2026." in html
    assert len(html) < 50_000


@pytest.mark.parametrize("fields", [{"kind": "objection"}, {"kind": "?"}, {}, {"kind": "access", "said": "x" * 5_001}])
def test_what_cannot_be_asked_for_is_told_so(
    client: Client, ada: Profile, at: At, now: datetime, fields: dict[str, str]
) -> None:
    assert page(client, ada, now, do="ask", **fields).status_code in (400, 422)
    assert not PrivacyRequest.objects.exists()


def test_CO07_access_is_answered_by_a_link_to_all_of_it(ada: Profile, at: At, now: datetime, folder: Path) -> None:
    row = raise_(ada, "access", now)
    requests.carry_out(row.id, now=now)
    dispatch.tick(now)
    assert Message.objects.filter(template__slug="house-data-en", state="sent").count() == 1
    row.refresh_from_db()
    assert (row.outcome, row.closed_at) == ("done", now)
    with pytest.raises(Conflict, match="closed"):
        requests.carry_out(row.id, now=now)
    data: dict[str, Any] = {}
    for part in registry.export.ask(ada):
        data |= part
    assert data["consent"]["privacy_requests"][0]["said"] == "Please."


def test_CO08_erasure_goes_through_and_the_request_names_nobody_afterwards(ada: Profile, now: datetime) -> None:
    other = raise_(ada, "access", now)
    row = raise_(ada, "erasure", now)
    requests.carry_out(row.id, now=now)
    assert not Profile.objects.exists()
    for each in (row, other):
        each.refresh_from_db()
        assert (each.profile_id, each.said, each.outcome) == (None, "", "done")


def test_an_erasure_by_other_ways_closes_what_is_open(ada: Profile, at: At, now: datetime) -> None:
    row = raise_(ada, "access", now)
    people.erase(ada, now=now)
    row.refresh_from_db()
    assert (row.profile_id, row.outcome, row.answer) == (None, "done", "Erased.")


def test_by_hand_it_is_closed_with_an_answer(ada: Profile, now: datetime) -> None:
    row = raise_(ada, "rectification", now)
    with pytest.raises(Conflict, match="Correct what is wrong"):
        requests.carry_out(row.id, now=now)
    with pytest.raises(Invalid, match="told"):
        requests.close(row.id, outcome="refused", answer="", now=now)
    assert requests.close(row.id, outcome="refused", answer="It is right.", now=now).outcome == "refused"
    assert raise_(ada, "rectification", now).id != row.id


def test_CO10_they_correct_their_name_by_a_fresh_link(
    client: Client, ada: Profile, person: Callable[..., Profile], at: At, now: datetime
) -> None:
    names = {"first_name": " Augusta  Ada ", "last_name": "King"}
    assert "Correct your name" in page(client, ada, now).content.decode()
    for made in (now - timedelta(days=2), now):
        answer = page(client, ada, made, do="correct", **names)
        ada.refresh_from_db()
        assert (answer.status_code, ada.first_name) == ((200, "Augusta Ada") if made == now else (422, "Ada"))
    page(client, ada, now, do="correct", **names)
    row = PrivacyRequest.objects.get()
    assert (row.kind, row.outcome, row.closed_at) == ("rectification", "done", now)
    assert page(client, ada, now, do="correct", first_name="x" * 101).status_code == 422
    anonymous = person(None, email="eve@example.com")
    assert "Correct your name" not in page(client, anonymous, now).content.decode()


# ── Limits ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def send(profile: Profile, topic: str, now: datetime) -> Message:
    blocks = [{"kind": "text", "text": "Hello"}]
    template = templates.save(topic, name=topic, channel="email", topic=topic, subject="Hi", blocks=blocks, now=now)
    key = f"test:{profile.id}:{topic}:{now}"
    (id,) = enqueue([Request(key=key, profile_id=profile.id, template=template.slug, channel="email")], now=now)
    dispatch.tick(now)
    return Message.objects.get(id=id)


def test_CO10_the_restricted_get_nothing_but_what_they_ask_for(
    ada: Profile, tips: Topic, receipts: Topic, now: datetime, folder: Path
) -> None:
    requests.carry_out(raise_(ada, "restriction", now).id, now=now)
    for topic in ("tips", "receipts"):
        message = send(ada, topic, now)
        assert (message.state, message.guardrail) == ("suppressed", "restricted")
        assert message.reason == "What is known of Ada may only be stored, as they asked."
    system.mail(ada, "link", {}, now=now)
    dispatch.tick(now)
    assert Message.objects.filter(template__slug="house-link-en", state="sent").exists()
    assert limits.lift(ada, Limit.Kind.RESTRICTED, now=now)
    assert not limits.lift(ada, Limit.Kind.RESTRICTED, now=now)
    assert send(ada, "tips", now + timedelta(seconds=1)).state == "sent"


def test_CO04_after_an_objection_no_marketing_goes_out_whatever_they_agree_to(
    client: Client,
    ada: Profile,
    news: Topic,
    tips: Topic,
    receipts: Topic,
    decide: Callable[..., Outcome],
    at: At,
    now: datetime,
    folder: Path,
) -> None:
    old = now - timedelta(days=9)
    answer = page(client, ada, old, do="object").content.decode()
    assert "You get no marketing any more." in answer
    assert (PrivacyRequest.objects.get().kind, PrivacyRequest.objects.get().outcome) == ("objection", "done")
    assert states.of([ada.id], "tips", "email")[ada.id].state == "denied"
    decide(ada, "news", "granted", now=now + timedelta(seconds=1))
    for topic in ("news", "tips"):
        assert send(ada, topic, now + timedelta(seconds=2)).guardrail == "restricted"
    assert send(ada, "receipts", now + timedelta(seconds=2)).state == "sent"


def test_TK06_only_a_fresh_link_takes_an_objection_back(
    client: Client, ada: Profile, tips: Topic, at: At, now: datetime
) -> None:
    limits.object_all(ada, now=now)
    old = now - timedelta(days=2)
    assert "Take that back" not in page(client, ada, old).content.decode()
    page(client, ada, old, do="unobject")
    assert Limit.objects.exists()
    assert "Take that back" in page(client, ada, now).content.decode()
    page(client, ada, now, do="unobject")
    assert not Limit.objects.exists()
    assert states.of([ada.id], "tips", "email")[ada.id].state == "denied"


def test_a_limit_of_either_stands_after_a_merge_and_requests_go_along(
    ada: Profile, ben: Profile, at: At, now: datetime
) -> None:
    limits.restrict(ben, now=now)
    mine, theirs = raise_(ada, "access", now), raise_(ben, "access", now - timedelta(days=3))
    alone = raise_(ben, "erasure", now)
    merging.merge([merging.Pair(ada.id, ben.id)], reason="The same.", now=now)
    assert limits.of([ada.id]) == {ada.id: {"restricted"}}
    for row in (mine, theirs, alone):
        row.refresh_from_db()
    assert {row.profile_id for row in (mine, theirs, alone)} == {ada.id}
    assert (mine.outcome, theirs.outcome, alone.outcome) == ("done", "", "")


# ── For programs and staff ───────────────────────────────────────────────────────────────────────────────────────────


def test_programs_raise_them_and_close_them(ada: Profile, at: At, now: datetime) -> None:
    _key, secret = keys.create("Desk", kind=Key.Kind.SECRET, scopes=["consent:write"], now=now)
    api = APIClient(headers={"authorization": f"Bearer {secret}"})
    made = api.post("/api/v1/privacy-requests/", {"external_id": "ada", "kind": "access"}, format="json")
    assert (made.status_code, made.json()["due_on"], made.json()["status"]) == (201, "2026-12-24", "open")
    path = f"/api/v1/privacy-requests/{made.json()['id']}/"
    assert api.patch(path, {"extended": "Much."}, format="json").json()["due_on"] == "2027-02-24"
    assert api.patch(path, {"extended": "Much."}, format="json").status_code == 409
    assert api.patch(path, {"answer": "?"}, format="json").status_code == 400
    closed = api.post(f"{path}carry-out/", format="json").json()
    assert (closed["status"], closed["outcome"]) == ("closed", "done")
    assert closed["steps"][0]["actor"] == "key:Desk"
    assert (
        api.post("/api/v1/privacy-requests/", {"external_id": "who", "kind": "access"}, format="json").status_code
        == 404
    )
    assert api.get("/api/v1/privacy-requests/?status=closed").json()["results"][0]["external_id"] == "ada"
    assert api.get("/api/v1/privacy-requests/?status=open").json()["results"] == []


@pytest.mark.parametrize(("days", "status"), [(0, "open"), (23, "due_soon"), (31, "overdue")])
def test_CO06_the_queue_of_staff_shows_what_is_due(ada: Profile, at: At, now: datetime, days: int, status: str) -> None:
    row = raise_(ada, "erasure", now)
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    at(now + timedelta(days=days))
    address = "/admin/consent/privacyrequest/"
    shown = {each: str(row.id) in client.get(f"{address}?status={each}").content.decode() for each in requests.STATUSES}
    assert shown == {each: each == status for each in requests.STATUSES}
    page = client.get(f"{address}{row.id}/change/").content.decode()
    assert "Do it now" in page
    assert ("It takes two months more" in page) == (status != "overdue")
    assert re.search("Please.", page)
    client.post(f"{address}{row.id}/change/", {"verb": "carry_out"})
    assert not Profile.objects.exists()
    assert "Somebody who was erased" in client.get(f"{address}{row.id}/change/").content.decode()
