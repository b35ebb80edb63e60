"""What staff see of messages: in words, with nothing that they could change but the brand."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from consent import preferences
from foundation import clock
from foundation.admin import list_of, page_of
from messaging import brands, dispatch
from messaging.models import Brand, Message, MessageState, Template
from profiles.models import Profile
from staff.models import AuditEntry, User

Write = Callable[..., Template]
Agree = Callable[..., None]
Queue = Callable[..., Message]


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("root", password="stone-on-stone-9"))
    return client


@pytest.fixture
def story(ada: Profile, ben: Profile, write: Write, agree: Agree, queue: Queue, folder: Path, now: datetime) -> None:
    """One sent, one held back for want of consent, one put off, one in doubt."""
    write()
    write(subject="Newer news")
    agree(ada)
    queue(ada, journey="getting-started", step="hello"), queue(ben)
    dispatch.tick(now)
    preferences.save(ada.id, now=now, paused_until=now + timedelta(days=1))
    queue(ada)
    dispatch.tick(now)
    lost = queue(ada)
    Message.objects.filter(id=lost.id).update(
        state=MessageState.UNKNOWN, reason="The worker died.", sending_at=now, ended_at=now
    )


def read(client: Client, path: str) -> str:
    response = client.get(path, follow=True)
    assert response.status_code == 200
    return str(response.content.decode())


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", re.sub(r'srcdoc="[^"]*"', "", html)))


def test_the_outbox_says_who_what_state_why_and_when(staff: Client, story: None) -> None:
    said = words(read(staff, list_of(Message)))
    for part in ("Ben has not agreed to Product news by email.", "Newer news", "Sent", "Stopped", "Put off", "Unknown"):
        assert part in said


def test_every_page_of_a_message_speaks_in_words(staff: Client, story: None) -> None:
    for message in Message.objects.all():
        said = words(read(staff, page_of(message)).partition('class="c-page"')[2])
        for raw in ("{&#x27;", "UUID(", "&quot;:", "None", str(message.id), "suppressed", "deferred", "unset"):
            assert raw not in said, raw


def test_a_message_that_went_out_shows_what_they_got_in_a_cage(staff: Client, story: None) -> None:
    html = read(staff, page_of(Message.objects.get(state="sent")))
    (cage,) = re.findall(r"<iframe[^>]*>", html)
    assert 'sandbox=""' in cage
    assert "default-src" in cage
    assert "Hello Ada" in cage
    assert "Here is what is new." in words(html)  # and as plain text


def test_a_held_back_message_says_which_check_and_what_that_rests_on(staff: Client, story: None) -> None:
    said = words(read(staff, page_of(Message.objects.get(state="suppressed"))))
    assert "Agreed to the topic" in said
    assert "Ben has not agreed to Product news by email." in said


def test_the_lists_can_be_narrowed(staff: Client, story: None) -> None:
    assert "Ben has not agreed" not in words(read(staff, list_of(Message, state__exact="sent")))
    assert "Newer news" in words(read(staff, list_of(Message, q="ada@example")))


def test_what_may_not_have_arrived_is_sent_again_when_staff_say_so(
    staff: Client, story: None, now: datetime, folder: Path, ada: Profile
) -> None:
    message = Message.objects.get(state=MessageState.UNKNOWN)
    assert "Send again" in read(staff, page_of(message))
    staff.post(page_of(message), {"verb": "again"})
    message.refresh_from_db()
    assert message.state == MessageState.QUEUED
    assert AuditEntry.objects.filter(verb="message.sent_again", actor="user:root").count() == 1
    preferences.save(ada.id, now=now, paused_until=None)
    dispatch.tick(message.due_at)
    message.refresh_from_db()
    assert message.state == MessageState.SENT


def test_what_was_sent_cannot_be_sent_again(staff: Client, story: None) -> None:
    sent = Message.objects.get(state="sent")
    assert "Send again" not in read(staff, page_of(sent))
    assert staff.post(page_of(sent), {"verb": "again"}).status_code == 403


def test_the_page_of_a_person_is_told_their_last_messages(staff: Client, story: None, ada: Profile) -> None:
    said = words(read(staff, reverse("admin:messages_of_person", args=[ada.pk])))
    assert "Newer news" in said
    assert "Ada asked for a pause" in said


def test_a_template_shows_how_it_reads_and_how_it_read(staff: Client, story: None) -> None:
    template = Template.objects.get()
    html = read(staff, page_of(template))
    assert "Newer news" in words(html)
    assert "Version 1" in words(html)
    old = read(staff, page_of(template) + "?version=1")
    assert "This is version 1 of 2, as it was." in words(old)
    assert "News for you" in words(old)
    for odd in ("?version=99", "?version=x", "?version=-1", "?version=" + "9" * 40):
        assert "Newer news" in words(read(staff, page_of(template) + odd))


def test_a_preview_names_what_it_does_not_know_and_its_links_change_nothing(
    staff: Client, write: Write, client: Client
) -> None:
    write(
        "plan",
        subject="Your plan {{ profile.plan }}",
        blocks=[{"kind": "button", "text": "x", "href": "{{ event.url }}"}],
    )
    html = read(staff, page_of(Template.objects.get()))
    assert "Your plan [profile.plan]" in words(html)
    links = re.findall(r"http://127.0.0.1:8000(/unsubscribe/[^\s&<]+)", html)
    assert links
    assert client.post(links[0], {"List-Unsubscribe": "One-Click"}).status_code == 200


def test_the_brand_is_edited_in_a_form_and_the_change_is_in_the_trail(staff: Client, db: None) -> None:
    page = reverse("admin:messaging_brand_change", args=[1])
    assert "hello@example.com" in read(staff, list_of(Brand))
    values = {
        "name": "Acme", "logo_url": "https://example.com/logo.png", "colour": "#112233", "voice": "Short.",
        "sender_name": "Ada of Acme", "sender_address": "ada@acme.example", "postal_address": "Street 1\r\nTown",
    }  # fmt: skip
    assert staff.post(page, values).status_code == 302
    brand = brands.current()
    assert (brand.name, brand.sender_address, brand.postal_address) == ("Acme", "ada@acme.example", "Street 1\nTown")
    (entry,) = AuditEntry.objects.filter(kind="brand")
    assert (entry.actor, entry.verb) == ("user:root", "brand.changed")
    wrong = staff.post(page, {**values, "colour": "red", "logo_url": "javascript:x", "sender_address": "nobody"})
    assert wrong.status_code == 200
    for sentence in ("must be a colour such as", "must be an address of a picture", "must be an email address"):
        assert sentence in wrong.content.decode()
    assert brands.current().colour == "#112233"


def test_who_may_not_see_messages_sees_none(client: Client, story: None, ada: Profile) -> None:
    user = User.objects.create_user("small", password="stone-on-stone-9", is_staff=True)
    client.force_login(user)
    for path in (
        list_of(Message),
        page_of(Message.objects.all()[0]),
        reverse("admin:messages_of_person", args=[ada.pk]),
    ):
        assert client.get(path).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_message"))
    assert client.get(list_of(Message)).status_code == 200
    lost = Message.objects.get(state=MessageState.UNKNOWN)
    assert client.post(page_of(lost), {"verb": "again"}).status_code == 403
    assert client.post(reverse("admin:messaging_brand_change", args=[1]), {"name": "x"}).status_code == 403


def test_an_erased_person_is_somebody_who_was_erased(staff: Client, story: None, ada: Profile) -> None:
    from profiles import erasing

    erasing.erase(ada, now=clock.now())
    assert "erased" in words(read(staff, list_of(Message)))
    for message in Message.objects.filter(profile=None):
        assert "somebody who was erased" in words(read(staff, page_of(message)))


def test_a_list_of_many_takes_as_few_statements_as_a_list_of_few(
    staff: Client, story: None, ada: Profile, queue: Queue, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        queue(ada)
    with django_assert_max_num_queries(18):
        read(staff, list_of(Message))
