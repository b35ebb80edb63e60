"""Mail through a provider's API: Anymail's Postmark, before a real HTTP server that answers as Postmark does."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.test import Client

from foundation import clock
from messaging import dispatch
from messaging.models import Message
from messaging.returns import applying
from profiles.models import Profile
from tests.messaging.conftest import state_of
from tests.messaging.returning import SECRET, post, postmark


class Provider:
    """What it was asked, and what it answers."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: tuple[int, dict[str, Any]] = (200, {"ErrorCode": 0, "Message": "OK", "MessageID": "pm-1"})


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    told = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.asked.append(asked)
            status, body = told.answer
            said = json.dumps({"To": asked["To"], **body} if status == 200 else body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    settings.MAIL_WEBHOOKS, settings.MAIL_WEBHOOK_SECRETS = ["postmark"], [SECRET]
    settings.ANYMAIL = {
        "POSTMARK_SERVER_TOKEN": "token",
        "POSTMARK_API_URL": f"http://127.0.0.1:{server.server_port}/",
        "WEBHOOK_SECRET": [SECRET],
    }
    yield told
    server.shutdown()
    server.server_close()


@pytest.fixture
def send(ada: Profile, write: Any, agree: Any, queue: Callable[..., Message], now: datetime) -> Callable[[], Message]:
    def make() -> Message:
        write()
        agree(ada)
        message = queue(ada)
        dispatch.tick(now)
        return state_of(message.id)

    return make


def test_a_mail_goes_out_by_the_providers_api_and_what_comes_back_finds_it(
    provider: Provider, send: Any, client: Client, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = send()
    assert (message.state, message.provider_id) == ("sent", "pm-1")
    (asked,) = provider.asked
    assert asked["Metadata"] == {"message": str(message.id)}
    assert {one["Name"] for one in asked["Headers"]} >= {"Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"}
    monkeypatch.setattr(clock, "now", lambda: now.replace(minute=30))
    # Also where a report names nothing but what the provider calls the mail.
    event = postmark(message, "Bounce", MessageID="pm-1", Metadata={})
    assert post(client, event) == 200
    applying.tick(now.replace(minute=30))
    assert state_of(message.id).state == "bounced"


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (429, {"Message": "Slow down"}, "deferred"),
        (401, {"ErrorCode": 10, "Message": "Bad or missing token"}, "deferred"),
        (422, {"ErrorCode": 412, "Message": "Your account is new"}, "failed"),
        (503, {"Message": "Out of order"}, "unknown"),
    ],
)
def test_what_the_provider_answers_says_whether_it_was_taken(
    status: int, body: dict[str, Any], state: str, provider: Provider, send: Any
) -> None:
    provider.answer = status, body
    message = send()
    assert message.state == state
    assert f"answered {status}" in message.reason


def test_a_provider_that_cannot_be_reached_took_nothing(provider: Provider, send: Any, settings: Any) -> None:
    settings.ANYMAIL = {**settings.ANYMAIL, "POSTMARK_API_URL": "http://127.0.0.1:9/"}
    message = send()
    assert (message.state, message.reason) == ("deferred", "The mail provider could not be reached.")
