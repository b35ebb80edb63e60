"""The editor's pages: who may write, what is saved, who was first, and what one is told."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from consent import suppression
from consent.models import ConsentRecord, ConsentState, Topic
from foundation.admin import page_of
from messaging import brands
from messaging.models import Message, Template
from profiles.models import Profile
from staff.models import AuditEntry, User
from tests.messaging.conftest import BLOCKS, mails_in

Write = Callable[..., Template]

NEW = reverse("admin:messaging_template_add")


@pytest.fixture
def author(db: None) -> User:
    user = User.objects.create_user("ada", email="ada@acme.example", password="stone-on-stone-9", is_staff=True)
    user.groups.add(Group.objects.get(name="author"))
    return user


@pytest.fixture
def desk(client: Client, author: User) -> Client:
    client.force_login(author)
    return client


def edit(template: Template) -> str:
    return reverse("admin:messaging_template_edit", args=[template.pk])


def versions(template: Template) -> str:
    return reverse("admin:messaging_template_versions", args=[template.pk])


def form(**fields: Any) -> dict[str, Any]:
    """A small template as the form sends it."""
    usual = {
        "name": "Your first report",
        "channel": "email",
        "topic": "news",
        "subject": "Hello {{ profile.first_name | default: 'there' }}",
        "order": ["k1", "k2"],
        "b.k1.kind": "heading",
        "b.k1.text": "Welcome",
        "b.k2.kind": "list",
        "b.k2.items": ["One", "Two", ""],
        "upon": "0",
        "do": "save",
    }
    return {**usual, **fields}


def of(template: Template, **fields: Any) -> dict[str, Any]:
    assert template.version
    return form(name=template.name, upon=str(template.version.number), **fields)


def words(html: bytes) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", re.sub(r'srcdoc="[^"]*"', "", html.decode()))))


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_new_template_is_written_in_the_admin(desk: Client, news: Topic) -> None:
    assert desk.get(NEW).status_code == 200
    response = desk.post(NEW, form(reason="To begin with"))
    template = Template.objects.get()
    assert response.headers["Location"] == page_of(template)
    assert template.version and template.slug == "your-first-report"
    assert template.version.blocks == [
        {"kind": "heading", "text": "Welcome"},
        {"kind": "list", "items": ["One", "Two"]},
    ]
    assert (template.version.author, template.version.reason) == ("user:ada", "To begin with")
    assert AuditEntry.objects.get().actor == "user:ada"


def test_a_second_template_of_a_name_is_another_one(desk: Client, news: Topic) -> None:
    desk.post(NEW, form()), desk.post(NEW, form(subject="Another"))
    assert sorted(Template.objects.values_list("slug", flat=True)) == ["your-first-report", "your-first-report-2"]


def test_an_edit_makes_a_new_version_only_where_something_changed(desk: Client, write: Write) -> None:
    template = write(blocks=[{"kind": "heading", "text": "Welcome"}, {"kind": "list", "items": ["One", "Two"]}])
    same = of(template, subject="News for {{ profile.first_name | default: 'you' }}")
    response = desk.post(edit(template), same, follow=True)
    assert "there is no new version" in words(response.content)
    assert template.versions.count() == 1
    desk.post(edit(template), same | {"b.k1.text": "Welcome, you"})
    assert [version.blocks[0]["text"] for version in template.versions.order_by("number")] == [
        "Welcome",
        "Welcome, you",
    ]


def test_what_the_form_does_not_show_as_it_was_written_is_no_change(desk: Client, write: Write) -> None:
    blocks = [{"kind": "list", "items": ["One"], "ordered": False}, {"kind": "quote", "text": "So", "by": ""}]
    template = write(blocks=blocks)
    sent = {"order": ["k1", "k2"], "b.k1.kind": "list", "b.k1.items": "One", "b.k2.kind": "quote", "b.k2.text": "So"}
    desk.post(edit(template), of(template, subject=template.version.subject) | sent)  # type: ignore[union-attr]
    assert template.versions.count() == 1


def test_buttons_change_the_form_and_save_nothing(desk: Client, news: Topic) -> None:
    missing = "“What it says” is still to be filled in."
    page = desk.post(NEW, form(do="add:button"))
    assert missing not in words(page.content)  # it is being written
    assert missing in words(desk.post(NEW, form(do="add:button", strict="1")).content)
    assert b'id="piece-k3"' in page.content
    assert not Template.objects.exists()


def test_what_is_wrong_stands_at_its_block_with_what_to_do(desk: Client, news: Topic) -> None:
    bad = {
        "order": ["k1", "k2", "k3"],
        "b.k1.kind": "button", "b.k1.text": "Go", "b.k1.href": "javascript:alert(1)",
        "b.k2.kind": "image", "b.k2.src": "https://e.co/a.png",
        "b.k3.kind": "text", "b.k3.text": "{{ profile.first_name }} {{ profile.hat | default: 'x' }} [so](https://nowhere)",
    }  # fmt: skip
    page = desk.post(NEW, form(**bad, subject="", topic=""))
    notes = dict(re.findall(r'id="notes-(\w+)">(.*?)</div>', page.content.decode(), re.DOTALL))
    assert "Begin it with https://" in notes["k1"]
    assert "“What it shows” is still to be filled in" in unescape(notes["k2"])
    third = unescape(notes["k3"])
    assert "Not everybody has “First name”" in third
    assert "Nobody is known to have “Hat”" in third
    assert "leads to no site" in third
    assert "The subject is still to be filled in." in notes["subject"]
    assert "The topic is still to be filled in." in notes["topic"]
    assert not Template.objects.exists()


def test_co_16_a_brand_without_a_postal_address_is_said_for_marketing_alone(
    desk: Client, news: Topic, receipts: Topic, settings: Any
) -> None:
    settings.POSTAL_ADDRESS = ""
    told = "The brand has no postal address"
    assert told in words(desk.post(NEW, form(do="preview")).content)
    assert told not in words(desk.post(NEW, form(do="preview", topic="receipts")).content)


def test_a_pale_colour_is_said_at_the_button(desk: Client, news: Topic, now: datetime) -> None:
    button = {"b.k1.kind": "button", "b.k1.href": "https://e.co", "do": "preview"}
    assert "hard to read" not in words(desk.post(NEW, form(**button)).content)
    brands.save(colour="#ffdd00", now=now)
    assert "hard to read" in words(desk.post(NEW, form(**button)).content)


def test_em_02_a_mail_of_more_than_90_kb_is_said(desk: Client, news: Topic) -> None:
    long = {"b.k2.kind": "text", "b.k2.text": "word " * 3_900}
    many: dict[str, Any] = {"order": [f"k{n}" for n in range(1, 8)]}
    for n in range(1, 8):
        many |= {f"b.k{n}.kind": "text", f"b.k{n}.text": long["b.k2.text"]}
    assert "Over 90 KB" in words(desk.post(NEW, form(**many, do="preview")).content)


# ── Two at once ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_edit_upon_an_old_version_is_refused_and_both_are_shown(desk: Client, write: Write) -> None:
    template = write(blocks=[{"kind": "heading", "text": "Welcome"}])
    mine = of(template, order=["k1"], **{"b.k1.text": "Welcome aboard"})
    write(blocks=[{"kind": "heading", "text": "Welcome, friend"}], reason="Warmer")
    page = desk.post(edit(template), mine)
    assert page.status_code == 409
    text = words(page.content)
    assert "Somebody else changed it meanwhile" in text and "“Warmer”" in text
    assert "friend" in text and "aboard" in text
    assert template.versions.count() == 2
    again = mine | {"upon": re.search(r'name="upon" value="(\d+)"', page.content.decode())[1]}  # type: ignore[index]
    assert desk.post(edit(template), again).status_code == 302
    assert template.versions.count() == 3


# ── What it said before ──────────────────────────────────────────────────────────────────────────────────────────────
def test_versions_say_in_words_what_changed_and_one_can_be_had_back(desk: Client, write: Write, now: datetime) -> None:
    template = write(subject="Old", blocks=[{"kind": "text", "text": "Here is what is new today."}])
    template = write(
        subject="New",
        blocks=[{"kind": "text", "text": "Here is what is old today."}, {"kind": "divider"}],
        reason="Better",
    )
    page = desk.get(versions(template)).content.decode()
    assert "<del>new</del><ins>old</ins>" in page
    assert "<del>Old</del><ins>New</ins>" in page
    assert "Added</span> Divider" in page and "“Better”" in page
    response = desk.post(versions(template), {"restore": "1", "upon": "2"}, follow=True)
    assert "It says again what version 1 said, as version 3." in words(response.content)
    template.refresh_from_db()
    assert template.version and template.version.subject == "Old" and template.version.reason == "Version 1 again"
    response = desk.post(versions(template), {"restore": "2", "upon": "2"}, follow=True)
    assert "Somebody else saved" in words(response.content)
    assert template.versions.count() == 3


@pytest.mark.parametrize("number", ["", "x", "99", "-1", "9" * 40, "²", "\0"])
def test_a_version_that_is_not_there_is_not_restored(desk: Client, write: Write, number: str) -> None:
    template = write()
    assert desk.post(versions(template), {"restore": number, "upon": number}).status_code == 302
    assert template.versions.count() == 1


# ── Looking at it ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_is_shown_as_a_made_up_person_or_as_anybody(desk: Client, news: Topic, ada: Profile) -> None:
    Profile.objects.filter(pk=ada.pk).update(first_name="Ada <b>")
    made_up = unescape(desk.post(NEW, form(do="preview")).content.decode())
    assert "Hello Robin" in made_up
    shown = desk.post(NEW, form(do="find", who=str(ada.email)), headers={"HX-Request": "true"}).content.decode()
    assert "Hello Ada &lt;b&gt;" in shown
    assert str(ada.pk) in shown  # kept, so that it stays her
    kept = desk.post(NEW, form(do="preview", person=str(ada.pk))).content.decode()
    assert "Hello Ada &lt;b&gt;" in kept


def test_who_may_not_see_people_sees_the_made_up_one(client: Client, news: Topic, ada: Profile) -> None:
    from django.contrib.auth.models import Permission

    user = User.objects.create_user("eve", password="stone-on-stone-9", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=["add_template", "view_template"]))
    client.force_login(user)
    for sent in (
        {"do": "find", "who": str(ada.email)},
        {"do": f"as:{ada.pk}"},
        {"do": "preview", "person": str(ada.pk)},
    ):
        page = client.post(NEW, form(**sent))
        assert "Hello Robin" in page.content.decode()
        assert str(ada.email) not in page.content.decode().replace(f'value="{ada.email}"', "")


def test_un_11_links_of_a_preview_change_nothing(desk: Client, news: Topic, ada: Profile) -> None:
    text = desk.post(NEW, form(do="preview", part="text", person=str(ada.pk))).content.decode()
    [address] = re.findall(r"Unsubscribe: \S+?(/\S+)", text)
    Client().post(address[address.index("/") :] if address.startswith("/") else f"/{address}")
    assert not ConsentState.objects.exists() and not ConsentRecord.objects.exists()


def test_xs_01_what_is_written_never_leaves_its_frame(desk: Client, news: Topic) -> None:
    harm = "</textarea><script>alert(1)</script><img src=x onerror=alert(1)>\" srcdoc='x'"
    page = desk.post(
        NEW,
        form(name=harm, subject=harm, who=harm, reason=harm, do="preview", **{"b.k1.text": harm, "b.k2.items": [harm]}),
    ).content.decode()
    assert "<script>alert" not in page and "<img src=x" not in page
    assert page.count("<iframe") == 1 and 'sandbox=""' in page


# ── Testing ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_em_12_a_test_is_marked_has_inert_links_and_leaves_no_trace(
    desk: Client, author: User, news: Topic, ada: Profile, folder: Path
) -> None:
    page = desk.post(NEW, form(do="test", to=author.email, person=str(ada.pk)))
    assert "A test went to ada@acme.example" in words(page.content)
    assert "Were it no test, it would have been held back" in words(page.content)
    [mail] = mails_in(folder)
    assert mail["Subject"].startswith("[Test] Hello ") and mail["X-Cairn-Test"] == "yes"
    assert mail["To"] == "ada@acme.example"
    unsubscribe = mail["List-Unsubscribe"].strip("<>")
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert unsubscribe in text
    assert Client().post(re.sub(r"https?://[^/]+", "", unsubscribe)).status_code == 200
    assert not ConsentState.objects.exists() and not ConsentRecord.objects.exists() and not Message.objects.exists()
    assert AuditEntry.objects.get().verb == "template.tested"
    assert "@" not in AuditEntry.objects.get().summary


def test_em_12_a_test_goes_where_its_sender_says_and_to_no_blocked_address(
    desk: Client, author: User, news: Topic, folder: Path, now: datetime
) -> None:
    for to in ("", "x", "a@", "a@example.com, b@example.com", "Ada <ada@example.com>"):
        assert "Say where it is to go: an email address." in words(desk.post(NEW, form(do="test", to=to)).content)
    suppression.add("email", "ada@acme.example", reason="hard_bounce", scope="all", now=now - timedelta(days=1))
    page = desk.post(NEW, form(do="test", to=author.email))
    assert "Nothing may be sent to ada@acme.example" in words(page.content)
    assert not list(folder.iterdir())
    assert "A test went to seed@example.com" in words(desk.post(NEW, form(do="test", to="seed@example.com")).content)
    assert [mail["To"] for mail in mails_in(folder)] == ["seed@example.com"]


# ── Whoever comes, with whatever ─────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("role", "may"), [("viewer", False), ("support", False), ("author", True), ("publisher", True)]
)
def test_only_those_who_may_write_templates_do(client: Client, write: Write, role: str, may: bool) -> None:
    template = write()
    user = User.objects.create_user("someone", password="stone-on-stone-9", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    status = 200 if may else 403
    assert client.get(NEW).status_code == status
    assert client.get(edit(template)).status_code == status
    assert client.post(edit(template), of(template, do="preview")).status_code == status
    assert client.get(versions(template)).status_code == 200
    assert client.post(versions(template), {"restore": "1"}).status_code == (302 if may else 403)
    assert (b"/edit/" in client.get(page_of(template)).content) is may
    assert client.post(page_of(template), {"verb": "edit"}).status_code == 403
    client.logout()
    assert client.get(NEW).status_code == 302


GARBAGE: list[dict[str, Any]] = [
    {},
    {"do": "save"},
    {"do": "\0"},
    {"do": "move:k1:k1.9:99999"},
    {"do": "test", "to": "\0"},
    {"do": "find", "who": "\0"},
    {"do": "as:\0"},
    {"do": "undo", "past": "x" * 10_000},
    {"topic": "\0", "channel": "\0", "name": "\0", "subject": "\0\r\n", "person": "\0", "upon": "\0", "reason": "\0"},
    {"topic": "news", "channel": "pigeon", "width": "<", "scheme": "x", "part": "y", "upon": "9" * 50},
    {"order": ["k1", "k1", "k0", "x", "\0", "k999999"], "b.k1.kind": "columns", "b.k1.in": "k1.0"},
    {"order": [f"k{n}" for n in range(1, 400)], **{f"b.k{n}.kind": "text" for n in range(1, 400)}},
    {"order": ["k1"], "b.k1.kind": "image", "b.k1.width": "9" * 5_000, "b.k1.src": "https://[", "b.k1.alt": "\0"},
    {"order": ["k1"], "b.k1.kind": "text", "b.k1.text": "{% for a in (1..99999999) %}{{ a }}{% endfor %}"},
    {"order": ["k1"], "b.k1.kind": "text", "b.k1.text": "{{ }} {% if %} {{ profile[ }} {{ 'a' | nope }} [a](b"},
    {
        "order": ["k1"],
        "b.k1.kind": "text",
        "b.k1.text": "{{ 'aaaaaaaaaa'" + " | replace: 'a', 'aaaaaaaaaa'" * 8 + " }}",
    },
    {"order": ["k1"], "b.k1.kind": "gone", "b.k1.kept": "[" * 50_000},
    {"order": ["k1"], "b.k1.kind": "\ud83d", "b.k1.text": "zq0qz \ue0000\ue001"},
]


@pytest.mark.parametrize("place", range(len(GARBAGE)))
@pytest.mark.parametrize("htmx", [False, True])
def test_tm_02_whatever_is_sent_is_answered_with_a_page(desk: Client, write: Write, place: int, htmx: bool) -> None:
    template = write()
    headers = {"HX-Request": "true"} if htmx else {}
    sent = GARBAGE[place]
    for path in (NEW, edit(template)):
        for do in ("preview", "save", sent.get("do", "add:text")):
            body = {**sent, "do": do}
            body = {k: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for k, v in body.items()}
            assert desk.post(path, body, headers=headers).status_code in (200, 409)
    assert template.versions.count() == 1
    assert BLOCKS
