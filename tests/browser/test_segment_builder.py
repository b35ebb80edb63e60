"""The segment builder as staff use it: by mouse, by keyboard alone, without scripts, on a desk and on a phone."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect

from foundation import clock
from foundation.admin import page_of
from profiles import catalogue, ingest
from profiles.ingest import Trust
from segments import definitions
from segments.models import Segment
from staff.models import User

NEW = "/admin/segments/segment/add/"
WANTED: dict[str, Any] = {
    "all": [
        {"kind": "attribute", "name": "plan", "op": "is", "value": "trial"},
        {
            "kind": "event",
            "name": "report_exported",
            "count": {"op": "gte", "value": 3},
            "window": {"last": {"days": 30}},
        },
        {"not": {"kind": "event", "name": "report_exported", "window": {"last": {"days": 7}}}},
        {"kind": "account", "name": "seats", "op": "gt", "value": 10},
    ]
}


@pytest.fixture
def staff(live_server: Any) -> Iterator[Callable[[Page], Page]]:
    """Signs a page in as somebody who may do everything; there are people to ask about."""
    now = clock.now()
    calls: list[dict[str, Any]] = []
    errors: list[str] = []
    for number, (plan, seats, days) in enumerate([("trial", 20, 9), ("trial", 20, 2), ("pro", 30, 9), ("trial", 5, 9)]):
        id = f"person-{number}"
        calls += [
            {
                "type": "identify",
                "userId": id,
                "traits": {"plan": plan, "firstName": f"Ada{number}", "lastName": "Byron"},
            },
            {"type": "group", "userId": id, "groupId": f"company-{number}", "traits": {"name": "Acme", "seats": seats}},
            *(
                {
                    "type": "track",
                    "userId": id,
                    "event": "report_exported",
                    "properties": {"format": "pdf"},
                    "timestamp": (now - timedelta(days=days, hours=hour)).isoformat(),
                }
                for hour in range(4)
            ),
        ]
    ingest.take(calls, source="key Website", trust=Trust.SERVER, now=now)
    catalogue.observe(now)
    client = Client()
    client.force_login(User.objects.create_superuser("olga", password="x"))
    session = client.cookies[settings.SESSION_COOKIE_NAME].value

    def sign_in(page: Page) -> Page:
        page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield sign_in
    assert errors == []


def settled(page: Page) -> None:
    """Until what was done is answered, and counted."""
    page.wait_for_timeout(50)
    page.wait_for_function("!document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")


# ── By mouse ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def add(page: Page, about: str) -> Any:
    rows = page.locator(".s-row")
    before = rows.count()
    page.locator("#add-top").click()
    page.locator("#box-top > .s-adds").get_by_role("button", name=about, exact=True).click()
    page.wait_for_function(f"document.querySelectorAll('.s-row').length === {before + 1}")
    settled(page)
    return page.get_by_role("group", name=f"Condition {before + 1}", exact=True)


def test_a_segment_is_built_by_mouse(page: Page, staff: Callable[[Page], Page]) -> None:
    staff(page).goto(NEW)
    page.get_by_label("Name of the segment").fill("Trial users about to decide")
    row = add(page, "What we know about them")
    row.get_by_label("What is known").fill("plan")
    row.get_by_label("Value").fill("trial")
    row = add(page, "What they did")
    row.get_by_label("What they did", exact=True).fill("report_exported")
    row.get_by_label("How many times").fill("3")
    row.get_by_label("When", exact=True).select_option("in the last")
    settled(page)
    assert row.get_by_text("report_exported · 16 in 30 days").is_visible()
    page.get_by_role("button", name="Duplicate condition 2").click()
    row = page.get_by_role("group", name="Condition 3", exact=True)
    row.get_by_label("How many times").fill("1")
    row.get_by_label("How long: how many").fill("7")
    row.get_by_role("button", name="Not: turn condition 3 into its opposite").click()
    row = add(page, "What we know about their company")
    row.get_by_label("What is known").fill("seats")
    row.get_by_label("How it compares").select_option("is more than")
    row.get_by_label("Value").fill("10")
    page.get_by_text("1 person").wait_for()
    assert "People whose plan is “trial”, and who did “Report exported” at least 3 times" in page.inner_text("#live")
    assert "Ada0 Byron" in page.inner_text("#live")
    page.get_by_role("button", name="Save and make live").click()
    page.get_by_text("Before it is saved: what changes").wait_for()
    assert "No journey begins" in page.inner_text("#review")
    page.get_by_role("button", name="Make it live").click()
    page.wait_for_url(re.compile(r"/segment/\d+/change/"))
    saved = Segment.objects.get()
    assert (saved.name, saved.status, saved.size) == ("Trial users about to decide", "live", 1)
    assert saved.definition == WANTED


# ── By keyboard ──────────────────────────────────────────────────────────────────────────────────────────────────────
_FOCUSED = """() => {
  const at = document.activeElement;
  const label = at.labels?.[0]?.textContent;
  return (at.getAttribute("aria-label") || label || at.textContent || "").trim();
}"""


def tab_to(page: Page, name: str) -> None:
    """Presses Tab until what has the focus is called so."""
    for _ in range(150):
        page.keyboard.press("Tab")
        page.wait_for_timeout(15)
        settled(page)
        if page.evaluate(_FOCUSED) == name:
            return
    raise AssertionError(f"Tab never comes to {name!r}")


def choose(page: Page, option: str) -> None:
    """Chooses in the list that has the focus, as one types its first letters, and waits for nothing."""
    page.keyboard.type(option)


def add_by_keyboard(page: Page, about: str) -> None:
    """Opens the menu with Enter, goes down with the arrow and takes it; the focus is then in the new condition."""
    tab_to(page, "Add a condition")
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("ArrowDown")
        if page.evaluate("document.activeElement.textContent").endswith(about):
            break
    before = page.locator(".s-row").count()
    page.keyboard.press("Enter")
    page.wait_for_function(f"document.querySelectorAll('.s-row').length === {before + 1}")
    settled(page)


def test_a_segment_is_built_by_keyboard_alone(page: Page, staff: Callable[[Page], Page]) -> None:
    staff(page).goto(NEW)
    tab_to(page, "Name of the segment")
    page.keyboard.type("Trial users about to decide")
    add_by_keyboard(page, "What we know about them")
    assert page.evaluate(_FOCUSED) == "What is known"
    page.keyboard.type("plan")
    tab_to(page, "Value")
    page.keyboard.type("trial")
    add_by_keyboard(page, "What they did")
    page.keyboard.type("report_exported")
    tab_to(page, "How many times")
    page.keyboard.press("Control+A")
    page.keyboard.type("3")
    tab_to(page, "When")
    choose(page, "in the")
    tab_to(page, "How long: how many")
    assert page.evaluate("document.activeElement.value") == "30"
    add_by_keyboard(page, "What they did")
    page.keyboard.type("report_exported")
    tab_to(page, "When")
    choose(page, "in the")
    tab_to(page, "How long: how many")
    page.keyboard.press("Control+A")
    page.keyboard.type("7")
    for _ in range(60):
        page.keyboard.press("Shift+Tab")
        if page.evaluate(_FOCUSED) == "Not: turn condition 3 into its opposite":
            break
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Not: turn condition 3 into its opposite", pressed=True).wait_for()
    settled(page)
    assert page.evaluate(_FOCUSED) == "Not: turn condition 3 into its opposite"
    add_by_keyboard(page, "What we know about their company")
    page.keyboard.type("seats")
    tab_to(page, "How it compares")
    choose(page, "is more")
    tab_to(page, "Value")
    page.keyboard.type("10")
    page.get_by_text("1 person").wait_for()
    for _ in range(150):
        page.keyboard.press("Shift+Tab")
        if page.evaluate(_FOCUSED) == "Save as a draft":
            break
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/segment/\d+/change/"))
    assert Segment.objects.get().definition == WANTED


def test_what_is_typed_while_an_answer_is_under_way_is_not_lost(page: Page, staff: Callable[[Page], Page]) -> None:
    staff(page).goto(NEW)
    row = add(page, "What they did")
    slowly = {"offline": False, "latency": 400, "downloadThroughput": -1, "uploadThroughput": -1}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slowly)
    row.get_by_label("What they did", exact=True).fill("report_exported")
    row.get_by_label("How many times").fill("4")  # while what the name brings is fetched
    page.wait_for_timeout(2_500)
    settled(page)
    assert row.get_by_label("How many times").input_value() == "4"
    assert row.get_by_text("report_exported · 16 in 30 days").is_visible()


# ── Moving ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def segment(staff: Any) -> Segment:
    now = clock.now()
    definitions.save("trial", name="Trial users", definition=WANTED["all"][0], reason="A first try.", now=now)
    return definitions.save("trial", definition=WANTED, status="live", reason="Those who decide.", now=now)


def kinds(page: Page) -> list[str]:
    return [page.locator(".s-kind").nth(n).input_value() for n in range(page.locator(".s-kind").count())]


def test_conditions_are_moved_by_buttons_and_the_focus_goes_with_them(
    page: Page, staff: Callable[[Page], Page], segment: Segment
) -> None:
    staff(page).goto(f"/admin/segments/segment/{segment.pk}/edit/")
    page.get_by_role("button", name="Move condition 4 up").focus()
    for place in (3, 2, 1):
        page.keyboard.press("Enter")
        page.wait_for_function(f"document.activeElement.id === 'press-up-{place - 1}'")
        settled(page)
    assert kinds(page) == ["account", "attribute", "event", "event"]
    page.get_by_role("button", name="Put condition 1 into a group of its own").click()
    page.get_by_role("group", name="Condition 1 1", exact=True).wait_for()
    expect(page.locator(".s-group")).to_have_count(2)


def test_conditions_are_moved_by_dragging(page: Page, staff: Callable[[Page], Page], segment: Segment) -> None:
    staff(page).goto(f"/admin/segments/segment/{segment.pk}/edit/")
    page.wait_for_load_state("networkidle")
    grip, onto = page.locator(".s-grip").nth(0).bounding_box(), page.locator(".s-row").nth(3).bounding_box()
    assert grip is not None and onto is not None
    page.mouse.move(grip["x"] + 8, grip["y"] + 8)
    page.mouse.down()
    page.mouse.move(onto["x"] + 60, onto["y"] + 10, steps=12)
    page.mouse.move(onto["x"] + 60, onto["y"] + onto["height"] - 6, steps=6)
    page.wait_for_timeout(250)
    page.mouse.up()
    page.wait_for_function("document.querySelector('.s-kind').value === 'event'")
    assert sorted(kinds(page)) == ["account", "attribute", "event", "event"]


# ── Otherwise ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_works_without_scripts(
    context: Callable[..., BrowserContext], staff: Callable[[Page], Page], segment: Segment
) -> None:
    page = staff(context(scripts=False).new_page())
    page.goto(f"/admin/segments/segment/{segment.pk}/edit/")
    page.get_by_role("button", name="Remove condition 3").click()
    page.get_by_label("Why this change").fill("Simpler.")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Save these changes").click()
    assert page.url.endswith(page_of(segment))
    segment.refresh_from_db()
    assert segment.definition == {"all": [part for part in WANTED["all"] if "not" not in part]}
    assert segment.version is not None and segment.version.reason == "Simpler."


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_every_screen_on_segments_can_be_read_and_used(
    context: Callable[..., BrowserContext],
    staff: Callable[[Page], Page],
    segment: Segment,
    faults: Callable[..., list[str]],
    width: int,
    dark: bool,
) -> None:
    page = staff(context(width=width, dark=dark).new_page())
    errors: list[str] = []
    # htmx logs it where a newer question takes the place of one under way: that is as it should be.
    quiet = ("htmx:sendAbort", "htmx:afterRequest")
    page.on(
        "console", lambda said: errors.append(said.text) if said.type == "error" and said.text not in quiet else None
    )
    here = f"/admin/segments/segment/{segment.pk}"

    def look(name: str) -> None:
        settled(page)
        errors.extend(faults(page, f"segments-{name}-{width}"))

    for name, address in SCREENS.items():
        page.goto(address.format(here=here))
        look(name)
    page.goto(f"{here}/edit/")
    page.locator("#who").fill("Ada1")
    page.locator("#who").press("Enter")
    page.get_by_text("Ada1 Byron is not in.").wait_for()
    assert "did it 4 times" in page.inner_text("#explained")
    page.get_by_role("button", name="Remove condition 3").click()
    page.get_by_text("Ada1 Byron is in.").wait_for()
    page.locator("#add-top").click()
    look("menu")
    page.keyboard.press("Escape")
    page.get_by_label("Value").first.fill("")
    page.locator(".s-still").first.wait_for()
    look("problem")
    page.get_by_label("Value").first.fill("pro")
    page.get_by_role("button", name="Save", exact=True).click()
    look("review")
    assert errors == [], "\n".join(errors)


SCREENS = {
    "new": NEW,
    "edit": "{here}/edit/",
    "list": "/admin/segments/segment/",
    "page": "{here}/change/",
    "file": "/admin/segments/segment/from-file/",
}
