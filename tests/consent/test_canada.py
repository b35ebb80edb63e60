"""CO-17: what Canada's law (CASL) asks for, before a mail can be made, and of whoever asks for a consent."""

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from consent import signups, topics
from consent.models import SentForm, Topic
from foundation.errors import Invalid
from messaging import brands, preview, templates
from messaging.models import Template
from staff import keys
from staff.models import Key

HELLO: dict[str, Any] = {
    "name": "Hello", "channel": "email", "topic": "offers", "subject": "Hello",
    "blocks": [{"kind": "text", "text": "Hi"}],
}  # fmt: skip


@pytest.fixture
def offers(db: None, now: datetime, settings: Any) -> Topic:
    settings.POSTAL_ADDRESS = settings.CONTACT = ""
    settings.DEFAULT_FROM_EMAIL = "Acme Ltd <hello@acme.example>"
    return topics.save(
        "offers", name="Offers", description="What is new.", purpose="To sell.", basis="consent", jurisdiction="CA",
        channels=["email", "sms"], double_opt_in=True, now=now,
    )  # fmt: skip


def test_CO17_a_template_for_canada_is_refused_naming_what_is_missing_and_a_complete_one_is_made(
    client: Client, offers: Topic, now: datetime, settings: Any
) -> None:
    _, secret = keys.create("test", kind=Key.Kind.SECRET, scopes=["templates:write"], now=now)

    def publish() -> Any:
        headers = {"authorization": f"Bearer {secret}"}
        return client.put("/api/v1/templates/hello/", HELLO, content_type="application/json", headers=headers)

    answer = publish()
    assert answer.status_code == 400
    assert {one["path"] for one in answer.json()["errors"]} == {"brand.postal_address", "contact"}
    assert all("Canada's law (CASL)" in one["reason"] for one in answer.json()["errors"])
    brands.save(postal_address="Acme Ltd\n1 Main Street\nToronto", now=now)
    assert {one["path"] for one in publish().json()["errors"]} == {"contact"}
    settings.CONTACT = "+1 416 555 0100"
    assert publish().status_code == 201
    made = Template.objects.get(slug="hello")
    assert made.version is not None
    shown = preview.of(made, made.version)
    assert all("Toronto" in one and "+1 416 555 0100" in one for one in (shown.html, shown.text))


def test_CO17_other_topics_and_channels_without_a_foot_ask_for_nothing(offers: Topic, now: datetime) -> None:
    Topic.objects.update(jurisdiction="")
    templates.save("hello", **HELLO, now=now)
    Topic.objects.update(jurisdiction="CA", transactional=True, double_opt_in=False)
    templates.save("receipt", **HELLO, now=now)
    Topic.objects.update(transactional=False)
    templates.save("text", **(HELLO | {"channel": "sms", "subject": ""}), now=now)
    with pytest.raises(Invalid):
        templates.save("other", **HELLO, now=now)
    with pytest.raises(Invalid, match="a country's code"):
        topics.save(
            "x", name="X", description="X", purpose="X", basis="consent", jurisdiction="ZZ", channels=["email"], now=now
        )


def test_CO17_whoever_asks_for_a_consent_says_who_they_are_and_how_they_are_reached(
    client: Client, offers: Topic, now: datetime, settings: Any
) -> None:
    settings.POSTAL_ADDRESS, settings.CONTACT = "1 Main Street\nToronto", "+1 416 555 0100"
    words = {"en": {"title": "Our offers", "text": "Once a week.", "button": "Yes, please"}}
    signups.save("join", name="Join", topics=["offers"], wordings=words, now=now)
    who = "Acme Ltd, 1 Main Street, Toronto, +1 416 555 0100, hello@acme.example"
    assert f"Who asks you: {who}." in client.get("/forms/join/").content.decode()
    client.post("/forms/join/", {"email": "eve@example.com"})
    assert who in SentForm.objects.get().shown["offers"]  # the proof says what they were shown
