"""Segment's own clients, unchanged, over real HTTP."""

import http.client
import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from segment.analytics.client import Client

from foundation import clock
from profiles.models import Account, Claim, Event, Merge, Profile
from staff import keys
from staff.models import Key
from tests.profiles.told import events_of, somebody


@pytest.fixture
def secret(transactional_db: None) -> str:
    return keys.create("Client", kind=Key.Kind.SERVER, now=clock.now())[1]


@contextmanager
def client(secret: str, host: str, **options: Any) -> Iterator[Any]:
    """The Python client with gzip on; what it could not deliver fails the test."""
    failures: list[Any] = []
    made = Client(secret, host=host, gzip=True, on_error=lambda *failed: failures.append(failed), **options)
    try:
        yield made
        made.flush()
    finally:
        made.join()
    assert failures == []


@contextmanager
def losing_answers(host: str, losses: int) -> Iterator[tuple[str, list[bytes]]]:
    """A way to the server on which the first answers are lost, though what was sent arrives; and what was sent."""
    sent: list[bytes] = []

    class Way(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent.append(body)
            onward = http.client.HTTPConnection(host.removeprefix("http://"))
            onward.request("POST", self.path, body, dict(self.headers))
            answer = onward.getresponse()
            text = answer.read()
            onward.close()
            lost = len(sent) <= losses
            self.send_response(503 if lost else answer.status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Way) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", sent
        server.shutdown()
        thread.join()


def _all_six(analytics: Any) -> None:
    analytics.identify(
        "u1", {"email": "ada@example.com", "firstName": "Ada", "plan": "pro", "since": datetime.now(UTC)}
    )
    analytics.track("u1", "Order Completed", {"total": 12.5, "items": ["a", "b"]}, context={"ip": "1.2.3.4"})
    analytics.track(anonymous_id="anon1", event="Pricing Viewed")
    analytics.page("u1", "Docs", "Pricing", {"url": "https://example.com"})
    analytics.screen("u1", "App", "Home")
    analytics.group("u1", "g1", {"name": "Acme", "seats": 5})
    analytics.alias("anon1", "u1")


def _check_all_six() -> None:
    ada = somebody("u1")
    assert (ada.email, ada.first_name, ada.attributes["plan"]) == ("ada@example.com", "Ada", "pro")
    assert datetime.fromisoformat(ada.attributes["since"])
    assert sorted(events_of("u1")) == ["Order Completed", "Pricing Viewed", "page", "screen"]
    assert Event.objects.get(type__name="Order Completed").properties == {"total": 12.5, "items": ["a", "b"]}
    page = Event.objects.get(type__name="page").properties
    assert (page["name"], page["category"], page["url"]) == ("Pricing", "Docs", "https://example.com")
    assert (ada.account, ada.account and ada.account.name) == (Account.objects.get(external_id="g1"), "Acme")
    assert somebody("anon1") == ada
    assert Merge.objects.count() == 1


def test_the_python_client_works_unchanged(secret: str, live_server: Any) -> None:
    with client(secret, live_server.url) as analytics:
        _all_six(analytics)
    _check_all_six()
    for event in Event.objects.all():
        assert abs(event.occurred_at - event.received_at) < timedelta(seconds=30)


def test_the_python_client_brings_what_is_old(secret: str, live_server: Any) -> None:
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    with client(secret, live_server.url) as analytics:
        analytics.track("u1", "Order Completed", timestamp=when)
    # Corrected by the time that the sending took.
    assert timedelta(0) <= Event.objects.get().occurred_at - when < timedelta(seconds=30)


def test_what_the_python_client_sends_again_is_stored_once(secret: str, live_server: Any) -> None:
    with losing_answers(live_server.url, 2) as (host, sent), client(secret, host) as analytics:
        _all_six(analytics)
    assert len(sent) >= 3
    assert len(set(sent)) == len(sent)  # each try says another time of sending
    _check_all_six()
    assert Claim.objects.count() == 7


def test_the_python_client_sends_much(secret: str, live_server: Any) -> None:
    with client(secret, live_server.url, upload_size=100) as analytics:
        for n in range(1_000):
            analytics.track(f"u{n % 50}", "Visited", {"n": n})
    assert Event.objects.count() == 1_000
    assert Profile.objects.count() == 50


SCRIPT = """
const { Analytics } = require('@segment/analytics-node');
const analytics = new Analytics({ writeKey: process.env.WRITE_KEY, host: process.env.HOST, flushAt: 7 });
const failed = [];
analytics.on('error', (error) => failed.push(String(error.reason || error)));
analytics.identify({
  userId: 'u1', traits: { email: 'ada@example.com', firstName: 'Ada', plan: 'pro', since: new Date() },
});
analytics.track({ userId: 'u1', event: 'Order Completed', properties: { total: 12.5, items: ['a', 'b'] } });
analytics.track({ anonymousId: 'anon1', event: 'Pricing Viewed' });
analytics.page({ userId: 'u1', category: 'Docs', name: 'Pricing', properties: { url: 'https://example.com' } });
analytics.screen({ userId: 'u1', category: 'App', name: 'Home' });
analytics.group({ userId: 'u1', groupId: 'g1', traits: { name: 'Acme', seats: 5 } });
analytics.alias({ previousId: 'anon1', userId: 'u1' });
analytics.closeAndFlush({ timeout: 10000 }).then(() => {
  console.log(JSON.stringify(failed));
  process.exit(failed.length ? 1 : 0);
});
"""


@pytest.fixture(scope="session")
def node_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which Segment's client for Node is installed, where that can be done."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("there is no node and npm on this machine")
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "@segment/analytics-node@^3"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=90)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not install @segment/analytics-node in time")
    if done.returncode != 0:
        pytest.skip("npm could not install @segment/analytics-node")
    return folder


def test_the_node_client_works_unchanged(secret: str, live_server: Any, node_client: Path) -> None:
    environment = {**os.environ, "WRITE_KEY": secret, "HOST": live_server.url}
    done = subprocess.run(
        ["node", "-e", SCRIPT], cwd=node_client, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == []
    _check_all_six()
