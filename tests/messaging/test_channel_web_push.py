"""The channel `web_push`: encrypted for the browser, signed by us, and gone browsers forgotten; to a real endpoint."""

import base64
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from py_vapid import Vapid02

from messaging import push, wiring
from messaging.channels import web_push
from messaging.inapp import identity
from messaging.models import Lane, MessageState, PushSubscription
from profiles import erasing
from profiles.models import Profile
from tests.messaging import by_channel
from tests.receiving import Received, Receiver, receiving

pytestmark = pytest.mark.django_db
WORDS = [{"kind": "text", "text": "Your report is ready, ада: https://example.com/reports?id=7"}]


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


COMPRESSED = text(
    ec.derive_private_key(7, ec.SECP256R1())
    .public_key()
    .public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
)


@dataclass
class Browser:
    """A browser with keys of its own, that reads what its maker passes on."""

    endpoint: str
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = field(default_factory=lambda: os.urandom(16))

    def as_json(self) -> dict[str, Any]:
        point = self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return {
            "endpoint": self.endpoint,
            "expirationTime": None,
            "keys": {"p256dh": text(point), "auth": text(self.auth)},
        }

    def reads(self, came: Received) -> dict[str, Any]:
        assert came.headers["content-encoding"] == "aes128gcm"
        plain = http_ece.decrypt(came.body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        said: dict[str, Any] = json.loads(plain)
        return said


@pytest.fixture
def maker(settings: Any) -> Iterator[Receiver]:
    """What the maker of a browser runs, to take notifications for it."""
    with receiving() as found:
        settings.OUTGOING_HOSTS = [found.host]
        yield found


@pytest.fixture
def browser(maker: Receiver) -> Browser:
    return Browser(f"http://{maker.host}/push/one")


@pytest.fixture
def ask(client: Client, now: datetime) -> Callable[..., Any]:
    """Asks as a page does on which somebody is signed in."""

    def send(user: str, method: str = "post", body: Any = None) -> Any:
        signed = identity.token(user, identity.sign(wiring.made("in_app", "key"), user))
        call = getattr(client, method)
        return call(
            "/in-app/v1/push/",
            *([json.dumps(body)] if body is not None else []),
            content_type="application/json",
            headers={"Authorization": f"Bearer {signed}"},
        )

    return send


def test_a_notification_is_encrypted_for_the_browser_and_signed_by_us(
    ada: Profile, browser: Browser, maker: Receiver, ask: Callable[..., Any], now: datetime
) -> None:
    key = ask("ada", "get").json()["key"]
    assert len(base64.urlsafe_b64decode(key + "==")) == 65
    assert ask("ada", body=browser.as_json()).status_code == 204
    message = by_channel.said(ada, "web_push", now, subject="Ready", blocks=WORDS)
    assert (message.state, message.address) == (MessageState.SENT, "ada")
    (came,) = maker.received
    assert b"report" not in came.body
    said = browser.reads(came)
    assert said == {
        "id": str(message.id),
        "title": "Ready",
        "body": "Your report is ready, ада",
        "url": "https://example.com/reports?id=7",
    }
    assert came.headers["authorization"].endswith(f"k={key}")
    assert Vapid02.verify(came.headers["authorization"].replace(",k=", ",k="))
    claims = came.headers["authorization"].split("t=")[1].split(",")[0].split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert (told["aud"], told["sub"]) == (f"http://{maker.host}", "mailto:hello@example.com")
    assert int(came.headers["ttl"]) > 0


def test_the_key_is_made_once_and_kept_as_a_secret(db: None) -> None:
    first = push.public_key()
    assert push.public_key() == first
    assert push.private_key() not in str(wiring.row("web_push").__dict__)


def test_all_browsers_of_somebody_are_told_and_the_gone_are_forgotten(
    ada: Profile, maker: Receiver, ask: Callable[..., Any], now: datetime
) -> None:
    one, two = Browser(f"http://{maker.host}/push/one"), Browser(f"http://{maker.host}/push/two")
    for each in (one, two):
        ask("ada", body=each.as_json())
    maker.answers = lambda came: (410 if came.path.endswith("one") else 201, {}, b"")
    message = by_channel.said(ada, "web_push", now, subject="Ready")
    assert message.state == MessageState.SENT
    assert [row.endpoint for row in PushSubscription.objects.all()] == [two.endpoint]
    maker.says(404)
    message = by_channel.said(ada, "web_push", now, subject="Ready")
    assert message.state == MessageState.FAILED
    message = by_channel.said(ada, "web_push", now, subject="Ready")
    assert (message.state, message.guardrail) == (MessageState.SUPPRESSED, "address")
    assert not PushSubscription.objects.exists()


@pytest.mark.parametrize(
    ("status", "state"),
    [(429, MessageState.DEFERRED), (400, MessageState.FAILED), (502, MessageState.UNKNOWN)],
)
def test_what_the_maker_answers_decides(
    status: int,
    state: MessageState,
    ada: Profile,
    browser: Browser,
    maker: Receiver,
    ask: Callable[..., Any],
    now: datetime,
) -> None:
    ask("ada", body=browser.as_json())
    maker.says(status)
    assert by_channel.said(ada, "web_push", now, subject="Ready").state == state


def test_browsers_that_never_answer_take_the_time_of_one_letter_and_no_more(
    ada: Profile, maker: Receiver, ask: Callable[..., Any], now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def silent(came: Received) -> tuple[int, dict[str, str], bytes]:
        over.wait(30)
        return 201, {}, b""

    for n in range(3):
        ask("ada", body=Browser(f"http://{maker.host}/push/{n}").as_json())
    monkeypatch.setattr(web_push, "_PATIENCE", 0.5)
    maker.answers = silent
    message = by_channel.said(ada, "web_push", now, subject="Ready")
    over.set()
    assert message.state in (MessageState.UNKNOWN, MessageState.DEFERRED)
    assert len(maker.received) <= 1


def test_a_browser_with_keys_that_are_none_keeps_nothing_from_the_others(
    ada: Profile, maker: Receiver, ask: Callable[..., Any], now: datetime
) -> None:
    good, bad = Browser(f"http://{maker.host}/push/good"), Browser(f"http://{maker.host}/push/bad")
    for each in (good, bad):
        ask("ada", body=each.as_json())
    PushSubscription.objects.filter(endpoint=bad.endpoint).update(p256dh="AAAA")
    assert by_channel.said(ada, "web_push", now, subject="Ready").state == MessageState.SENT
    assert [came.path for came in maker.received] == ["/push/good"]


def test_fm_36_endpoints_that_somebody_made_up_shut_the_channel_for_nobody(
    ada: Profile, browser: Browser, maker: Receiver, ask: Callable[..., Any], now: datetime
) -> None:
    ask("ada", body=browser.as_json())
    maker.says(502)
    message = by_channel.said(ada, "web_push", now, subject="Ready")
    assert message.state == MessageState.UNKNOWN
    assert not Lane.objects.filter(failures__gt=0).exists()


def test_a_browser_belongs_to_whoever_is_signed_in_there_last_and_can_be_taken_back(
    ada: Profile, ben: Profile, browser: Browser, ask: Callable[..., Any]
) -> None:
    ask("ada", body=browser.as_json())
    ask("ben", body=browser.as_json())
    assert [row.profile_id for row in PushSubscription.objects.all()] == [ben.id]
    assert ask("ben", "delete", {"endpoint": browser.endpoint}).status_code == 204
    assert not PushSubscription.objects.exists()


def test_nobody_has_browsers_without_end(ada: Profile, maker: Receiver, ask: Callable[..., Any]) -> None:
    for n in range(push.MOST + 2):
        ask("ada", body=Browser(f"http://{maker.host}/push/{n}").as_json())
    assert PushSubscription.objects.count() == push.MOST


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"endpoint": "http://169.254.169.254/latest"}, "endpoint"),
        ({"endpoint": 7}, "endpoint"),
        ({"keys": None}, "keys.p256dh"),
        ({"keys": {"p256dh": text(b"\x04" + bytes(64)), "auth": text(bytes(16))}}, "keys.p256dh"),
        ({"keys": {"p256dh": "!", "auth": "!"}}, "keys.auth"),
        ({"keys": {"p256dh": COMPRESSED, "auth": text(bytes(16))}}, "keys.p256dh"),
    ],
)
def test_ss_01_what_is_no_subscription_is_refused_with_a_sentence(
    change: dict[str, Any], said: str, ada: Profile, browser: Browser, ask: Callable[..., Any]
) -> None:
    answer = ask("ada", body={**browser.as_json(), **change})
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_who_is_erased_is_notified_nowhere(
    ada: Profile, browser: Browser, ask: Callable[..., Any], now: datetime
) -> None:
    ask("ada", body=browser.as_json())
    erasing.erase(ada, now=now)
    assert not PushSubscription.objects.exists()
