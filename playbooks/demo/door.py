"""The front door, used as any client would: the tracking API over HTTP, gzipped, tried again when it is away."""

import base64
import gzip
import http.client
import json
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from foundation.errors import Refused

_PATIENCE = 120.0  # seconds that a restart of the other side may take


class Shut(Refused):
    """The other side did not take it, and will not."""


class Door:
    """One kept connection to `address` (scheme, host and port), with a write key."""

    def __init__(self, address: str, write_key: str) -> None:
        self._parts = urlsplit(address)
        self._authorization = "Basic " + base64.b64encode(f"{write_key}:".encode()).decode()
        self._connection: http.client.HTTPConnection | None = None

    def send(self, calls: Sequence[dict[str, Any]], *, sent_at: datetime, historical: bool = False) -> list[Any]:
        """Sends one batch, and returns what was rejected of it. Sent twice it counts once: each call has its id."""
        body = {"batch": list(calls), "sentAt": sent_at.isoformat(), **({"historical": True} if historical else {})}
        answer = self._post("/v1/batch", gzip.compress(json.dumps(body).encode(), compresslevel=1))
        return list(answer.get("rejected", []))

    def _post(self, path: str, body: bytes) -> dict[str, Any]:
        until, wait = time.monotonic() + _PATIENCE, 0.1
        while True:
            try:
                status, text = self._once(path, body)
            except (OSError, http.client.HTTPException) as error:
                status, text = 0, repr(error)
                self.close()
            if status == 200:
                found: dict[str, Any] = json.loads(text)
                return found
            if 400 <= status < 500 and status != 429:
                raise Shut(f"The tracking API refused a batch with {status}: {text[:300]}")
            if time.monotonic() > until:
                raise Shut(
                    f"The tracking API did not take a batch for {_PATIENCE:.0f} seconds; its last word: {text[:300]}"
                )
            time.sleep(wait)
            wait = min(2.0, wait * 2)

    def _once(self, path: str, body: bytes) -> tuple[int, str]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._parts.hostname or "", self._parts.port, timeout=60)
        headers = {
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "Authorization": self._authorization,
        }
        self._connection.request("POST", path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
