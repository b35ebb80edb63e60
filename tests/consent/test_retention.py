"""Rules of how long things are kept: looked at before they are chosen, run in batches, and never more than they say."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client

from consent import retention, tasks
from consent.models import RetentionRule
from foundation import clock
from foundation.errors import Invalid
from messaging import dispatch, templates
from messaging.models import Message
from messaging.outbox import Request, enqueue
from profiles import ingest
from profiles.ingest import Trust
from profiles.models import Event, EventDay, Profile
from staff.models import AuditEntry, User

DAY = timedelta(days=1)
PAGE = "/admin/consent/retentionrule/"


@pytest.fixture
def done(ada: Profile, now: datetime) -> None:
    """Ada did one thing a day on each of the last 100 days, and today."""
    calls: list[dict[str, Any]] = [
        {"type": "track", "userId": "ada", "event": "seen", "timestamp": (now - n * DAY).isoformat()}
        for n in range(101)
    ]
    ingest.take(calls, source="key Website", trust=Trust.SERVER, now=now)


def officer(role: str = "privacy officer") -> Client:
    user = User.objects.create_user("olga", password="stone-on-stone-9", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def test_without_a_rule_nothing_goes(done: None, now: datetime) -> None:
    assert tasks.forget(now + 10_000 * DAY) == 0
    assert Event.objects.count() == 101


def test_old_events_go_batch_by_batch_and_their_counts_stay(
    done: None, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = retention.KINDS["events"]
    monkeypatch.setitem(retention.KINDS, "events", type(kind)(**{**vars(kind), "batch": 4}))
    retention.choose("events", 90, now=now)
    assert retention.would_go(retention.KINDS["events"], 90, now) == 10
    monkeypatch.setattr(retention, "_AT_ONCE", 1)
    assert tasks.forget(now) == 4, "a run that is cut short has done what it committed"
    monkeypatch.setattr(retention, "_AT_ONCE", 50)
    assert [tasks.forget(now), tasks.forget(now)] == [6, 0]
    assert Event.objects.count() == 91
    assert EventDay.objects.count() == 101
    assert (row := RetentionRule.objects.get()).dropped == 10
    assert row.ran_at == now
    told = AuditEntry.objects.filter(kind="retention rule").order_by("id").values_list("verb", "summary")
    assert list(told) == [
        ("change", "What people did: kept 90 days."),
        ("drop", "What people did: 4 rows past their time deleted."),
        ("drop", "What people did: 6 rows past their time deleted."),
    ]


def test_of_old_messages_the_words_go_and_the_numbers_stay(
    ada: Profile, tips: Any, now: datetime, settings: Any, tmp_path: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    blocks = [{"kind": "text", "text": "Hello"}]
    sent, later = now - 99 * DAY, now
    template = templates.save("tips", name="Tips", channel="email", topic="tips", subject="Hi", blocks=blocks, now=sent)
    enqueue([Request(key="1", profile_id=ada.id, template=template.slug, channel="email")], now=sent)
    dispatch.tick(sent)
    enqueue([Request(key="2", profile_id=ada.id, template=template.slug, channel="email")], now=later)
    dispatch.tick(later)
    retention.choose("messages", 90, now=later)
    assert [tasks.forget(later), tasks.forget(later)] == [1, 0]
    old, new = Message.objects.order_by("queued_at")
    assert (old.subject, old.text, old.html, old.address) == ("", "", "", "")
    assert (old.state, old.sent_at, old.profile) == ("sent", sent, ada)
    assert (new.subject, new.address) == ("Hi", "ada@example.com")


@pytest.mark.parametrize("days", [0, 89, 36_501])
def test_a_rule_that_would_break_something_is_refused(db: None, now: datetime, days: int) -> None:
    with pytest.raises(Invalid, match="between 90 and 36,500"):
        retention.choose("events", days, now=now)
    with pytest.raises(Invalid, match="must be one of"):
        retention.choose("everything", 100, now=now)


def test_staff_look_at_what_would_go_before_they_choose(
    done: None, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: now)
    client = officer()

    def said(answer: Any) -> str:
        return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode()))

    assert "What people did for ever 0" in said(client.get(PAGE))
    looked = client.post(PAGE, {"do": "look:events", "days": "95"})
    assert "If it were kept for 95 days, 5 would go now." in said(looked)
    assert not RetentionRule.objects.exists() and Event.objects.count() == 101
    for days, why in (
        ("9", "must be between 90"),
        ("soon", "must be a whole number"),
        ("-1", "must be a whole number"),
    ):
        refused = client.post(PAGE, {"do": "save:events", "days": days})
        assert refused.status_code == 422 and why in said(refused)
    assert client.post(PAGE, {"do": "save:events", "days": "95"}).status_code == 302
    assert "What people did for 95 days 5" in said(client.get(PAGE))
    assert Event.objects.count() == 101, "nothing goes before the loop comes by"
    assert client.post(PAGE, {"do": "save:events", "days": ""}).status_code == 302
    assert retention.days(retention.KINDS["events"]) is None


def test_AU02_only_who_may_sees_and_sets_them(db: None) -> None:
    client = officer("publisher")
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"do": "save:events", "days": "95"}).status_code == 403


def test_each_rule_asks_and_deletes_the_same(
    done: None, now: datetime, django_assert_num_queries: Callable[..., Any]
) -> None:
    for kind in retention.KINDS.values():
        before = now - kind.least * DAY
        counted = kind.count(before, 1_000)
        assert kind.drop(before, 1_000) == counted
        assert kind.count(before, 1_000) == 0
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT FROM profiles_event WHERE occurred_at < now() ORDER BY occurred_at, id LIMIT 9")
        assert "Index" in str(cursor.fetchall())
