"""Tests by every channel: where staff say, marked as such, and of no consequence (EM-12)."""
# ruff: noqa: F811 (fixtures of the editor's other tests)

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from journeys import work
from journeys.models import Task
from messaging import templates, wiring
from messaging.inapp import inbox
from messaging.models import Message, Template
from profiles.models import Event, Profile
from staff.models import AuditEntry, Team
from tests.messaging import by_channel
from tests.messaging.editor.test_views import NEW, author, desk, edit, form, of, words  # noqa: F401 (fixtures, too)
from tests.receiving import Receiver, receiving


@pytest.fixture
def receiver(settings: Any, db: None, now: datetime) -> Iterator[Receiver]:
    with receiving() as found:
        settings.OUTGOING_HOSTS = [found.host]
        wiring.save("sms", {"url": f"json://{found.host}/to/{{phone}}/"}, now=now)
        wiring.save("chat", {"url": f"json://{found.host}/room/"}, now=now)
        wiring.save("webhook", {"url": found.url}, now=now)
        yield found


def trying(channel: str, **more: Any) -> dict[str, Any]:
    return form(channel=channel, topic=by_channel.topic_of(channel).slug, do="test", **more)


def stored(channel: str, now: datetime) -> Template:
    by_channel.write(channel, now, subject="Hello", blocks=[{"kind": "text", "text": "Hi {{ profile.first_name }}"}])
    return Template.objects.get(channel=channel)


def test_em_12_texts_chats_and_webhooks_get_a_marked_test(desk: Client, receiver: Receiver, ada: Profile) -> None:
    assert "A test went to +43 660 1234567" in words(desk.post(NEW, trying("sms", to="+43 660 1234567")).content)
    assert "Say where it is to go: a phone number" in words(desk.post(NEW, trying("sms", to="no number")).content)
    assert "A test went to" in words(desk.post(NEW, trying("chat", person=str(ada.pk))).content)
    assert "A test went to" in words(desk.post(NEW, trying("webhook", person=str(ada.pk))).content)
    text, chat, hook = (json.loads(one.body) for one in receiver.received)
    assert text["message"].startswith("[Test] ") and chat["title"].startswith("[Test] Hello")
    assert (hook["test"], hook["subject"][:6], hook["to"]) == (True, "[Test]", "ada")
    assert not Message.objects.exists() and not Event.objects.exists()
    assert list(AuditEntry.objects.filter(verb="template.tested").values_list("details__topic", flat=True)) == [
        "care-sms", "care-chat", "care-webhook"
    ]  # fmt: skip


def test_a_channel_that_is_not_set_up_and_one_that_refuses_say_so(
    desk: Client, receiver: Receiver, now: datetime
) -> None:
    receiver.says(401)
    assert "The test was not sent." in words(desk.post(NEW, trying("chat")).content)
    wiring.save("chat", {}, enabled=False, now=now)
    assert "The channel staff chat is switched off" in words(desk.post(NEW, trying("chat")).content)
    page = words(desk.post(NEW, trying("web_push", to="nobody")).content)
    assert "The test was not sent. No browser of theirs lets us notify it any more." in page


def test_em_12_an_in_app_test_lies_in_the_chosen_inbox_and_tells_of_nothing(
    desk: Client,
    ada: Profile,
    now: datetime,
) -> None:
    wiring.save("in_app", {"origins": "https://app.example.com"}, now=now)
    template = stored("in_app", now)
    sent = of(template, channel="in_app", topic=template.topic.slug, subject="Hello", do="test")
    assert "the id of somebody whom we know" in words(desk.post(edit(template), {**sent, "to": "nobody"}).content)
    assert "Save it first" in words(desk.post(NEW, trying("in_app", to="ada")).content)
    assert "A test went to The inbox of ada." in words(desk.post(edit(template), {**sent, "to": "ada"}).content)
    message = Message.objects.get()
    assert (message.subject, message.sending_at, message.is_test) == ("[Test] Hello", None, True)
    at = message.in_inbox.placed_at
    assert [one["title"] for one in inbox.shown(ada, now=at)] == ["[Test] Hello"]
    for what in inbox.ACTS:
        assert inbox.act(ada, message.id, what, now=at, link="https://example.com")
    assert not Event.objects.exists()


def test_em_12_a_task_to_try_is_marked_and_its_end_tells_of_nothing(desk: Client, ada: Profile, now: datetime) -> None:
    Team.objects.create(slug="success", name="Success")
    wiring.save("task", {"team": "success"}, now=now)
    template = stored("task", now)
    sent = of(template, channel="task", topic=template.topic.slug, subject="Call", do="test")
    page = words(desk.post(edit(template), {**sent, "to": "ada"}).content)
    assert "A test went to ada." in page
    task = Task.objects.get()
    assert (task.title, task.profile) == ("[Test] Call", ada)
    work.finish(task.id, now=now)
    assert not Event.objects.exists()
    assert templates.known([template.slug])
