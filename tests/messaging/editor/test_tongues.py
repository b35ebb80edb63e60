"""The editor with several languages: what is written in one leaves the others as they are."""

from collections.abc import Callable

from django.test import Client

from consent.models import Topic
from messaging.models import Template
from tests.messaging.conftest import BLOCKS
from tests.messaging.editor.test_views import author, desk, edit, form, of, versions, words  # noqa: F401 (fixtures)


def test_a_language_is_added_from_what_was_written_first_changed_and_taken_away(
    desk: Client,  # noqa: F811
    write: Callable[..., Template],
) -> None:
    template = write()
    page = desk.get(f"{edit(template)}?language=de")
    assert "Nothing is said in German yet." in words(page.content)
    assert "News for {{ profile.first_name" in page.content.decode().replace("&#x27;", "'")

    german = of(template, **{"subject": "Neues", "b.k1.text": "Willkommen", "reason": "For Berlin"})
    assert desk.post(f"{edit(template)}?language=de", german).status_code == 302
    template.refresh_from_db()
    assert template.version is not None and template.version.number == 2
    assert template.version.blocks == BLOCKS
    assert template.version.said_in_others["de"]["subject"] == "Neues"
    assert template.version.said_in_others["de"]["blocks"][0] == {"kind": "heading", "text": "Willkommen"}
    assert "Willkommen" in template.version.translations["de"]["html"]
    assert "Subject (German)" in words(desk.get(versions(template)).content)

    english = of(template, subject="Other news")
    desk.post(edit(template), english)
    template.refresh_from_db()
    assert template.version is not None and template.version.subject == "Other news"
    assert template.version.said_in_others["de"]["subject"] == "Neues"

    desk.post(f"{edit(template)}?language=de", of(template, do="drop-language"))
    template.refresh_from_db()
    assert template.version is not None and template.version.translations == {}


def test_a_new_template_is_written_in_its_first_language(desk: Client, news: Topic) -> None:  # noqa: F811
    desk.post("/admin/messaging/template/add/?language=de", form())
    version = Template.objects.get().version
    assert version is not None and version.translations == {}


def test_an_old_version_comes_back_with_its_languages(
    desk: Client,  # noqa: F811
    write: Callable[..., Template],
) -> None:
    said = {"de": {"subject": "Neues", "blocks": [{"kind": "text", "text": "Hallo"}]}}
    write(translations=said)
    template = write(translations={}, subject="Without")
    desk.post(versions(template), {"restore": "1", "upon": "2"})
    template.refresh_from_db()
    assert template.version is not None and template.version.said_in_others == said
