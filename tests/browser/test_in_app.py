"""Messages on a customer's own site: a plain page on another origin, with a style that would spoil anything."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.utils.text import slugify
from playwright.sync_api import BrowserContext, Page, expect

from foundation import clock
from messaging import brands, wiring
from messaging.inapp import identity
from messaging.models import InboxMessage, Message
from profiles.models import Event, Profile
from tests.messaging import by_channel
from tests.messaging.test_channel_web_push import Browser
from tests.receiving import receiving

# What other sites do to everything that they hold, and what must not reach us.
_SPOILT = "* { color: red !important; font: 40px serif !important; display: block !important; } button { opacity: 0; }"
BLOCKS: list[dict[str, Any]] = [
    {"kind": "text", "text": "Hi {{ profile.first_name }}, your reports can be **exported**."},
    {"kind": "list", "items": ["Pick a report", "Press *Export*"]},
    {"kind": "button", "text": "Export one", "href": "{{ event.url | default: 'https://example.com/export' }}"},
]


class Site:
    """The customer's site: one page for every path, made by whoever tests."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.page = ""
        self.policy = ""
        self.worker = ""


@contextmanager
def serving() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_worker = self.path == "/cairn-worker.js"
            content = (shown.worker if is_worker else shown.page).encode()
            self.send_response(200)
            self.send_header("Content-Type", f"text/{'javascript' if is_worker else 'html'}; charset=utf-8")
            if shown.policy:
                self.send_header("Content-Security-Policy", shown.policy)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shown = Site(server.server_address[1])
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield shown
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def site(live_server: Any, settings: Any) -> Iterator[Site]:
    with serving() as found:
        settings.BASE_URL = live_server.url
        now = clock.now()
        wiring.save("in_app", {"origins": found.url}, now=now)
        brands.save(name="Acme", colour="#7c3aed", now=now)
        signature, ours = identity.sign(wiring.made("in_app", "key"), "ada"), live_server.url
        found.page = f"""<!doctype html><html lang="en"><title>A site</title><style>{_SPOILT}</style>
<main><h1>Reports</h1><p>A page of yours.</p><a href="/next">Next</a></main>
<script src="{ours}/in-app/cairn.js" data-user="ada" data-signature="{signature}"></script>"""
        # As strict as a site can be: our script and what it asks for, and nothing in line but its own style.
        found.worker = f'importScripts("{ours}/in-app/push-worker.js");'
        found.policy = f"default-src 'none'; script-src {ours}; connect-src {ours}; style-src 'unsafe-inline'"
        yield found


@pytest.fixture
def say(site: Site) -> Callable[..., Message]:
    """Says something to Ada, all the way into her inbox."""
    now = clock.now()
    ada = Profile.objects.create(external_id="ada", first_name="Ada", first_seen_at=now, last_seen_at=now)
    ada.identifiers.create(kind="user_id", value="ada", created_at=now)

    def tell(title: str, look: str = "inbox", **fields: Any) -> Message:
        options = {"look": look}
        slug = slugify(title)
        fields = {"blocks": BLOCKS, **fields}
        return by_channel.said(ada, "in_app", clock.now(), subject=title, slug=slug, options=options, **fields)

    return tell


def state(message: Message) -> str:
    message.refresh_from_db()
    return message.state


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_a_bell_with_an_inbox_that_works_by_keyboard_and_harms_no_site(
    width: int,
    dark: bool,
    site: Site,
    say: Callable[..., Message],
    context: Callable[..., BrowserContext],
    violations: Callable[[Page], list[str]],
    shot: Callable[[Page, str], None],
) -> None:
    older, message = say("Older"), say("Exports are here")
    page = context(width=width, dark=dark).new_page()
    problems: list[str] = []
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.goto(site.url)
    bell = page.get_by_role("button", name="Messages, 2 unread")
    expect(bell).to_be_visible()
    bell.focus()
    page.keyboard.press("Enter")
    close = page.get_by_role("button", name="Close")
    expect(close).to_be_focused()
    row = page.get_by_role("button", name="Exports are here").first
    row.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Export one")).to_be_visible()
    expect(page.get_by_role("button", name="Messages, 1 unread")).to_be_visible()
    expect(page.get_by_text("Hi Ada, your reports can be exported.")).to_be_visible()
    assert page.get_by_text("Hi Ada").evaluate("node => getComputedStyle(node).color") != "rgb(255, 0, 0)"
    shot(page, f"in-app-inbox-{width}")
    page.add_style_tag(content="main * { font: 16px sans-serif !important; color: #000 !important; }")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    remove = page.get_by_role("button", name="Remove: Older")
    remove.click()
    expect(remove).to_have_count(0)
    expect(page.get_by_role("button", name="Messages", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Messages", exact=True)).to_be_focused()
    assert state(message) == "opened"
    assert state(older) == "delivered"
    assert InboxMessage.objects.get(message=older).dismissed_at is not None
    assert problems == []


def test_a_banner_comes_once_and_a_click_on_it_is_told_though_the_page_is_left(
    site: Site, say: Callable[..., Message], page: Page, shot: Callable[[Page, str], None]
) -> None:
    blocks = [{"kind": "button", "text": "Export one", "href": f"{site.url}/next?for=ada"}]
    message = say("Exports are here", "banner", blocks=blocks)
    page.goto(site.url)
    banner = page.get_by_role("region", name="Exports are here")
    expect(banner).to_be_visible()
    if os.environ.get("CAIRN_SHOTS"):
        tree = "document.querySelector('[data-cairn]').shadowRoot"
        page.evaluate(f"Promise.all({tree}.getAnimations().map((one) => one.finished))")
    shot(page, "in-app-banner")
    page.get_by_role("link", name="Export one").click()
    page.wait_for_url("**/next?for=ada")
    for _ in range(500):  # nobody waits for the answer: the page that asked is gone
        if state(message) == "clicked":
            break
        page.wait_for_timeout(20)
    expect(page.get_by_role("button", name="Messages", exact=True)).to_be_visible()
    expect(banner).to_have_count(0)
    assert state(message) == "clicked"
    clicked = Event.objects.get(type__name="$message_clicked")
    assert clicked.properties["url"] == f"{site.url}/next"


@pytest.mark.parametrize(("width", "dark"), [(1280, True), (390, False)])
def test_a_window_holds_the_focus_until_it_is_closed(
    width: int,
    dark: bool,
    site: Site,
    say: Callable[..., Message],
    context: Callable[..., BrowserContext],
    violations: Callable[[Page], list[str]],
    shot: Callable[[Page, str], None],
) -> None:
    message = say("Exports are here", "modal")
    page = context(width=width, dark=dark).new_page()
    page.goto(site.url)
    dialog = page.get_by_role("dialog", name="Exports are here")
    expect(dialog).to_be_visible()
    shot(page, f"in-app-window-{width}")
    page.add_style_tag(content="main * { font: 16px sans-serif !important; color: #000 !important; }")
    assert violations(page) == []
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Messages", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Messages", exact=True)).to_be_visible()
    expect(dialog).to_have_count(0)
    assert state(message) == "opened"


