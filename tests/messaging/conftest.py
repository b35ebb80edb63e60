"""Topics, a template, somebody to hear, and a real SMTP server that keeps what it is given."""

from collections.abc import Callable, Iterator
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from consent import ledger
from consent.ledger import Choice
from consent.models import Topic
from messaging import outbox, templates
from messaging.models import Message, Template
from messaging.outbox import Request
from profiles.models import Profile
from tests.messaging.sink import Sink

BLOCKS: list[dict[str, Any]] = [
    {"kind": "heading", "text": "Hello {{ profile.first_name | default: 'there' }}"},
    {"kind": "text", "text": "Here is what is new."},
    {"kind": "button", "text": "Look", "href": "https://example.com/new"},
]


@pytest.fixture
def news(db: None) -> Topic:
    """A topic on the basis of consent."""
    return Topic.objects.create(
        slug="news", name="Product news", description="News.", purpose="To tell.", channels=["email"]
    )


@pytest.fixture
def receipts(db: None) -> Topic:
    """A transactional topic."""
    return Topic.objects.create(
        slug="receipts",
        name="Receipts",
        description="Receipts.",
        purpose="To prove.",
        basis=Topic.Basis.CONTRACT,
        transactional=True,
        channels=["email"],
    )


@pytest.fixture
def write(now: datetime, news: Topic) -> Callable[..., Template]:
    """Writes a template; a word given takes the place of the usual one."""

    def make(slug: str = "hello", **fields: Any) -> Template:
        usual = {
            "name": slug.capitalize(),
            "channel": "email",
            "topic": "news",
            "subject": "News for {{ profile.first_name | default: 'you' }}",
            "blocks": BLOCKS,
        }
        return templates.save(slug, **{**usual, **fields}, now=now)

    return make


@pytest.fixture
def agree(now: datetime) -> Callable[..., None]:
    """People agree to a topic by email, or refuse it."""

    def decide(*people: Profile, topic: str = "news", state: str = "granted", at: datetime = now) -> None:
        choices = [
            Choice(profile_id=one.id, topic=topic, channel="email", state=state, source="page") for one in people
        ]
        ledger.record(choices, now=at)

    return decide


@pytest.fixture
def queue(now: datetime) -> Callable[..., Message]:
    """Queues a message to somebody."""

    def put(profile: Profile, template: str = "hello", *, at: datetime = now, **fields: Any) -> Message:
        key = fields.pop("key", f"test:{uuid4()}")
        request = Request(key=key, profile_id=profile.id, template=template, channel="email", **fields)
        (id,) = outbox.enqueue([request], now=at)
        return Message.objects.get(id=id)

    return put


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    """Mail goes to files in this folder."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    return tmp_path


@pytest.fixture
def sink(settings: Any) -> Iterator[Sink]:
    """Mail goes to an SMTP server that keeps it, and that can be told to misbehave."""
    with Sink() as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.port
        settings.EMAIL_TIMEOUT = 20
        yield running


def mails_in(folder: Path) -> list[EmailMessage]:
    """Every mail in the files of the folder, parsed."""
    parser = BytesParser(policy=policy.default)
    found = [
        parser.parsebytes(raw)
        for file in sorted(folder.iterdir())
        for raw in file.read_bytes().split(b"-" * 79 + b"\n")
        if raw.strip()
    ]
    return [mail for mail in found if isinstance(mail, EmailMessage)]


def state_of(id: UUID) -> Message:
    return Message.objects.get(id=id)
