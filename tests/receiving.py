"""A receiver of webhooks, on a port of its own: keeps what it was sent, and answers as it is told."""

import base64
import hmac
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


Answers = Callable[[Received], "tuple[int, Mapping[str, str], bytes]"]


@dataclass
class Receiver:
    """What came to `url`, in order. `answers` decides what is said to it: 200 and nothing more, at first."""

    port: int
    received: list[Received] = field(default_factory=list)
    answers: Answers = lambda _: (200, {}, b"")

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/hook"

    def says(self, *statuses: int, body: bytes = b"", **headers: str) -> None:
        """Answers with these, one after another; the last goes on for ever."""
        left = list(statuses)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers = lambda _: (left.pop(0) if len(left) > 1 else left[0], named, body)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens within the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            receiver.received.append(request)
            status, headers, answer = receiver.answers(request)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def is_signed(request: Received, secret: str) -> bool:
    """Verifies as the Standard Webhooks specification tells receivers to: any of the signatures may be the one."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    head = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
    wanted = base64.b64encode(hmac.new(key, head + request.body, sha256).digest()).decode()
    given = [part.partition(",") for part in request.headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(found, wanted) for version, _, found in given)