def test_xs_03_what_was_written_to_do_harm_is_shown_as_words(
    site: Site, say: Callable[..., Message], page: Page
) -> None:
    Profile.objects.update(first_name='<img src=x onerror="document.title=1">')
    words = "Hi {{ profile.first_name }} <script>document.title=1</script> **<b>x</b>**"
    say("<img src=x onerror=document.title=1>", "modal", blocks=[{"kind": "text", "text": words}], name="Harm")
    site.policy = ""
    page.goto(site.url)
    expect(page.get_by_role("dialog").get_by_text("<script>document.title=1</script>")).to_be_visible()
    assert page.title() == "A site"
    assert page.locator("dialog img, dialog script, dialog b").count() == 0


def test_whose_signature_is_over_is_shown_nothing_and_the_site_is_told(
    site: Site, say: Callable[..., Message], page: Page
) -> None:
    say("Exports are here")
    site.page = site.page.replace("data-signature", 'data-expires="1" data-signature').replace(
        "<script ",
        "<script>document.addEventListener('cairn:expired', () => { document.title = 'Over'; });</script><script ",
        1,
    )
    site.policy = ""
    page.goto(site.url)
    page.wait_for_function("document.title === 'Over'")
    assert page.locator("[data-cairn]").count() == 0


_MAKER = """
PushManager.prototype.subscribe = async (asked) => { window.asked = asked; return { endpoint: ENDPOINT, toJSON: () => (
  { endpoint: ENDPOINT, keys: { p256dh: P256DH, auth: AUTH } }) }; };
"""


def test_a_browser_asks_for_notifications_and_shows_what_comes(
    site: Site, say: Callable[..., Message], context: Callable[..., BrowserContext], settings: Any
) -> None:
    say("Exports are here")
    site.policy = ""
    with receiving() as maker:
        settings.OUTGOING_HOSTS = [maker.host]
        browser = Browser(f"http://{maker.host}/push/one")
        keys = browser.as_json()["keys"]
        where = context()
        where.grant_permissions(["notifications"], origin=site.url)
        page = where.new_page()
        # Its maker's servers cannot be reached from here: they are played by ours.
        for name, value in (("ENDPOINT", browser.endpoint), ("P256DH", keys["p256dh"]), ("AUTH", keys["auth"])):
            page.add_init_script(f"window.{name} = {json.dumps(value)};")
        page.add_init_script(_MAKER)
        page.goto(site.url)
        expect(page.get_by_role("button", name="Messages, 1 unread")).to_be_visible()
        assert page.evaluate("Cairn.subscribe()") is True
        assert page.evaluate("window.asked.userVisibleOnly && window.asked.applicationServerKey.length") == 65
        message = by_channel.said(Profile.objects.get(external_id="ada"), "web_push", clock.now(), subject="Ready")
        assert state(message) == "sent"
        said = browser.reads(maker.received[0])
    deliver(page, json.dumps(said))
    page.wait_for_function(
        "navigator.serviceWorker.ready.then((one) => one.getNotifications()).then((all) => all[0] && all[0].title)"
    )
    shown = page.evaluate(
        "navigator.serviceWorker.ready.then((one) => one.getNotifications())"
        ".then(([one]) => [one.title, one.body, one.tag])"
    )
    assert shown == ["Ready", "Hello Ada, it is done.", str(message.id)]


def deliver(page: Page, data: str) -> None:
    """Hands a notification to the worker of the page, as its browser does."""
    session = page.context.new_cdp_session(page)
    found: list[str] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: found.extend(one["registrationId"] for one in told["registrations"]),
    )
    session.send("ServiceWorker.enable")
    page.wait_for_function("navigator.serviceWorker.ready.then((one) => one.active.state === 'activated')")
    origin = page.evaluate("location.origin")
    session.send("ServiceWorker.deliverPushMessage", {"origin": origin, "registrationId": found[0], "data": data})
