"""A whole Cairn for one story: its front door, its clock, and the inbox at the far end."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.test import Client

from config import ticking
from consent import ledger, topics
from consent.models import ConsentRecord
from foundation import clock
from messaging import templates
from profiles.models import Profile
from staff import keys
from staff.models import Key


class Sink:
    """What listens where mail goes, and keeps what it got."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.append(mail)
        return "250 Taken"


@dataclass
class World:
    """`send` is the tracking API, `pass_time` lets time pass with all that falls due, `mails` is what arrived."""

    write_key: str
    sink: Sink
    client: Client = field(default_factory=Client)

    @property
    def now(self) -> datetime:
        return clock.now()

    @property
    def mails(self) -> list[EmailMessage]:
        return self.sink.mails

    def subjects(self, address: str) -> list[str]:
        """The subjects of the mails that somebody got, in order."""
        return [mail["Subject"] for mail in self.mails if mail["To"] == address]

    def send(self, *calls: dict[str, Any], historical: bool = False) -> dict[str, Any]:
        """Posts the calls as one batch, as a client library does, and lets Cairn come to rest."""
        stamped = [{"timestamp": self.now.isoformat(), **call} for call in calls]
        body = {"batch": stamped, "sentAt": self.now.isoformat(), "historical": historical, "writeKey": self.write_key}
        answer = self.client.post("/v1/batch", body, content_type="application/json")
        assert answer.status_code == 200, answer.content
        ticking.rest(self.now)
        found: dict[str, Any] = answer.json()
        return found

    def track(self, user: str, event: str, **properties: Any) -> None:
        self.send({"type": "track", "userId": user, "event": event, "properties": properties})

    def identify(self, user: str, **traits: Any) -> None:
        self.send({"type": "identify", "userId": user, "traits": traits})

    def pass_time(self, step: timedelta = timedelta(hours=6), **length: float) -> None:
        """Lets time pass, six hours at a time, with everything done that falls due."""
        for _ in ticking.go(self.now + timedelta(**length), step):
            pass

    def agrees(self, user: str, topic: str, channel: str = "email", state: str = "granted") -> None:
        profile = Profile.objects.get(external_id=user)
        choice = ledger.Choice(
            profile_id=profile.id, topic=topic, channel=channel, state=state, source=ConsentRecord.Source.PAGE
        )
        ledger.record([choice], now=self.now)

    def topic(self, slug: str, **fields: Any) -> None:
        wording = {"name": slug.title(), "description": f"About {slug}.", "purpose": "To say so.", "basis": "consent"}
        topics.save(slug, **{**wording, "channels": ["email"], **fields}, now=self.now)

    def template(self, slug: str, topic: str, subject: str = "", text: str = "Hello.") -> None:
        templates.save(
            slug,
            name=slug,
            channel="email",
            topic=topic,
            subject=subject or slug,
            blocks=[{"kind": "text", "text": text}],
            now=self.now,
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def world(transactional_db: None, settings: Any, now: datetime) -> Iterator[World]:
    sink = Sink()
    listener = Controller(sink, hostname="127.0.0.1", port=_free_port())
    listener.start()
    settings.CAIRN_CLOCK = "manual"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", listener.port
    clock.set_to(now)
    _, secret = keys.create("Product", kind=Key.Kind.SERVER, now=now)
    yield World(secret, sink)
    listener.stop()
