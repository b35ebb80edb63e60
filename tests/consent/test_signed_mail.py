"""A mail as it goes over the wire, signed as a mail server signs it: the way out is under the signature (UN-01)."""

import base64
from collections.abc import Callable
from datetime import datetime
from email import message_from_bytes, policy
from typing import Any

import dkim  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from consent.ledger import Outcome
from consent.models import Topic
from messaging import dispatch, templates
from messaging.outbox import Request, enqueue
from profiles.models import Profile
from tests.messaging.sink import Sink

COVERED = [b"From", b"To", b"Subject", b"Date", b"Message-ID", b"MIME-Version", b"Content-Type", b"List-Unsubscribe",
           b"List-Unsubscribe-Post", b"List-Id", b"Feedback-ID"]  # fmt: skip


def test_UN01_the_headers_for_unsubscribing_hold_under_a_signature_and_no_hop_folds_them(
    ada: Profile, news: Topic, decide: Callable[..., Outcome], now: datetime, settings: Any
) -> None:
    settings.POSTAL_ADDRESS, settings.UNSUBSCRIBE_ADDRESS = "1 Main Street", "unsubscribe@mail.example.com"
    decide(ada, "news", "granted")
    blocks = [{"kind": "text", "text": "Grüße, and a ☕"}]
    templates.save("hello", name="Hello", channel="email", topic="news", subject="Grüße ☕", blocks=blocks, now=now)
    enqueue([Request(key="a", profile_id=ada.id, template="hello", channel="email")], now=now)
    with Sink() as sink:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        dispatch.tick(now)
        (sent,) = sink.raw

    line = next(line for line in sent.split(b"\r\n") if line.startswith(b"List-Unsubscribe: "))
    web, mailto = line.removeprefix(b"List-Unsubscribe: ").decode().split(", ")
    assert (web[:8], mailto[:8]) == (f"<{settings.BASE_URL}"[:8], "<mailto:")
    assert len(line) < 998
    assert sent.count(b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n") == 1

    signed = _signed(sent)
    assert dkim.verify(signed[0] + sent, dnsfunc=signed[1])
    named = message_from_bytes(signed[0] + sent, policy=policy.compat32)["DKIM-Signature"].split("h=")[1].split(";")[0]
    covered = {each.strip().lower() for each in named.split(":")}
    assert covered >= {"list-unsubscribe", "list-unsubscribe-post", "list-id", "feedback-id"}
    forged = (signed[0] + sent).replace(b"One-Click", b"Two-Click")
    assert not dkim.verify(forged, dnsfunc=signed[1])


def _signed(mail: bytes) -> tuple[bytes, Callable[..., bytes]]:
    """The line that a mail server puts on top, and the domain's key as DNS would tell it."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    line = dkim.sign(mail, b"s1", b"example.com", private, include_headers=COVERED)
    return line, lambda *_, **__: b"v=DKIM1; k=rsa; p=" + public
