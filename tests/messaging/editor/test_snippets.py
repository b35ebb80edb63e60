"""Snippets in the editor: written with the same blocks, asked about before others change, and had back."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from foundation.admin import page_of
from messaging.models import Template
from messaging.snippets import saving
from messaging.snippets.models import Snippet
from staff.models import User
from tests.messaging.editor.test_views import words

NEW = reverse("admin:messaging_snippet_add")


@pytest.fixture
def author(db: None) -> User:
    user = User.objects.create_user("ada", email="ada@acme.example", password="stone-on-stone-9", is_staff=True)
    user.groups.add(Group.objects.get(name="author"))
    return user


@pytest.fixture
def desk(client: Client, author: User) -> Client:
    client.force_login(author)
    return client


@pytest.fixture
def signed(db: None, now: datetime) -> Snippet:
    return saving.save("signed", name="Signed", blocks=[{"kind": "text", "text": "Yours, Ada"}], now=now)


def form(**fields: Any) -> dict[str, Any]:
    usual = {
        "name": "Signed",
        "order": ["k1"],
        "b.k1.kind": "text",
        "b.k1.text": "Yours, Ben",
        "upon": "0",
        "do": "save",
    }
    return {**usual, **fields}


def test_a_snippet_is_written_and_a_template_includes_it(desk: Client, write: Callable[..., Template]) -> None:
    assert "New snippet" in words(desk.get(NEW).content)
    answer = desk.post(NEW, form())
    snippet = Snippet.objects.get()
    assert (answer["Location"], snippet.slug) == (page_of(snippet), "signed")
    template = write(blocks=[{"kind": "heading", "text": "Hello"}, {"kind": "snippet", "slug": "signed"}])
    page = desk.get(reverse("admin:messaging_template_edit", args=[template.pk])).content.decode()
    assert '<option value="signed" selected>Signed</option>' in page
    assert "Yours, Ben" in page  # in the preview
    assert "Hello" in words(desk.get(page_of(template)).content)
    assert all(said in words(desk.get(page_of(snippet)).content) for said in ("Yours, Ben", "Used by"))


def test_a_change_is_asked_about_and_then_made_in_all_that_includes_it(
    desk: Client, signed: Snippet, write: Callable[..., Template]
) -> None:
    template = write(blocks=[{"kind": "snippet", "slug": "signed"}])
    path = reverse("admin:messaging_snippet_edit", args=[signed.pk])
    page = words(desk.post(path, form(upon="1")).content)
    assert all(said in page for said in ("A template includes it", "Hello", "Save, and make it anew"))
    assert signed.versions.count() == 1
    told = words(desk.post(path, form(upon="1", do="save:sure"), follow=True).content)
    assert "is saved as version 2, and used from now on. 1 template was made anew with it." in told
    template.refresh_from_db()
    assert template.version and "Yours, Ben" in template.version.html
    versions = reverse("admin:messaging_snippet_versions", args=[signed.pk])
    assert all(
        said in words(desk.get(versions).content) for said in ("Version 2", "Changed", "Take version 1 up again")
    )
    desk.post(versions, {"restore": "1", "upon": "2"})
    template.refresh_from_db()
    assert template.version and (template.version.number, "Yours, Ada" in template.version.html) == (3, True)
    assert "Somebody else changed it meanwhile" in words(desk.post(path, form(upon="2")).content)


def test_what_cannot_stand_in_a_snippet_is_said_at_its_place(desk: Client, signed: Snippet, now: datetime) -> None:
    saving.save("outer", name="Outer", blocks=[{"kind": "snippet", "slug": "signed"}], now=now)
    path = reverse("admin:messaging_snippet_edit", args=[signed.pk])
    round_ = {"b.k1.kind": "snippet", "b.k1.slug": "outer", "upon": "1"}
    assert "that includes this snippet: it would never end" in words(desk.post(path, form(**round_)).content)
    assert "It says nothing yet" in words(desk.post(path, form(order=[])).content)
    none = words(desk.post(path, form(**{**round_, "b.k1.slug": "gone"})).content)
    assert "there is no snippet" in none
    assert signed.versions.count() == 1


def test_only_who_may_writes_snippets_and_what_is_used_is_not_taken_out_of_use(
    desk: Client, author: User, signed: Snippet, write: Callable[..., Template]
) -> None:
    write(blocks=[{"kind": "snippet", "slug": "signed"}])
    assert desk.post(page_of(signed), {"verb": "archive"}).status_code == 403
    author.groups.set([Group.objects.get(name="publisher")])
    assert "is in use. The template Hello includes it." in words(
        desk.post(page_of(signed), {"verb": "archive"}, follow=True).content
    )
    author.groups.set([Group.objects.get(name="viewer")])
    assert desk.get(page_of(signed)).status_code == 200
    assert desk.get(NEW).status_code == 403
    assert desk.post(reverse("admin:messaging_snippet_edit", args=[signed.pk]), form(upon="1")).status_code == 403


def test_a_snippet_is_said_in_another_language_too(desk: Client, signed: Snippet) -> None:
    path = f"{reverse('admin:messaging_snippet_edit', args=[signed.pk])}?language=de"
    desk.post(path, form(upon="1", **{"b.k1.text": "Ihre Ada"}))
    signed.refresh_from_db()
    assert signed.version and signed.version.translations == {"de": {"blocks": [{"kind": "text", "text": "Ihre Ada"}]}}
    desk.post(path, form(upon="2", do="drop-language"))
    signed.refresh_from_db()
    assert signed.version and (signed.version.number, signed.version.translations) == (3, {})
