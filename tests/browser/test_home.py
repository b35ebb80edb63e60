"""Staff come in by the door, see how things stand, and find every screen from the menu."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import BrowserContext, Page

from foundation import clock
from foundation.admin import page_of
from journeys import engine
from journeys.models import Enrollment, Journey
from messaging import dispatch
from playbooks import files, installing
from profiles import ingest
from segments import sweep
from segments.models import Segment
from staff.models import User


@pytest.fixture
def shop(live_server: Any) -> datetime:
    """The music shop's playbook with forty customers, some of whom ordered lately."""
    now = clock.now()
    installing.install(files.load("music-shop"), now=now)
    calls: list[dict[str, Any]] = []
    for n in range(40):
        user = f"customer-{n}"
        calls.append({"type": "identify", "userId": user, "traits": {"email": f"{user}@example.com"}})
        calls += [
            {
                "type": "track",
                "userId": user,
                "event": "order_completed",
                "properties": {"quantity": n % 7, "value": 12.5},
            }
            for _ in range(n % 4 + 1)
        ]
    ingest.take(calls, source="key:Shop", trust=ingest.Trust.SERVER, now=now)
    engine.react(now)
    sweep.tick(now)
    dispatch.tick(now)
    return now


@pytest.fixture
def olga(live_server: Any) -> User:
    user = User.objects.create_user("olga", password="a long enough password", is_staff=True)
    user.groups.add(Group.objects.get(name="owner"))
    return user


def _come_in(page: Page) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill("a long enough password")
    page.keyboard.press("Enter")
    page.locator(".c-title", has_text="Home").wait_for()


def test_every_screen_of_the_menu_opens_without_an_error(page: Page, shop: datetime, olga: User) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"{page.url}: {error}"))
    page.on("console", lambda said: errors.append(f"{page.url}: {said.text}") if said.type == "error" else None)
    page.on("response", lambda answer: errors.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    _come_in(page)
    errors.clear()  # the browser asks for a favicon before anybody is in
    links = page.locator("#nav-sidebar a, nav a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    menu = sorted({link for link in links if link and link.startswith("/admin/") and link.count("/") == 4})
    assert len(menu) > 20
    for address in menu:
        page.goto(address)
        page.wait_for_function("!document.querySelector('.htmx-request')")
    assert errors == []


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_home_a_journey_a_segment_and_a_way_can_be_read_by_all(
    context: Callable[..., BrowserContext],
    shop: datetime,
    olga: User,
    faults: Callable[..., list[str]],
    width: int,
    dark: bool,
) -> None:
    page = context(width=width, dark=dark).new_page()
    _come_in(page)
    places = {
        "home": "/admin/",
        "journey": page_of(Journey.objects.get(slug="after-an-order")),
        "segment": page_of(Segment.objects.get(slug="music-customers")),
        "way": page_of(Enrollment.objects.order_by("id")[0]),
    }
    wrong: list[str] = []
    for name, address in places.items():
        page.goto(address)
        wrong += faults(page, f"{name}-{width}", menu=name == "home")
    assert wrong == [], "\n".join(wrong)


def test_what_is_on_home_is_what_there_is(page: Page, shop: datetime, olga: User) -> None:
    _come_in(page)
    words = page.locator(".c-page").inner_text()
    assert "40" in words
    assert "Music customers" in words
    page.get_by_role("link", name="After an order").click()
    page.locator(".c-title", has_text="After an order").wait_for()
    assert "40 people have taken part" in page.locator(".c-page").inner_text()
