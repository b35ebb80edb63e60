"""Requests that staff raise for somebody, and answer: with reasons, by whom it may be done, and told as a story."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from consent import limits, requests
from consent.models import Limit, PrivacyRequest
from foundation import clock
from foundation.admin import page_of
from messaging.models import Message
from profiles import people
from profiles.models import Profile
from staff import keys
from staff.models import AuditEntry, Key, User

LIST, ADD = "/admin/consent/privacyrequest/", "/admin/consent/privacyrequest/add/"


@pytest.fixture(autouse=True)
def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> Callable[[datetime], None]:
    def at(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    at(now)
    return at


def signed_in(role: str) -> Client:
    user = User.objects.create_user(role.replace(" ", "-"), password="stone-on-stone-9", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def officer(db: None) -> Client:
    return signed_in("privacy officer")


def test_they_are_raised_for_whoever_wrote_or_called(officer: Client, ada: Profile, ben: Profile) -> None:
    refused = officer.post(ADD, {"do": "raise", "who": "nobody@example.com", "kind": "access", "said": "Kept words"})
    assert refused.status_code == 422
    assert "Nobody is known by this." in refused.content.decode() and "Kept words" in refused.content.decode()
    for who in ("ADA@example.com ", "ben"):
        fields = {"do": "raise", "who": who, "kind": "access", "said": "Please.", "identity": "Called back."}
        assert officer.post(ADD, fields).status_code == 302
    for_ada = reverse("admin:request_for_person", args=[ada.pk])
    assert "A request for Ada" in officer.get(for_ada).content.decode()
    assert officer.post(for_ada, {"do": "raise", "kind": "nonsense"}).status_code == 422
    officer.post(for_ada, {"do": "raise", "kind": "erasure"})
    rows = PrivacyRequest.objects.order_by("kind", "profile__external_id")
    told = [(row.profile and row.profile.external_id, row.kind, row.via, row.identity) for row in rows]
    assert told == [
        ("ada", "access", "staff", "Called back."),
        ("ben", "access", "staff", "Called back."),
        ("ada", "erasure", "staff", ""),
    ]  # fmt: skip
    assert AuditEntry.objects.filter(verb="raise", actor="user:privacy-officer").count() == 3


def test_the_page_of_a_request_tells_its_story_and_takes_reasons(officer: Client, ada: Profile, now: datetime) -> None:
    row = requests.raise_(ada, "access", via="staff", said="What is known?", now=now)
    empty = officer.post(page_of(row), {"do": "extend", "extended": " "})
    assert empty.status_code == 422 and "must say why it takes longer" in empty.content.decode()
    for fields in (
        {"do": "identify", "identity": "Wrote from the address that we know."},
        {"do": "extend", "extended": "There is much to read."},
        {"do": "close", "outcome": "refused", "answer": "Nothing is held."},
    ):
        assert officer.post(page_of(row), fields).status_code == 302
    assert officer.post(page_of(row), {"do": "close", "outcome": "done", "answer": "Again."}).status_code == 403
    html = re.sub(r"<[^>]*>", " ", officer.get(page_of(row)).content.decode())
    story = ("Raised.", "Made sure that it is them.", "Two months more.", "Refused.")
    places = [html.index(said) for said in story]
    assert places == sorted(places, reverse=True)
    assert "Wrote from the address that we know." in html and "Privacy-officer: There is much to read." in html
    assert str(row.id) not in html


def test_CO10_a_restriction_is_set_and_lifted_with_a_reason_and_the_person_is_told(
    officer: Client, ada: Profile, now: datetime
) -> None:
    row = requests.raise_(ada, "restriction", via="staff", said="We argue about an invoice.", now=now)
    officer.post(page_of(row), {"verb": "carry_out"})
    assert Limit.objects.get().reason == "We argue about an invoice."
    assert officer.post(page_of(row), {"do": "lift", "reason": ""}).status_code == 422
    assert limits.of([ada.id])
    told = officer.get(reverse("admin:consent_of_person", args=[ada.pk])).content.decode()
    assert "Restricted (article 18)" in told and "We argue about an invoice." in told
    officer.post(page_of(row), {"do": "lift", "reason": "It is settled."})
    assert not limits.of([ada.id])
    assert Message.objects.filter(template__slug="house-lifted-en").count() == 1
    assert row.steps.get(what__startswith="Lifted").said == "It is settled."
    assert "Lift the restriction" not in officer.get(page_of(row)).content.decode()


def test_CO10_programs_set_and_lift_too(ada: Profile, now: datetime) -> None:
    _key, secret = keys.create("Desk", kind=Key.Kind.SECRET, scopes=["consent:write"], now=now)
    api = APIClient(headers={"authorization": f"Bearer {secret}"})
    asked = {"external_id": "ada", "kind": "restriction", "said": "A dispute.", "identity": "Signed in."}
    path = f"/api/v1/privacy-requests/{api.post('/api/v1/privacy-requests/', asked, format='json').json()['id']}/"
    assert api.post(f"{path}lift/", {"reason": "Early."}, format="json").status_code == 409
    assert api.post(f"{path}carry-out/", format="json").status_code == 200
    assert limits.of([ada.id]) == {ada.id: {"restricted"}}
    assert api.post(f"{path}lift/", {}, format="json").status_code == 400
    lifted = api.post(f"{path}lift/", {"reason": "Over."}, format="json").json()
    assert (lifted["identity"], lifted["steps"][-1]["said"]) == ("Signed in.", "Over.")
    assert not limits.of([ada.id])
    other = api.post("/api/v1/privacy-requests/", {"external_id": "ada", "kind": "access"}, format="json").json()
    noted = api.patch(f"/api/v1/privacy-requests/{other['id']}/", {"identity": "By phone."}, format="json")
    assert noted.json()["identity"] == "By phone."


def test_CO06_who_waits_beyond_their_day_comes_first(
    officer: Client, ada: Profile, ben: Profile, person: Any, now: datetime, at: Callable[[datetime], None]
) -> None:
    eve = person("eve", email="eve@example.com", first_name="Eve")
    requests.raise_(ben, "access", via="staff", now=now + timedelta(days=20))
    requests.raise_(ada, "access", via="staff", now=now)
    closed = requests.raise_(eve, "access", via="staff", now=now - timedelta(days=9))
    requests.close(closed.id, outcome="done", answer="Told.", now=now)
    at(now + timedelta(days=40))
    home = re.sub(r"<[^>]*>", " ", officer.get("/admin/").content.decode())
    assert re.search(r"Requests about data that are overdue\s+1\b", home)
    html = officer.get(LIST).content.decode()
    names = re.findall(r"(Ada|Ben|Eve)</a>|>(Ada|Ben|Eve)<", html.partition('id="result_list"')[2])
    assert [a or b for a, b in names] == ["Ada", "Ben", "Eve"]
    assert html.count("Overdue") >= 1


def test_AU02_only_who_may_takes_out_what_is_held_and_it_is_on_record(officer: Client, ada: Profile) -> None:
    page = officer.get(page_of(ada)).content.decode()
    assert "Everything held" in page and "Raise a request" in page
    html = officer.get(reverse("admin:everything_of_person", args=[ada.pk])).content.decode()
    assert "Everything we hold about you" in html and "../data/" not in html
    file = officer.get(reverse("admin:everything_as_file", args=[ada.pk]))
    assert json.loads(file.content)["profile"]["email"] == "ada@example.com"
    assert AuditEntry.objects.filter(verb="export", target=str(ada.pk)).count() == 2
    support = signed_in("support")
    assert "Everything held" not in support.get(page_of(ada)).content.decode()
    for name in ("everything_of_person", "everything_as_file", "request_for_person"):
        assert support.get(reverse(f"admin:{name}", args=[ada.pk])).status_code == 403
    assert support.get(ADD).status_code == 403


def test_what_was_said_of_a_request_goes_with_the_person(officer: Client, ada: Profile, now: datetime) -> None:
    row = requests.raise_(ada, "access", via="staff", said="I am Ada.", identity="Ada called.", now=now)
    requests.note_identity(row.id, "Ada called again.", now=now)
    people.erase(ada, now=now)
    row.refresh_from_db()
    assert (row.said, row.identity, row.answer) == ("", "", "Erased.")
    assert set(row.steps.values_list("said", flat=True)) == {""}
    html = officer.get(page_of(row)).content.decode()
    assert "Somebody who was erased" in html and "Ada called" not in html
