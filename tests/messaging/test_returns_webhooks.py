"""What providers tell: taken with the secret alone, kept at once and once, whatever is in it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.test import Client

from foundation import clock
from messaging.models import Message
from messaging.returns import reports, webhooks
from messaging.returns.models import Meaning, Report
from profiles.models import Profile
from tests.messaging.conftest import state_of
from tests.messaging.returning import SECRET, handed_over, post, postmark


@pytest.fixture(autouse=True)
def heard(settings: Any, monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    settings.MAIL_WEBHOOKS = ["postmark", "mailjet"]
    settings.MAIL_WEBHOOK_SECRETS = [SECRET]
    settings.ANYMAIL = {"WEBHOOK_SECRET": [SECRET]}
    monkeypatch.setattr(clock, "now", lambda: now.replace(minute=30))


@pytest.fixture
def sent(ada: Profile, write: Any, queue: Callable[..., Message], now: datetime) -> Message:
    write()
    return handed_over(queue(ada), now)


def test_pr_01_only_who_knows_the_secret_is_heard_and_two_are_known_while_it_is_changed(
    sent: Message, client: Client, settings: Any
) -> None:
    event = postmark(sent, "Delivery")
    assert post(client, event, secret="") == 401
    assert post(client, event, secret="cairn:wrong") == 400
    assert not Report.objects.exists()
    assert post(client, event) == 200
    new = "cairn:another-long-secret"
    settings.MAIL_WEBHOOK_SECRETS = [new, SECRET]
    settings.ANYMAIL = {"WEBHOOK_SECRET": [new, SECRET]}
    assert post(client, postmark(sent, "Bounce"), secret=new) == 200
    assert post(client, postmark(sent, "SpamComplaint")) == 200
    assert Report.objects.count() == 3


def test_pr_01_without_a_secret_nobody_is_heard_and_the_start_says_so(
    sent: Message, client: Client, settings: Any
) -> None:
    settings.MAIL_WEBHOOK_SECRETS, settings.ANYMAIL = [], {}
    assert [error.id for error in webhooks.secrets_are_set(None)] == ["messaging.E001"]
    assert post(client, postmark(sent, "Delivery"), secret="") == 400
    settings.MAIL_WEBHOOK_SECRETS = ["short"]
    settings.ANYMAIL = {"WEBHOOK_SECRET": ["short"]}
    settings.MAIL_WEBHOOKS = ["postmark", "nobody"]
    settings.BASE_URL = "http://crm.example.com"
    assert [error.id for error in webhooks.secrets_are_set(None)] == [
        "messaging.E002", "messaging.E003", "messaging.W001"
    ]  # fmt: skip
    settings.MAIL_WEBHOOKS = []
    assert webhooks.secrets_are_set(None) == []


def test_pr_01_a_provider_that_cannot_be_set_up_is_named_at_the_start_and_is_to_come_again(
    client: Client, settings: Any
) -> None:
    settings.MAIL_WEBHOOKS = ["postmark", "mailgun", "amazon_ses"]
    found = webhooks.secrets_are_set(None)
    assert [error.id for error in found] == ["messaging.E003", "messaging.E004"]
    assert "amazon_ses" in found[0].msg
    assert "mailgun, which cannot be heard" in found[1].msg
    assert post(client, {}, provider="mailgun") == 503
    assert post(client, {}, provider="amazon_ses") == 404


def test_pr_01_who_says_no_secret_is_asked_for_it(client: Client) -> None:
    answer = client.post("/webhooks/mail/postmark/tracking/", {})
    assert (answer.status_code, answer["WWW-Authenticate"][:5]) == (401, "Basic")


def test_pr_02_a_long_batch_is_taken_and_one_without_end_is_not(sent: Message, client: Client) -> None:
    assert post(client, postmark(sent, "Bounce", Content="x" * 1_500_000)) == 200
    assert Report.objects.get().named == sent.id
    assert post(client, b" " * 10_000_001) == 413


@pytest.mark.parametrize("provider", ["mailgun", "nobody", "base", "os"])
def test_a_provider_that_is_not_configured_has_no_address(provider: str, client: Client) -> None:
    assert post(client, {}, provider=provider) == 404


def test_an_address_says_that_it_is_there_and_what_it_takes(client: Client) -> None:
    assert client.head("/webhooks/mail/postmark/tracking/").status_code == 200
    assert client.get("/webhooks/mail/postmark/tracking/").status_code == 405


def test_pr_02_what_is_told_is_kept_as_it_came_and_nothing_is_done_yet(sent: Message, client: Client) -> None:
    assert post(client, postmark(sent, "Bounce")) == 200
    report = Report.objects.get()
    assert (report.state, report.meaning, report.named) == ("waiting", Meaning.NO_ADDRESS, sent.id)
    assert report.at == datetime(2026, 11, 24, 10, 5, tzinfo=UTC)
    assert '"HardBounce"' in report.raw
    assert state_of(sent.id).state == "sent"


def test_pr_02_an_event_that_nobody_can_read_costs_its_neighbours_nothing(sent: Message, client: Client) -> None:
    good = {
        "event": "sent", "time": 1795514700, "MessageID": 7, "email": "ada@example.com", "mj_campaign_id": 1,
        "Message_GUID": "x", "Payload": f'{{"message": "{sent.id}"}}',
    }  # fmt: skip
    body = [good, {"event": "bounce", "time": "not a time"}, {**good, "event": "open", "time": 1795514800}, 7]
    assert post(client, body, provider="mailjet") == 200
    assert sorted(Report.objects.values_list("kind", flat=True)) == ["delivered", "opened", "unknown", "unknown"]
    assert set(Report.objects.exclude(kind="unknown").values_list("named", flat=True)) == {sent.id}


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", '"x"', '{"RecordType": 7}', b"\xff\xfe", '{"RecordType": "Delivery"}']
)
def test_pr_02_whatever_is_posted_is_kept_or_passed_over_and_never_an_error(body: Any, client: Client) -> None:
    assert post(client, body) == 200
    assert all(report.meaning in Meaning.values for report in Report.objects.all())


def test_pr_02_while_the_database_is_away_the_provider_is_to_come_again(
    sent: Message, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> int:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(reports, "keep", away)
    client.raise_request_exception = False
    assert post(client, postmark(sent, "Delivery")) >= 500


def test_pr_03_the_same_event_is_kept_once_and_different_ones_each(sent: Message, client: Client) -> None:
    for _ in range(3):
        post(client, postmark(sent, "Bounce", ID=17))
    assert Report.objects.count() == 1
    # Clicks have no id of their own there: two links in the same second are two.
    for link in ("https://example.com/a", "https://example.com/b", "https://example.com/a"):
        post(client, postmark(sent, "Click", ID=None, OriginalLink=link))
    assert Report.objects.filter(kind="clicked").count() == 2


def test_pr_06_a_moment_without_a_zone_is_put_aside(sent: Message, now: datetime) -> None:
    told = reports.Told(source="postmark", kind="delivered", named=sent.id, at=datetime(2026, 11, 24, 10, 5))  # noqa: DTZ001
    reports.keep([told], now=now)
    assert [(row.state, row.at) for row in Report.objects.all()] == [("quarantined", None)]


def test_what_was_told_is_dropped_when_its_time_is_over(sent: Message, now: datetime, client: Client) -> None:
    post(client, postmark(None, "Delivery", to="x@example.com", MessageID=str(uuid4())))
    assert reports.forget(now.replace(year=2027, month=2, day=20)) == 0
    assert reports.forget(now.replace(year=2027, month=3)) == 1
    assert Report.objects.get().raw == ""
    assert reports.forget(now.replace(year=2028)) == 1
    assert not Report.objects.exists()
