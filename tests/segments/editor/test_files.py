"""A segment taken along as a file opens elsewhere as the same, and what is no such file is refused in words."""

from datetime import datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from foundation.errors import Invalid
from segments import definitions
from segments.editor import files
from segments.models import Segment
from tests.segments.editor.test_tree import EXTRA
from tests.segments.test_admin import signed_in, text
from tests.segments.world import there

pytestmark = pytest.mark.django_db
ADDRESS = "/admin/segments/segment/from-file/"


@pytest.fixture
def author() -> Client:
    return signed_in("segments.view_segment", "segments.add_segment")


@pytest.mark.parametrize("definition", [one for one in EXTRA if "slug" not in str(one) and "since" not in str(one)])
def test_a_segment_comes_back_from_its_file(definition: dict[str, Any], now: datetime) -> None:
    words: dict[str, Any] = {
        "description": "Ärger: “ja”\nund mehr",
        "family": "stage",
        "position": 3,
        "preferred_channels": ["email"],
    }
    segment = definitions.save("ours", name="Our people", definition=there(definition), now=now, **words)
    row = files.read(files.written(segment).encode())
    assert row["definition"] == definition
    assert files.words(row) == {"name": "Our people", **words}


def test_a_file_opens_in_the_builder_and_nothing_is_saved_by_it(author: Client, now: datetime) -> None:
    segment = definitions.save("ours", name="Our people", definition=EXTRA[0], now=now)
    file = author.get(reverse("admin:segments_segment_file", args=[segment.pk]))
    assert file["Content-Disposition"] == 'attachment; filename="ours.yaml"'
    page = text(author.post(ADDRESS, {"file": SimpleUploadedFile("x.yaml", file.content)}))
    assert 'action="/admin/segments/segment/add/"' in page and 'value="Our people"' in page
    assert "People whose plan is one of" in page
    assert Segment.objects.count() == 1


def test_a_day_without_quotes_is_a_day() -> None:
    row = files.read(b"{slug: a, definition: {kind: attribute, name: x, op: before, value: 2026-03-01}}")
    assert row["definition"]["value"] == "2026-03-01"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\xff\xfe", "cannot be read as YAML"),
        (b"[" * 5_000, "cannot be read as YAML"),
        (b"a: &a [1]\nb: *a", "refers to parts of itself"),
        (b"!!python/object/apply:os.system ['true']", "cannot be read as YAML"),
        (b"x" * 300_000, "not larger than"),
        (b"just words", "must hold one segment"),
        (b"segments: [{slug: a}, {slug: b}]", "must hold one segment"),
        (b"{slug: a, colour: red}", "“colour” says nothing"),
        (b"{slug: a, name: 5, definition: {all: []}}", "“name” must be a text"),
        (b"{slug: a, definition: {kind: moon}}", "Its definition cannot be taken. kind: This must be one of"),
        (b"{slug: a}", "Its definition cannot be taken"),
        (b"{slug: a, kind: static}", "filled by hand"),
    ],
)
def test_what_is_no_segment_is_refused_in_words(raw: bytes, said: str, author: Client) -> None:
    with pytest.raises(Invalid) as refused:
        files.read(raw)
    assert said in str(refused.value)
    assert 'role="alert"' in text(author.post(ADDRESS, {"file": SimpleUploadedFile("x.yaml", raw)}))


def test_without_a_file_or_without_permission_nothing_opens(author: Client) -> None:
    assert "Choose a file." in text(author.post(ADDRESS))
    author.logout()
    assert Client().get(ADDRESS).status_code == 302
