"""The screens of messages in a real browser: both themes, a desk and a phone, and a mail that would do harm."""
# ruff: noqa: E501 (the world of these tests, one thing a line)

from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import BrowserContext, Dialog

from consent import ledger
from consent.ledger import Choice
from consent.models import Topic
from foundation import clock
from foundation.admin import list_of, page_of
from messaging import brands, dispatch, lanes, outbox, templates
from messaging.models import Brand, Lane, Message, MessageState, Pace, Template
from messaging.outbox import Request
from profiles.models import Profile
from staff.models import User

BLOCKS: list[dict[str, Any]] = [
    {"kind": "heading", "text": "Hello {{ profile.first_name | default: 'there' }}"},
    {"kind": "text", "text": "Your reports can now be **exported** as PDF, and [shared](https://example.com/share)."},
    {"kind": "list", "items": ["Pick a report", "Press *Export*", "Send it to whoever waits for it"], "ordered": True},
    {"kind": "quote", "text": "It saves me an hour a week.", "by": "Ben, Acme"},
    {"kind": "button", "text": "Export a report", "href": "https://example.com/reports"},
    {"kind": "divider"},
    {
        "kind": "columns",
        "columns": [[{"kind": "text", "text": "On the left"}], [{"kind": "text", "text": "On the right"}]],
    },
]


@pytest.fixture
def world(live_server: Any, tmp_path: Any, settings: Any) -> dict[type, Any]:
    """A template in two versions, and a message for most of what can become of one."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    now = clock.now()
    brands.save(name="Acme", sender_name="Ada of Acme", postal_address="Acme Ltd\nSome Street 1\nSome Town", now=now)
    Topic.objects.create(slug="news", name="Product news", description="", purpose="", channels=["email"])
    hello: dict[str, Any] = {"name": "Exports are here", "channel": "email", "topic": "news", "blocks": BLOCKS}
    templates.save("exports", **hello, subject="Exports", now=now - timedelta(days=3))
    templates.save("exports", **hello, subject="Your reports, as PDF", reason="Says what it is", now=now)
    lanes.set_pace("email", "gmail.com", per_minute=300, warm_up=[50, 100], warm_up_from=now.date(), now=now)
    lanes.trouble("email", "gmail.com", reason="550 5.7.1 Blocked: an unusual rate of mail.", now=now)
    names = [("Ada", "ada"), ("Ben", "ben"), ("דורה כהן", "dora"), ("A-name-without-a-space-" * 6, "eve")]
    people = [
        Profile.objects.create(
            external_id=id, email=f"{id}@example.com", first_name=name, first_seen_at=now, last_seen_at=now
        )
        for name, id in names
    ]
    ledger.record(
        [
            Choice(profile_id=one.id, topic="news", channel="email", state="granted", source="page")
            for one in people[::2]
        ],
        now=now,
    )
    outbox.enqueue(
        [
            Request(key=str(n), profile_id=one.id, template="exports", channel="email", journey="getting-started")
            for n, one in enumerate(people)
        ],
        now=now,
    )
    dispatch.tick(now)
    (lost,) = outbox.enqueue(
        [Request(key="lost", profile_id=people[0].id, template="exports", channel="email")], now=now
    )
    Message.objects.filter(id=lost).update(
        state=MessageState.UNKNOWN, sending_at=now, ended_at=now, subject="Your reports, as PDF",
        reason="The worker that was sending it by email died before it could say what became of it. It may have arrived,"
        " so it is not sent again on its own.",
    )  # fmt: skip
    return {
        Message: Message.objects.filter(state="sent").order_by("id")[0],
        Template: Template.objects.get(),
        Profile: people[0],
        Brand: Brand.objects.get(),
    }


@pytest.fixture
def sign_in(world: dict[type, Any]) -> Callable[[BrowserContext], None]:
    user = User.objects.create_superuser("root", password="stone-on-stone-9")
    client = Client()
    client.force_login(user)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value

    def give(to: BrowserContext) -> None:
        to.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "domain": "127.0.0.1", "path": "/"}])

    return give


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (375, True)])
def test_the_screens_open_read_well_and_are_accessible(
    width: int,
    dark: bool,
    world: dict[type, Any],
    sign_in: Callable[[BrowserContext], None],
    context: Callable[..., BrowserContext],
    faults: Callable[..., list[str]],
) -> None:
    where = context(width=width, dark=dark)
    sign_in(where)
    page = where.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    held = Message.objects.filter(state="suppressed").order_by("id")[0]
    lost = Message.objects.get(state="unknown")
    for name, path in {
        "outbox": list_of(Message),
        "sent": page_of(world[Message]),
        "held": page_of(held),
        "unknown": page_of(lost),
        "templates": list_of(Template),
        "template": page_of(world[Template]),
        "brand": reverse("admin:messaging_brand_change", args=[1]),
        "ways out": list_of(Lane),
        "way out": page_of(Lane.objects.get()),
        "pace": page_of(Pace.objects.get()),
        "person": page_of(world[Profile]),
    }.items():
        page.goto(path)
        errors += faults(page, f"{name}-{width}")
    assert errors == [], "\n".join(errors)


@pytest.fixture
def evil() -> Iterator[tuple[str, list[str]]]:
    """A server that nobody should ever ask, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_xs_01_a_mail_that_would_do_harm_does_none_in_the_preview(
    world: dict[type, Any],
    sign_in: Callable[[BrowserContext], None],
    context: Callable[..., BrowserContext],
    evil: tuple[str, list[str]],
) -> None:
    """Past every other defence: the harmful markup is put into the row itself."""
    there, asked = evil
    harm = (
        f"<script>parent.document.title='owned';fetch('{there}/fetch')</script><img src=x onerror=\"alert(1)\">"
        f"<img src='{there}/pixel.gif'><a id=out target=_top href='{there}/out'>out</a><link rel=stylesheet href='{there}/css'>"
        f"<iframe src='{there}/frame'></iframe><form action='{there}/form'><button id=go>go</button></form>"
        f"<meta http-equiv=refresh content='0;url={there}/refresh'><svg onload=alert(1)>"
    )
    message = world[Message]
    Message.objects.filter(id=message.id).update(html=f"{harm}<p>Harmless words</p>")
    where = context()
    sign_in(where)
    page = where.new_page()
    dialogs: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.goto(page_of(message))
    frame = page.frame_locator("iframe.c-mail")
    assert "Harmless words" in frame.locator("body").inner_text()
    frame.locator("#go").click(force=True)
    frame.locator("#out").click(force=True)
    page.wait_for_timeout(500)
    assert dialogs == []
    assert asked == []
    assert page.url.endswith(page_of(message))
    assert page.title() != "owned"
