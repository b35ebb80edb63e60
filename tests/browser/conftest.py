"""A real browser against the real application, which runs in threads of this process on a database of its own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

_FRAME = ("landmark-", "region:")  # what unfold's frame around all pages is without, and no WCAG criterion asks for
_BUSY = ".htmx-request, .htmx-swapping, .htmx-settling, [aria-busy=true]"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a run; each test has a context of its own."""
    program = which("chromium") or which("chromium-browser") or which("google-chrome")
    if program is None:
        pytest.fail("No Chromium is on the PATH: `make test` installs one, and so does the package chromium.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield chromium
        chromium.close()


@pytest.fixture
def live_server(transactional_db: None, settings: Any) -> Iterator[LiveServer]:
    """The application under an address of its own, with what the test has committed."""
    server = LiveServer("127.0.0.1")
    settings.BASE_URL = server.url
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    yield server
    server.stop()


@pytest.fixture
def context(
    browser: Browser, live_server: LiveServer, request: pytest.FixtureRequest
) -> Iterator[Callable[..., BrowserContext]]:
    """Makes contexts: `context(width=320, dark=True, scripts=False, language="de")`.

    A page that fails on the server fails the test, whatever else it looked at, unless it is marked `fails_on_purpose`.
    """
    made: list[BrowserContext] = []
    failed: list[str] = []

    def make(
        *, width: int = 1280, height: int = 800, dark: bool = False, scripts: bool = True, language: str = "en-GB"
    ) -> BrowserContext:
        one = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            locale=language,
            base_url=live_server.url,
        )
        one.set_default_timeout(10_000)
        one.on(
            "response", lambda answer: failed.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None
        )
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()
    assert request.node.get_closest_marker("fails_on_purpose") or failed == []


@pytest.fixture
def page(context: Callable[..., BrowserContext]) -> Page:
    """A page in a window of 1280 by 800, with everything switched on."""
    return context().new_page()


@pytest.fixture
def violations() -> Callable[..., list[str]]:
    """What axe-core finds on a page, each with where it is; nothing, if people can use it.

    The admin's menu is the same on every page and takes half the time: it is looked at where a test asks for it.
    """

    def violations(page: Page, menu: bool = False) -> list[str]:
        options = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"], "preload": False}
        left_out = None if menu else {"exclude": [["#nav-sidebar"]]}
        found = Axe().run(page, context=left_out, options=options).response["violations"]
        told = [f"{v['id']}: {v['help']} at {[n['target'] for n in v['nodes']]}" for v in found]
        return [one for one in told if not (page.locator("#nav-sidebar").count() and one.startswith(_FRAME))]

    return violations


@pytest.fixture
def shot(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keeps a picture of the whole page under the folder in CAIRN_SHOTS, for people to look at; without it none."""
    folder = os.environ.get("CAIRN_SHOTS")

    def shot(page: Page, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    return shot


@pytest.fixture
def faults(violations: Callable[..., list[str]], shot: Callable[[Page, str], None]) -> Callable[..., list[str]]:
    """What is wrong with how a page looks once it is at rest: what axe-core finds, and whether it is too wide."""

    def faults(page: Page, name: str, menu: bool = False) -> list[str]:
        page.wait_for_function(f"document.readyState == 'complete' && !document.querySelector('{_BUSY}')")
        shot(page, name)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return [
            *([f"{name} is {wide} pixels too wide"] if wide > 0 else []),
            *(f"{name}: {one}" for one in violations(page, menu)),
        ]

    return faults
