"""What staff see of consent: in words, and with nothing that they could change."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from consent import answers, preferences, suppression
from consent.admin import choices as screens
from consent.ledger import EVERYTHING, Outcome
from consent.models import ConsentRecord, ConsentState, RefusedUpgrade, Suppression, Topic
from profiles.models import Profile
from staff.models import User

Decide = Callable[..., Outcome]
MODELS = (Topic, ConsentState, ConsentRecord, RefusedUpgrade, Suppression)


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("root", password="stone-on-stone-9"))
    return client


@pytest.fixture
def story(ada: Profile, news: Topic, receipts: Topic, decide: Decide, now: datetime) -> None:
    """Ada said yes, no, and an import said yes for her."""
    decide(ada, "news", "granted", wording="Yes, send me news.", evidence={"control": "Save"})
    decide(ada, "news", "denied", now=now + timedelta(days=1), source=ConsentRecord.Source.ONE_CLICK)
    decide(ada, "news", "granted", now=now + timedelta(days=2), source=ConsentRecord.Source.IMPORT)
    decide(ada, EVERYTHING, "denied", "sms", now=now + timedelta(days=3))
    suppression.add("email", "ada@example.com", Suppression.Reason.COMPLAINT, now, Suppression.Scope.MARKETING)


def address(model: Any, row: Any = None) -> str:
    name = f"admin:consent_{model._meta.model_name}_"
    return reverse(f"{name}change", args=[row.pk]) if row else reverse(f"{name}changelist")


def read(client: Client, path: str) -> str:
    response = client.get(path, follow=True)
    assert response.status_code == 200
    return str(response.content.decode())


@pytest.mark.parametrize("model", MODELS)
def test_every_list_and_page_opens_and_speaks_in_words(staff: Client, story: None, model: Any) -> None:
    read(staff, address(model))
    for row in model.objects.all():
        html = read(staff, address(model, row)).partition('class="c-page"')[2]
        assert "<bdi>" in html
        for raw in (
            "{&#x27;",
            "UUID(",
            "granted",
            "one_click",
            "&quot;:",
            "None",
            str(row.pk) if len(str(row.pk)) > 20 else "UUID",
        ):
            assert raw not in re.sub(r"<[^>]*>", "", html)


@pytest.mark.parametrize("model", MODELS)
def test_every_empty_list_says_what_will_come(staff: Client, model: Any) -> None:
    assert getattr(screens, f"{model.__name__}Admin").empty[:40] in read(staff, address(model))


@pytest.mark.parametrize("model", MODELS)
def test_nothing_can_be_changed(staff: Client, story: None, model: Any) -> None:
    row = model.objects.first()
    before = list(model.objects.values())
    assert staff.post(address(model, row), {"verb": "delete"}).status_code == 403
    name = f"admin:consent_{model._meta.model_name}_"
    assert staff.get(reverse(f"{name}add")).status_code == 403
    assert staff.post(reverse(f"{name}delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert list(model.objects.values()) == before


@pytest.mark.parametrize("model", MODELS)
def test_who_may_not_view_them_sees_none(client: Client, story: None, model: Any) -> None:
    client.force_login(User.objects.create_user("guest", password="stone-on-stone-9", is_staff=True))
    assert client.get(address(model)).status_code == 403
    assert client.get(address(model, model.objects.first())).status_code == 403


def test_a_topic_shows_what_customers_read_and_what_they_chose(staff: Client, story: None, news: Topic) -> None:
    html = read(staff, address(Topic, news))
    assert news.description in html
    assert news.purpose in html
    assert "Declined, by email" in html


def test_a_decision_shows_what_was_shown_and_its_evidence(staff: Client, story: None, ada: Profile) -> None:
    html = read(staff, address(ConsentRecord, ConsentRecord.objects.get(seq=1)))
    assert "Yes, send me news." in html
    assert "Control" in html
    assert "Ada" in html


def test_ER01_after_an_erasure_the_ledger_names_nobody(staff: Client, story: None, ada: Profile) -> None:
    answers.erase(ada)
    ada.delete()
    assert "erased" in read(staff, address(ConsentRecord))
    row = ConsentRecord.objects.get(seq=1)
    html = read(staff, address(ConsentRecord, row))
    assert "Ada" not in html
    assert "It was erased with the person." in html


def test_CO27_a_blocked_address_is_found_by_typing_it_and_shown_nowhere(staff: Client, story: None) -> None:
    assert "Marked as spam" in read(staff, f"{address(Suppression)}?q=ADA%40example.com")
    assert "Marked as spam</a>" not in read(staff, f"{address(Suppression)}?q=ben%40example.com")
    html = read(staff, address(Suppression)) + read(staff, address(Suppression, Suppression.objects.get()))
    assert "ada@" not in html
    assert Suppression.objects.get().address_hash not in html


def test_a_persons_page_tells_how_their_consent_came_about(
    client: Client, story: None, ada: Profile, now: datetime
) -> None:
    user = User.objects.create_user("viewer", password="stone-on-stone-9", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_consentstate", "view_profile"]))
    client.force_login(user)
    preferences.save(ada.id, now=now, intensity="less", time_zone="Asia/Tokyo")
    html = read(client, reverse("admin:consent_of_person", args=[ada.pk]))
    for said in (
        "Product news",
        "on their preference page",
        "in their mail program",
        "and was refused",
        "They were shown: <q>Yes, send me news.</q>",
        "They want less, their time zone is Asia/Tokyo.",
    ):
        assert said in html
    newest, refused, no, yes = (
        html.index(said) for said in ("everything</bdi> by text", "refused", "mail program", "<q>")
    )
    assert newest < refused < no < yes
    assert reverse("admin:consent_of_person", args=[ada.pk]) in read(
        client, reverse("admin:profiles_profile_change", args=[ada.pk])
    )


def test_the_story_of_nobody_is_empty(staff: Client) -> None:
    assert "No decision of theirs is on record." in read(staff, reverse("admin:consent_of_person", args=[uuid4()]))
