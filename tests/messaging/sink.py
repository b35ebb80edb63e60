"""A real SMTP server that keeps what it is given, counts it, and can be told at which point to misbehave."""

import asyncio
import logging
import socket
import threading
from collections import Counter
from collections.abc import Callable
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from types import TracebackType
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

logging.getLogger("mail.log").setLevel(logging.WARNING)


class _Server(SMTP):
    """Cuts the line where the sink says so."""

    sink: "Sink"

    def _cut(self, point: str) -> bool:
        if self.sink.cut_at == point and self.sink.cuts_left > 0:
            self.sink.cuts_left -= 1
            assert isinstance(self.transport, asyncio.Transport)
            self.transport.abort()
            return True
        return False

    async def smtp_MAIL(self, arg: str) -> None:
        if not self._cut("mail"):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str) -> None:
        if not self._cut("rcpt"):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:
        if not self._cut("data"):
            await super().smtp_DATA(arg)


class Sink:
    """`port`, `mails` and `raw`; `reply` answers in place of 250, `cut_at` cuts at mail, rcpt, data, body or reply."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.reply: Callable[[str, str], str | None] = lambda stage, address: None
        self.cut_at = ""
        self.cuts_left = 1_000_000
        self.connections = 0
        self.on_mail: Callable[[EmailMessage], None] = lambda mail: None
        self._ready = threading.Event()
        self._lock = threading.Lock()

    # ── What a test reads ────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def mails(self) -> list[EmailMessage]:
        parser = BytesParser(policy=policy.default)
        parsed = [parser.parsebytes(raw) for raw in self.raw]
        return [mail for mail in parsed if isinstance(mail, EmailMessage)]

    @property
    def count_by_id(self) -> Counter[str]:
        return Counter(str(mail["Message-ID"]) for mail in self.mails)

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mail["To"] == address]

    # ── aiosmtpd's handler ───────────────────────────────────────────────────────────────────────────────────────────
    async def handle_RCPT(
        self, server: _Server, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answer := self.reply("rcpt", address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: _Server, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        if server._cut("body"):
            return "250 nobody hears this"
        if answer := self.reply("data", envelope.rcpt_tos[0]):
            return answer
        with self._lock:
            self.raw.append(content)
            self.recipients.append(list(envelope.rcpt_tos))
        mail = BytesParser(policy=policy.default).parsebytes(content)
        assert isinstance(mail, EmailMessage)
        await asyncio.get_running_loop().run_in_executor(None, self.on_mail, mail)
        server._cut("reply")
        return "250 OK"

    # ── Its life ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def __enter__(self) -> "Sink":
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()

        def protocol() -> Any:
            self.connections += 1
            made = _Server(self, hostname="sink", loop=self._loop)
            made.sink = self
            return made

        server = await self._loop.create_server(protocol, sock=self._socket)
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
