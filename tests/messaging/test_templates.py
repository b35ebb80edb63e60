"""Saving what is said."""

from collections.abc import Callable
from datetime import datetime
from threading import Thread
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction

from consent.models import Topic
from foundation.errors import Conflict, Invalid
from messaging import templates
from messaging.models import Template, TemplateVersion
from staff.models import AuditEntry
from tests.messaging.conftest import BLOCKS

Write = Callable[..., Template]


def test_what_is_new_becomes_a_version_and_what_is_not_does_not(write: Write) -> None:
    first = write()
    assert write().version == first.version
    second = write(subject="Other news")
    assert (first.version.number, second.version.number) == (1, 2)  # type: ignore[union-attr]
    third = write(subject="Other news", blocks=[*BLOCKS, {"kind": "divider"}])
    assert third.version.number == 3  # type: ignore[union-attr]
    assert [version.subject for version in third.versions.order_by("number")] == [
        "News for {{ profile.first_name | default: 'you' }}", "Other news", "Other news",
    ]  # fmt: skip


def test_a_new_name_or_topic_is_no_new_version(write: Write, receipts: Topic) -> None:
    version = write().version
    moved = write(name="Hello again", topic="receipts")
    assert (moved.name, moved.topic, moved.version) == ("Hello again", receipts, version)


def test_every_change_is_in_the_audit_trail_and_no_other(write: Write) -> None:
    write(), write(), write(name="Again"), write(subject="x")
    entries = AuditEntry.objects.filter(kind="template", target="hello").order_by("id")
    assert [(entry.verb, entry.details["version"]) for entry in entries] == [
        ("template.created", 1), ("template.changed", 1), ("template.changed", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "statement", ["UPDATE messaging_templateversion SET subject = 'x'", "DELETE FROM messaging_templateversion",
                  "TRUNCATE messaging_templateversion CASCADE"],
)  # fmt: skip
def test_what_was_published_can_be_changed_by_nobody(write: Write, statement: str) -> None:
    write()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_everything_that_is_wrong_is_named_with_its_path(news: Topic, now: datetime) -> None:
    with pytest.raises(Invalid) as caught:
        templates.save(
            "No Slug", name=" ", channel="pigeon", topic="nope", subject="{{ x", now=now,
            blocks=[{"kind": "text", "text": "ok"}, {"kind": "button", "text": "x", "href": "javascript:x"}],
        )  # fmt: skip
    assert [problem.path for problem in caught.value.problems] == [
        "slug", "name", "channel", "subject", "blocks[1].href", "topic",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "subject", ["", "  ", "a\nb", "a\r\nBcc: x", "x" * 501, "{{ nope }}", "{% if %}", None, 3, "a\0b"]
)
def test_a_subject_is_one_line_that_can_be_filled_in(subject: Any, write: Write) -> None:
    with pytest.raises(Invalid, match="subject"):
        write(subject=subject)


def test_a_topic_is_only_sent_by_its_channels(write: Write, now: datetime) -> None:
    Topic.objects.create(slug="sms-only", name="Texts", description="", purpose="", channels=["sms"])
    with pytest.raises(Invalid, match="is not sent by email"):
        write(topic="sms-only")


def test_the_channel_of_a_template_stays(write: Write, now: datetime) -> None:
    write()
    Template.objects.update(channel="sms")
    with pytest.raises(Conflict, match="another slug"):
        write()


def test_known_says_channel_and_topic(write: Write) -> None:
    write()
    assert templates.known(["hello", "nope"]) == {"hello": ("email", "news")}


def test_two_who_save_at_once_make_two_versions(transactional_db: None, now: datetime) -> None:
    Topic.objects.create(slug="news", name="News", description="", purpose="", channels=["email"])

    def save(n: int) -> None:
        templates.save("hello", name="Hello", channel="email", topic="news", subject=f"S{n}", blocks=BLOCKS, now=now)
        connections.close_all()

    threads = [Thread(target=save, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(TemplateVersion.objects.values_list("number", flat=True)) == list(range(1, 9))
    assert Template.objects.get().version.number == 8  # type: ignore[union-attr]
