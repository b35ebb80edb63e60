"""Templates and messages over the REST API."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from consent.models import Topic
from foundation import registry
from messaging import dispatch
from messaging.models import Message, Template, TemplateVersion
from profiles.models import Profile
from staff import keys
from staff.models import Key
from tests.messaging.conftest import BLOCKS, mails_in

Write = Callable[..., Template]
Agree = Callable[..., None]
Queue = Callable[..., Message]


@pytest.fixture
def api(db: None, now: datetime, client: Client) -> Callable[..., Any]:
    """Calls the API with a key that may do all."""
    _, secret = keys.create("Test", kind=Key.Kind.SECRET, scopes=["all"], now=now)

    def call(method: str, path: str, body: Any = None, **headers: str) -> Any:
        return client.generic(
            method, f"/api/v1/{path}", "" if body is None else __import__("json").dumps(body),
            content_type="application/json", headers={"Authorization": f"Bearer {secret}", **headers},
        )  # fmt: skip

    return call


HELLO = {"name": "Hello", "channel": "email", "topic": "news", "subject": "Hello", "blocks": BLOCKS}


def test_templates_are_written_read_changed_and_put_out_of_use(news: Topic, api: Callable[..., Any]) -> None:
    made = api("POST", "templates/", {"slug": "hello", **HELLO})
    assert made.status_code == 201, made.content
    assert made.json()["version"] == 1
    assert api("POST", "templates/", {"slug": "hello", **HELLO}).status_code == 409
    assert api("PUT", "templates/hello/", HELLO).json()["version"] == 1
    changed = api("PATCH", "templates/hello/", {"subject": "Hi", "reason": "Shorter"})
    assert (changed.status_code, changed.json()["version"], changed.json()["name"]) == (200, 2, "Hello")
    assert TemplateVersion.objects.get(number=2).reason == "Shorter"
    assert TemplateVersion.objects.get(number=2).author == "key:Test"
    assert api("PUT", "templates/other/", HELLO).status_code == 201
    assert [row["slug"] for row in api("GET", "templates/").json()["results"]] == ["hello", "other"]
    assert api("GET", "templates/hello/").json()["blocks"] == BLOCKS
    assert api("DELETE", "templates/other/").status_code == 204
    assert [row["slug"] for row in api("GET", "templates/").json()["results"]] == ["hello"]
    assert api("GET", "templates/?archived=true").json()["results"][0]["slug"] == "other"
    assert api("GET", "templates/nope/").status_code == 404


def test_what_is_wrong_with_a_template_is_named_with_its_path(news: Topic, api: Callable[..., Any]) -> None:
    answer = api(
        "POST",
        "templates/",
        {"slug": "hello", **HELLO, "blocks": [{"kind": "button", "text": "x", "href": "javascript:x"}]},
    )
    assert answer.status_code == 400
    assert [part["path"] for part in answer.json()["errors"]] == ["blocks[0].href"]
    assert api("POST", "templates/", {"slug": "hello"}).status_code == 400
    assert api("POST", "templates/", [1]).status_code == 400
    assert api("POST", "templates/", {"slug": "hello", **HELLO, "blocks": "x", "nope": 1}).status_code == 400


def test_a_template_that_is_used_stays(news: Topic, api: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    api("POST", "templates/", {"slug": "hello", **HELLO})

    def answer(kind: str, slug: str) -> list[str]:
        return ["The journey Welcome sends it."] if (kind, slug) == ("template", "hello") else []

    answer.__module__ = "journeys.answers"
    monkeypatch.setattr(registry.references, "_answers", [answer])
    refused = api("DELETE", "templates/hello/")
    assert refused.status_code == 409
    assert "The journey Welcome sends it." in refused.json()["detail"]


def test_a_message_is_sent_and_says_what_became_of_it(
    ada: Profile, write: Write, agree: Agree, api: Callable[..., Any], folder: Path, now: datetime
) -> None:
    write()
    agree(ada)
    made = api("POST", "messages/", {"external_id": "ada", "template": "hello"})
    assert made.status_code == 201, made.content
    assert (made.json()["state"], made.json()["topic"], made.json()["channel"]) == ("queued", "news", "email")
    dispatch.tick(Message.objects.get().due_at)
    told = api("GET", f"messages/{made.json()['id']}/").json()
    assert (told["state"], told["address"], told["subject"]) == ("sent", "ada@example.com", "News for Ada")
    assert told["template"] == "hello"
    assert api("GET", "messages/?state=sent&external_id=ada").json()["results"] == [told]
    assert api("GET", "profiles/ada/messages/").json()["results"] == [told]
    assert len(mails_in(folder)) == 1


def test_one_judges_whoever_sends(
    ben: Profile, write: Write, api: Callable[..., Any], folder: Path, now: datetime
) -> None:
    write()
    made = api("POST", "messages/", {"external_id": "ben", "template": "hello"}).json()
    dispatch.tick(Message.objects.get().due_at)
    told = api("GET", f"messages/{made['id']}/").json()
    assert (told["state"], told["guardrail"]) == ("suppressed", "consent")
    assert told["reason"] == "Ben has not agreed to Product news by email."
    assert mails_in(folder) == []


def test_content_without_a_template_is_sent_and_kept_but_listed_as_none(
    ada: Profile, news: Topic, agree: Agree, api: Callable[..., Any], folder: Path
) -> None:
    agree(ada)
    content = {"subject": "For {{ data.what }}", "blocks": [{"kind": "text", "text": "Just this once."}]}
    body = {"external_id": "ada", "topic": "news", "content": content, "data": {"what": "you"}}
    first, second = (api("POST", "messages/", body) for _ in range(2))
    assert (first.status_code, first.json()["template"]) == (201, None), first.content
    assert first.json()["id"] != second.json()["id"]
    dispatch.tick(Message.objects.latest("queued_at").due_at)
    assert [mail["Subject"] for mail in mails_in(folder)] == ["For you", "For you"]
    assert Template.objects.count() == 1
    assert api("GET", "templates/").json()["results"] == []


def test_the_same_request_sent_again_sends_nothing_again(ada: Profile, write: Write, api: Callable[..., Any]) -> None:
    write()
    body = {"external_id": "ada", "template": "hello"}
    answers = [api("POST", "messages/", body, **{"Idempotency-Key": "once"}).json()["id"] for _ in range(3)]
    assert len(set(answers)) == 1
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"external_id": "nobody", "template": "hello"}, "external_id"),
        ({"external_id": "ada", "template": "nope"}, "template"),
        ({"external_id": "ada"}, "template"),
        ({"external_id": "ada", "template": "hello", "content": {"subject": "x", "blocks": BLOCKS}}, "template"),
        ({"external_id": "ada", "template": "hello", "topic": "other"}, "topic"),
        ({"external_id": "ada", "template": "hello", "channel": "sms"}, "channel"),
        ({"external_id": "ada", "content": {"subject": "x", "blocks": BLOCKS}}, "topic"),
        ({"external_id": "ada", "topic": "news", "content": {"subject": "{{ x", "blocks": BLOCKS}}, "content.subject"),
        (
            {"external_id": "ada", "topic": "news", "content": {"subject": "x", "blocks": [{}]}},
            "content.blocks[0].kind",
        ),
        ({"external_id": "ada", "topic": "nope", "content": {"subject": "x", "blocks": BLOCKS}}, "topic"),
        ({"template": "hello"}, "external_id"),
        ({"external_id": 3, "template": "hello"}, "external_id"),
        ({"external_id": "ada", "template": "hello", "nope": 1}, "nope"),
        ({"external_id": "ada", "template": "hello", "data": [1]}, "data"),
    ],
)
def test_what_cannot_be_sent_is_said_with_its_path(
    body: Any, path: str, ada: Profile, write: Write, api: Callable[..., Any]
) -> None:
    write()
    answer = api("POST", "messages/", body)
    assert answer.status_code == 400, answer.content
    assert path in [part["path"] for part in answer.json()["errors"]]
    assert not Message.objects.exists()


def test_a_key_without_the_scope_reads_and_writes_nothing(now: datetime, client: Client, db: None) -> None:
    _, secret = keys.create("Small", kind=Key.Kind.SECRET, scopes=["messages:read"], now=now)
    headers = {"Authorization": f"Bearer {secret}"}
    assert client.get("/api/v1/messages/", headers=headers).status_code == 200
    assert client.get("/api/v1/templates/", headers=headers).status_code == 403
    assert client.post("/api/v1/messages/", {}, content_type="application/json", headers=headers).status_code == 403


def test_se_04_links_come_from_the_base_url_whatever_the_host_says(
    ada: Profile, write: Write, agree: Agree, api: Callable[..., Any], folder: Path, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    write()
    agree(ada)
    api(
        "POST",
        "messages/",
        {"external_id": "ada", "template": "hello"},
        Host="evil.test",
        **{"X-Forwarded-Host": "evil.test"},
    )
    dispatch.tick(Message.objects.get().due_at)
    raw = mails_in(folder)[0].as_string()
    assert "evil.test" not in raw
    assert settings.BASE_URL in raw
