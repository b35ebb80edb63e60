"""The editor asks for what the channel asks for: a subject or none, how it is shown, and words that fit."""

from datetime import datetime

from django.test import Client

from messaging.models import Template
from tests.messaging import by_channel
from tests.messaging.editor.test_views import NEW, author, desk, edit, form, of, words  # noqa: F401 (fixtures, too)


def test_a_text_message_has_no_subject_and_hears_what_it_costs(desk: Client, now: datetime) -> None:  # noqa: F811
    topic = by_channel.topic_of("sms").slug
    told = {"channel": "sms", "topic": topic, "subject": "left over", "b.k1.text": "ш" * 71}
    page = desk.post(NEW, form(**told, do="preview"))
    assert 'name="subject"' not in page.content.decode()
    assert "It goes out in 2 parts" in words(page.content)
    assert "It does not say how to get no more" in words(page.content)
    saved = desk.post(NEW, form(**told))
    assert saved.status_code == 302
    version = Template.objects.get().version
    assert version is not None
    assert (version.subject, version.html) == ("", "")
    assert version.text.startswith("ш" * 71)


def test_how_an_in_app_message_is_shown_is_chosen_and_kept(desk: Client, now: datetime) -> None:  # noqa: F811
    topic = by_channel.topic_of("in_app").slug
    told = {"channel": "in_app", "topic": topic, "subject": "News", "option-look": "banner"}
    assert desk.post(NEW, form(**told)).status_code == 302
    template = Template.objects.get()
    assert template.version and template.version.options == {"look": "banner"}
    page = desk.get(edit(template)).content.decode()
    assert '<option value="banner" selected>' in page
    assert ">Title</label>" in page
    again = desk.post(edit(template), of(template, **{**told, "option-look": "modal"}))
    assert again.status_code == 302
    template.refresh_from_db()
    assert template.version and (template.version.number, template.version.options) == (2, {"look": "modal"})
    refused = desk.post(edit(template), of(template, **{**told, "option-look": "nonsense"}))
    assert refused.status_code == 200
    assert template.versions.count() == 2


def test_a_picture_cannot_be_put_into_a_text(desk: Client, now: datetime) -> None:  # noqa: F811
    topic = by_channel.topic_of("sms").slug
    picture = {"b.k1.kind": "image", "b.k1.src": "https://example.com/a.png", "b.k1.alt": "A"}
    page = desk.post(NEW, form(channel="sms", topic=topic, **picture))
    assert "take out the image" in words(page.content)
    assert not Template.objects.exists()
