"""What a real web process makes of the bodies that clients send to the tracking API."""

import base64
import gzip
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.embedded import home
from tests.crash.running import Up

pytestmark = [pytest.mark.crash]

CALLS = {"batch": [{"type": "track", "event": "e", "userId": "u"}]}


@pytest.fixture(scope="module")
def secret(up: Up) -> str:
    command: list[str | Path] = [sys.executable, home.BASE / "manage.py", "createkey", "Shop", "--write"]
    said = subprocess.run(command, env=up.env, capture_output=True, text=True, timeout=60, check=True).stdout
    return next(word for word in said.split() if word.startswith("wk_"))


def post(up: Up, secret: str, body: Any, *, chunked: bool, path: str = "/v1/batch", **headers: str) -> tuple[int, Any]:
    asked = {"Authorization": "Basic " + base64.b64encode(f"{secret}:".encode()).decode(), **headers}
    connection = http.client.HTTPConnection("127.0.0.1", up.port, timeout=30)
    try:
        connection.request("POST", path, body=body, headers=asked, encode_chunked=chunked)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def pieces(raw: bytes, size: int = 7) -> Iterator[bytes]:
    return (raw[at : at + size] for at in range(0, len(raw), size))


def test_a_body_may_come_in_chunks(up: Up, secret: str) -> None:
    chunked = {"Transfer-Encoding": "chunked"}
    raw = json.dumps(CALLS).encode()
    assert post(up, secret, pieces(raw), chunked=True, **chunked) == (200, {"success": True})
    packed = pieces(gzip.compress(raw))
    assert post(up, secret, packed, chunked=True, **chunked, **{"Content-Encoding": "gzip"}) == (200, {"success": True})
    one = pieces(json.dumps(CALLS["batch"][0]).encode())
    assert post(up, secret, one, chunked=True, path="/v1/track", **chunked) == (200, {"success": True})
    assert post(up, secret, pieces(b"nonsense"), chunked=True, **chunked)[0] == 400


@pytest.mark.parametrize("megabytes", [1, 5, 15])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_that_is_too_large_is_answered_and_not_cut_off(
    up: Up, secret: str, chunked: bool, megabytes: int
) -> None:
    raw = b"x" * (megabytes * 1_000_000)
    headers = {"Transfer-Encoding": "chunked"} if chunked else {}
    body = pieces(raw, 100_000) if chunked else raw
    status, answer = post(up, secret, body, chunked=chunked, **headers)
    assert (status, answer["success"]) == (413, False)
    assert "512,000 bytes" in answer["error"]
    assert post(up, "wk_wrong", pieces(raw, 100_000) if chunked else raw, chunked=chunked, **headers)[0] == 401
