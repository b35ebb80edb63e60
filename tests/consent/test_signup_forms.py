"""Hosted sign-up forms: they ask, they tell nothing of anybody, and they change nothing before it is confirmed."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from consent import optins, signups, suppression, tasks
from consent.ledger import Outcome
from consent.models import ConsentState, OptIn, SignupForm, Suppression, Topic
from foundation import clock
from foundation.errors import Invalid
from messaging.models import Message
from profiles.models import Profile
from staff import keys
from staff.models import AuditEntry, Key

At = Callable[[datetime], None]
WORDS = {
    "en": {"title": "Our letter", "text": "Once a month, what is new.", "button": "Sign up"},
    "de": {"title": "Unser Brief", "text": "Einmal im Monat, was neu ist.", "button": "Anmelden"},
}


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
def form(news: Topic, tips: Topic, now: datetime) -> SignupForm:
    return signups.save("letter", name="Letter", topics=["news"], wordings=WORDS, now=now)


def sign_up(client: Client, email: str, **fields: Any) -> Any:
    answer = client.post("/forms/letter/", {"email": email, **fields})
    signups.tick(clock.now())
    return answer


def test_CO29_the_answer_is_the_same_whoever_they_are(
    client: Client,
    ada: Profile,
    ben: Profile,
    decide: Callable[..., Outcome],
    form: SignupForm,
    at: At,
    now: datetime,
) -> None:
    decide(ben, "news", "granted")
    suppression.add("email", "eve@example.com", Suppression.Reason.MANUAL, now, Suppression.Scope.ALL)
    addresses = ("ada@example.com", "ben@example.com", "eve@example.com", "new@example.com")
    answers = [sign_up(client, address) for address in addresses]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len({str(sorted(answer.headers.items())) for answer in answers}) == 1
    assert not answers[0].cookies


def test_CO29_what_is_done_before_the_answer_is_the_same_whoever_they_are(
    client: Client, ada: Profile, ben: Profile, decide: Callable[..., Outcome], form: SignupForm, at: At, now: datetime
) -> None:
    """Statements and not milliseconds: what takes the same steps takes the same time, on any machine."""
    decide(ben, "news", "granted")
    suppression.add("email", "eve@example.com", Suppression.Reason.MANUAL, now, Suppression.Scope.ALL)
    client.get("/forms/letter/")
    steps = []
    for address in ("ada@example.com", "ben@example.com", "eve@example.com", "new@example.com", "ada@example.com"):
        with CaptureQueriesContext(connection) as queries:
            client.post("/forms/letter/", {"email": address})
        steps.append([re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in queries])
    assert all(each == steps[0] for each in steps)
    assert signups.tick(now) == 5
    assert signups.tick(now) == 0


def test_a_form_that_nobody_can_be_made_for_is_dropped_and_stops_no_other(
    client: Client, form: SignupForm, at: At, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post("/forms/letter/", {"email": "bad@example.com"})
    client.post("/forms/letter/", {"email": "good@example.com"})
    real = signups._owner

    def owner(form: SignupForm, address: str, *more: Any) -> Any:
        if address.startswith("bad"):
            raise Invalid.at("email", "is none that the door takes")
        return real(form, address, *more)

    monkeypatch.setattr(signups, "_owner", owner)
    assert signups.tick(now) == 2
    assert OptIn.objects.get().profile.email == "good@example.com"


def test_CO28_it_is_always_confirmed_first_and_what_was_shown_is_kept(
    client: Client, ada: Profile, form: SignupForm, at: At, now: datetime
) -> None:
    sign_up(client, " ADA@example.com ", website="")
    asked = OptIn.objects.get()
    assert (asked.profile, asked.by, asked.made_person) == (ada, "form", False)
    assert not ConsentState.objects.exists()
    signups.save("letter", name="Letter", topics=["news"], wordings={"en": {**WORDS["en"], "text": "Else."}}, now=now)
    optins.confirm(asked.id, now=now)
    assert ConsentState.objects.get().profile == ada
    assert "Once a month, what is new." in asked.choices[0]["wording"]
    ada.refresh_from_db()
    assert (ada.email, ada.first_name) == ("ada@example.com", "Ada")


def test_somebody_new_is_known_by_the_address_and_nothing_else(
    client: Client, form: SignupForm, at: At, now: datetime
) -> None:
    page = client.post("/forms/letter/", {"email": "neu@example.com"}, headers={"accept-language": "de"})
    assert "ist ein Link unterwegs" in page.content.decode()
    signups.tick(now)
    one = Profile.objects.get()
    assert (one.email, one.external_id, one.locale) == ("neu@example.com", None, "de")
    sign_up(client, "NEU@example.com")
    assert Profile.objects.count() == 1
    assert [message.template.slug for message in Message.objects.all()] == ["house-confirm-de"] * 2


def test_CO28_who_never_confirmed_is_forgotten_and_not_blocked(
    client: Client, ada: Profile, form: SignupForm, at: At, now: datetime
) -> None:
    sign_up(client, "new@example.com")
    sign_up(client, "ada@example.com")
    assert tasks.forget(now + timedelta(days=30)) >= 2
    assert list(Profile.objects.all()) == [ada]
    assert not Suppression.objects.exists()
    assert not OptIn.objects.exists()


def test_who_confirmed_or_became_somebody_stays(client: Client, form: SignupForm, at: At, now: datetime) -> None:
    sign_up(client, "one@example.com")
    optins.confirm(OptIn.objects.get().id, now=now)
    sign_up(client, "two@example.com")
    Profile.objects.filter(email="two@example.com").update(external_id="two")
    tasks.forget(now + timedelta(days=30))
    assert Profile.objects.count() == 2


def test_programs_that_fill_in_everything_are_thanked_and_ignored(
    client: Client, form: SignupForm, at: At, now: datetime
) -> None:
    answer = sign_up(client, "bot@example.com", website="https://spam.example")
    assert "Thank you" in answer.content.decode()
    assert not Profile.objects.exists()


def test_RL01_one_network_sends_thirty_an_hour(client: Client, form: SignupForm, at: At, now: datetime) -> None:
    for n in range(30):
        answer = client.post("/forms/letter/", {"email": f"n{n}@example.com"}, REMOTE_ADDR=f"192.0.2.{n}")
        assert answer.status_code == 200
    late = client.post("/forms/letter/", {"email": "n@example.com"}, REMOTE_ADDR="192.0.2.77")
    assert (late.status_code, late.headers["Retry-After"]) == (429, "3601")
    spoofed = client.post(
        "/forms/letter/",
        {"email": "n@example.com"},
        REMOTE_ADDR="192.0.2.1",
        headers={"x-forwarded-for": "203.0.113.9"},
    )
    assert spoofed.status_code == 429
    assert client.post("/forms/letter/", {"email": "n@example.com"}, REMOTE_ADDR="203.0.113.9").status_code == 200
    at(now + timedelta(hours=1))
    assert client.post("/forms/letter/", {"email": "n@example.com"}, REMOTE_ADDR="192.0.2.77").status_code == 200


def test_RL01_behind_a_proxy_only_its_own_word_counts(
    client: Client, form: SignupForm, at: At, settings: Any, now: datetime
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    for n in range(31):
        answer = client.post(
            "/forms/letter/", {"email": f"n{n}@example.com"}, headers={"x-forwarded-for": f"10.{n}.0.1, 192.0.2.9"}
        )
    assert answer.status_code == 429


def test_CO28_an_address_gets_two_mails_however_often_it_is_sent(
    client: Client, form: SignupForm, at: At, now: datetime
) -> None:
    for n in range(11):
        answer = client.post("/forms/letter/", {"email": "victim@example.com"}, REMOTE_ADDR=f"198.51.{n}.1")
        assert answer.status_code == 200
    assert signups.tick(now) == 11
    assert Message.objects.count() == 2


def test_CO02_nothing_is_ticked_and_nothing_is_asked_for_without_a_tick(
    client: Client, form: SignupForm, at: At, now: datetime
) -> None:
    signups.save("letter", name="Letter", topics=["news", "tips"], wordings=WORDS, now=now)
    assert " checked" not in client.get("/forms/letter/").content.decode()
    answer = sign_up(client, "one@example.com")
    assert (answer.status_code, OptIn.objects.count()) == (422, 0)
    assert "Choose at least one." in answer.content.decode()
    sign_up(client, "one@example.com", topics="tips")
    assert [one["topic"] for one in OptIn.objects.get().choices] == ["tips"]


@pytest.mark.parametrize(
    "address", ["", "ada", "ada@", "a@b", "x" * 250 + "@example.com", "ada@example.com\nBcc: b@c.de"]
)
def test_what_is_no_address_is_told_so(client: Client, form: SignupForm, at: At, address: str) -> None:
    answer = sign_up(client, address)
    assert (answer.status_code, OptIn.objects.count()) == (422, 0)
    assert "Write your email address" in answer.content.decode()


def test_it_stands_in_frames_of_those_who_are_named_and_of_nobody_else(
    client: Client, form: SignupForm, at: At, now: datetime
) -> None:
    alone = client.get("/forms/letter/")
    assert "frame-ancestors 'none'" in alone.headers["Content-Security-Policy"]
    assert alone.headers["X-Frame-Options"] == "DENY"
    origins = ["https://www.example.com", "http://localhost:8000"]
    signups.save("letter", name="Letter", topics=["news"], wordings=WORDS, embed_on=origins, now=now)
    framed = client.get("/forms/letter/")
    assert f"frame-ancestors {' '.join(origins)};" in framed.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in framed.headers


@pytest.mark.parametrize(
    "origin",
    ["*", "https://", "example.com", "https://a.b/x", "https://a.b; script-src *", "javascript://a", "https://a:b"],
)
def test_nothing_but_an_origin_may_frame_it(form: SignupForm, now: datetime, origin: str) -> None:
    with pytest.raises(Invalid, match=r"embed_on\[0\]"):
        signups.save("letter", name="L", topics=["news"], wordings=WORDS, embed_on=[origin], now=now)


def test_a_form_that_is_out_of_use_or_offers_nothing_is_not_there(
    client: Client, form: SignupForm, at: At, now: datetime
) -> None:
    assert client.get("/forms/letter/").status_code == 200
    Topic.objects.update(archived=True)
    assert client.get("/forms/letter/").status_code == 404
    assert client.get("/forms/none/").status_code == 404


def test_forms_are_made_and_changed_by_programs(news: Topic, at: At, now: datetime) -> None:
    _key, secret = keys.create("Shop", kind=Key.Kind.SECRET, scopes=["topics:write"], now=now)
    api = APIClient(headers={"authorization": f"Bearer {secret}"})
    body = {"name": "Letter", "topics": ["news"], "wordings": WORDS}
    made = api.put("/api/v1/signup-forms/letter/", body, format="json")
    assert made.status_code == 201
    assert made.json()["url"].endswith("/forms/letter/")
    off = api.patch("/api/v1/signup-forms/letter/", {"active": False, "reason": "Over."}, format="json")
    assert (off.status_code, off.json()["active"], off.json()["wordings"]) == (200, False, WORDS)
    wrong = api.put("/api/v1/signup-forms/letter/", {**body, "topics": ["nothing"]}, format="json")
    assert wrong.status_code == 400
    assert wrong.json()["errors"][0]["path"] == "topics[0]"
    assert [row["slug"] for row in api.get("/api/v1/signup-forms/").json()["results"]] == ["letter"]
    assert AuditEntry.objects.filter(kind="form", target="letter").count() == 2
