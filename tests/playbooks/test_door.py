"""The demo's client is patient where that helps and plain where it does not, against a server that listens."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from playbooks.demo.door import Door, Shut

AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


class Listener(ThreadingHTTPServer):
    """Answers with what `answers` lists, one a request, and keeps what it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.got: list[dict[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append({"path": self.path, "headers": self.headers, "body": json.loads(gzip.decompress(body))})
        status, answer = self.server.answers.pop(0)
        if not status:
            self.connection.close()
            self.close_connection = True
            return
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def door(listener: Listener) -> Iterator[Door]:
    door = Door(f"http://127.0.0.1:{listener.server_address[1]}", "wk_test")
    yield door
    door.close()


def test_a_batch_goes_gzipped_with_the_key_and_the_time(listener: Listener, door: Door):
    listener.answers = [(200, {"success": True, "rejected": [{"index": 0, "reason": "no"}]})]
    assert door.send([{"type": "track"}], sent_at=AT, historical=True) == [{"index": 0, "reason": "no"}]
    (got,) = listener.got
    assert got["path"] == "/v1/batch"
    assert got["headers"]["Authorization"] == "Basic d2tfdGVzdDo="
    assert got["body"] == {"batch": [{"type": "track"}], "sentAt": AT.isoformat(), "historical": True}


def test_what_is_not_answered_is_sent_again_as_it_was(listener: Listener, door: Door):
    listener.answers = [(0, {}), (503, {}), (429, {}), (200, {"success": True})]
    assert door.send([{"messageId": "1"}], sent_at=AT) == []
    assert len(listener.got) == 4
    assert all(got["body"] == listener.got[0]["body"] for got in listener.got)


def test_a_refusal_is_final_and_says_what_was_answered(listener: Listener, door: Door):
    listener.answers = [(401, {"error": "unknown key"})]
    with pytest.raises(Shut, match=r"401.*unknown key"):
        door.send([{}], sent_at=AT)
    assert len(listener.got) == 1
