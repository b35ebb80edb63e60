"""The template editor in a real browser: by mouse, by keyboard alone, without scripts, on a phone, and under attack."""
# ruff: noqa: E501 (the world of these tests, one thing a line)

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import BrowserContext, Dialog, Locator, Page, expect

from consent.models import Topic
from foundation import clock
from messaging import brands, templates
from messaging.models import Template
from profiles.models import AttributeType, EventType, Profile
from staff.models import User

NEW = "/admin/messaging/template/add/"

BLOCKS: list[dict[str, Any]] = [
    {"kind": "heading", "text": "Hello {{ profile.first_name | default: 'there' }}"},
    {"kind": "text", "text": "Your **reports** at {{ account.name | default: 'your company' }} can now be exported, and [shared](https://example.com/share)."},
    {"kind": "list", "items": ["Pick a report", "Press *Export*", "Send it to whoever waits for it"], "ordered": True},
    {"kind": "button", "text": "Export a report", "href": "https://example.com/reports"},
    {"kind": "columns", "columns": [[{"kind": "text", "text": "On the left"}], [{"kind": "image", "src": "https://example.com/a.png", "alt": "A hill"}]]},
]  # fmt: skip


@pytest.fixture
def world(live_server: Any) -> Profile:
    now = clock.now()
    brands.save(name="Acme", sender_name="Ada of Acme", postal_address="Acme Ltd\nSome Street 1", voice="Calm, short, and warm.", now=now)  # fmt: skip
    Topic.objects.create(slug="news", name="Product news", description="", purpose="", channels=["email"])
    Topic.objects.create(slug="tips", name="Tips", description="", purpose="", channels=["email"])
    seen: dict[str, Any] = {"first_seen_at": now, "last_seen_at": now}
    AttributeType.objects.create(of="profile", name="plan_name", types=["string"], samples=["Team"], volume=41, **seen)
    EventType.objects.create(name="report_exported", properties={"report": {"types": ["string"], "samples": ["Sales"]}}, **seen)  # fmt: skip
    return Profile.objects.create(external_id="ada", email="ada@example.com", first_name="Ada", **seen)


@pytest.fixture
def sign_in(world: Profile) -> Callable[[BrowserContext], None]:
    user = User.objects.create_superuser("root", email="root@acme.example", password="stone-on-stone-9")
    client = Client()
    client.force_login(user)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value

    def give(to: BrowserContext) -> None:
        to.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "domain": "127.0.0.1", "path": "/"}])

    return give


@pytest.fixture
def desk(sign_in: Callable[[BrowserContext], None], context: Callable[..., BrowserContext]) -> Callable[..., Page]:
    def open(path: str = NEW, **window: Any) -> Page:
        where = context(**window)
        sign_in(where)
        page = where.new_page()
        page.goto(path)
        return page

    return open


@pytest.fixture
def written(world: Profile) -> Template:
    now = clock.now()
    return templates.save("exports", name="Exports are here", channel="email", topic="news", subject="Your reports, {{ profile.first_name | default: 'all' }}", blocks=BLOCKS, now=now)  # fmt: skip


def box(page: Page, kind: str) -> Locator:
    return page.get_by_role("group", name=kind, exact=False).locator("visible=true").first


def test_a_template_is_made_by_mouse_seen_as_somebody_and_saved(desk: Callable[..., Page]) -> None:
    page = desk()
    page.get_by_label("Name of the template").fill("First report")
    page.get_by_label("Topic").select_option("news")
    page.get_by_label("Subject", exact=True).fill("A report, ")
    page.get_by_role("button", name="Insert a value into the subject").click()
    picker = page.get_by_role("dialog")
    picker.get_by_label("Search").fill("first")
    picker.get_by_label("If it is not known, say").fill("friend")
    picker.get_by_role("button", name="Insert", exact=True).click()
    expect(page.get_by_label("Subject", exact=True)).to_have_value(
        "A report, {{ profile.first_name | default: 'friend' }}"
    )
    page.get_by_role("button", name="Heading", exact=True).click()
    expect(page.locator("#field-k1-text-0")).to_be_focused()
    page.locator("#field-k1-text-0").fill("Well done")
    page.get_by_role("button", name="Text", exact=True).click()
    page.locator("#field-k2-text-0").fill("It is about ")
    page.get_by_role("button", name="Insert a value into text 2").click()
    picker.get_by_text("Report", exact=True).click()
    picker.get_by_label("If it is not known, say").fill("your work")
    picker.get_by_role("button", name="Insert", exact=True).click()
    page.get_by_role("button", name="List", exact=True).click()
    page.locator("#field-k3-items-0").fill("One")
    page.get_by_role("button", name="Add a point to list 3").click()
    page.locator("#field-k3-items-1").fill("Two")
    page.get_by_role("button", name="Button", exact=True).click()
    page.locator("#field-k4-text-0").fill("Open it")
    page.locator("#field-k4-href-0").fill("https://example.com/open")
    expect(page.locator("#used-field-k2-text-0")).to_contain_text("Report, else “your work”")
    # The button is dragged before the list, and that is taken back.
    drag(page, page.locator("#piece-k4 .s-grip"), page.locator("#piece-k3"))
    expect(page.locator("#board .m-box").nth(2)).to_have_id("piece-k4")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator("#board .m-kind").nth(2)).to_have_text("List")
    frame = page.frame_locator("#frame")
    expect(frame.locator("body")).to_contain_text("It is about Sales")
    page.get_by_label("See it as").fill("ada@")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("#shown .c-subject")).to_contain_text("A report, Ada")
    page.get_by_label("Phone", exact=True).check()
    page.get_by_label("Dark", exact=True).check()
    expect(page.locator(".m-stage.m-phone")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/change/")
    version = Template.objects.get().version
    assert version and version.blocks == [
        {"kind": "heading", "text": "Well done"},
        {"kind": "text", "text": "It is about {{ event.report | default: 'your work' }}"},
        {"kind": "list", "items": ["One", "Two"]},
        {"kind": "button", "text": "Open it", "href": "https://example.com/open"},
    ]


def drag(page: Page, grip: Locator, onto: Locator) -> None:
    """To the upper edge of another block, as slowly as a hand."""
    grip.scroll_into_view_if_needed()
    start = grip.bounding_box()
    assert start
    page.mouse.move(start["x"] + 8, start["y"] + 8)
    page.mouse.down()
    page.mouse.move(start["x"] + 8, start["y"] - 12, steps=6)
    end = onto.bounding_box()
    assert end
    page.mouse.move(end["x"] + 16, end["y"] + 6, steps=25)
    page.wait_for_timeout(200)
    page.mouse.move(end["x"] + 16, end["y"] + 3, steps=3)
    with page.expect_response(lambda answer: "do=move" in (answer.request.post_data or "")):
        page.mouse.up()
    page.wait_for_timeout(200)


def tab_to(page: Page, id: str, back: bool = False, most: int = 120) -> None:
    for _ in range(most):
        if page.evaluate("document.activeElement?.id") == id:
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"the keyboard does not reach {id}")


def act(page: Page, key: str = "Enter") -> None:
    """Presses a key that redraws the blocks, and waits until they are."""
    with page.expect_response(lambda answer: answer.request.method == "POST" and answer.ok):
        page.keyboard.press(key)
    page.wait_for_function("!document.querySelector('#board.htmx-request, .htmx-settling, .htmx-swapping')")


def test_a_template_is_made_by_keyboard_alone(desk: Callable[..., Page]) -> None:
    page = desk()
    page.locator("#field-name").focus()
    page.keyboard.type("By hand")
    tab_to(page, "field-topic")
    page.keyboard.type("Product")
    tab_to(page, "field-subject")
    page.keyboard.type("Hello")
    tab_to(page, "add-heading")
    act(page)
    expect(page.locator("#field-k1-text-0")).to_be_focused()
    page.keyboard.type("Welcome")
    tab_to(page, "add-text")
    act(page)
    expect(page.locator("#field-k2-text-0")).to_be_focused()
    page.keyboard.type("Dear ")
    page.keyboard.press("Shift+Tab")  # Insert, the last of the buttons above the text
    page.keyboard.press("Enter")
    expect(page.locator("#picker-search")).to_be_focused()
    page.keyboard.type("first")
    tab_to(page, "picker-default")
    page.keyboard.type("reader")
    page.keyboard.press("Enter")
    expect(page.locator("#field-k2-text-0")).to_be_focused()
    expect(page.locator("#field-k2-text-0")).to_have_value("Dear {{ profile.first_name | default: 'reader' }}")
    tab_to(page, "add-list")
    act(page)
    expect(page.locator("#field-k3-items-0")).to_be_focused()
    page.keyboard.type("One")
    act(page)  # Enter adds a point
    expect(page.locator("#field-k3-items-1")).to_be_focused()
    page.keyboard.type("Two")
    tab_to(page, "add-button")
    act(page)
    expect(page.locator("#field-k4-text-0")).to_be_focused()
    page.keyboard.type("Go")
    tab_to(page, "field-k4-href-0")
    page.keyboard.type("https://example.com/go")
    act(page, "Alt+ArrowUp")
    expect(page.locator("#press-up-k4")).to_be_focused()
    act(page)
    expect(page.locator("#board .m-kind").nth(1)).to_have_text("Button")
    tab_to(page, "press-redo", back=True)
    tab_to(page, "press-undo", back=True)
    act(page)
    expect(page.locator("#press-undo")).to_be_focused()
    expect(page.locator("#board .m-kind").nth(2)).to_have_text("Button")
    tab_to(page, "who")
    page.keyboard.type("ada")
    page.keyboard.press("Enter")
    expect(page.frame_locator("#frame").locator("body")).to_contain_text("Dear Ada")
    tab_to(page, "press-save", back=True)
    page.keyboard.press("Enter")
    page.wait_for_url("**/change/")
    version = Template.objects.get().version
    assert version and [block["kind"] for block in version.blocks] == ["heading", "text", "button", "list"]
    assert version.template.topic.slug == "news"


def test_it_works_without_scripts(desk: Callable[..., Page]) -> None:
    page = desk(scripts=False)
    page.get_by_label("Name of the template").fill("Plain")
    page.get_by_label("Topic").select_option("news")
    page.get_by_label("Subject", exact=True).fill("Plain")
    page.get_by_role("button", name="Text", exact=True).click()
    page.locator("#field-k1-text-0").fill("Words")
    page.get_by_role("button", name="Divider", exact=True).click()
    page.get_by_role("button", name="Move divider 2 up").click()
    page.get_by_role("button", name="Show it again").click()
    assert "Words" in (page.locator("#frame").get_attribute("srcdoc") or "")
    page.get_by_role("button", name="Save", exact=True).click()
    version = Template.objects.get().version
    assert version and [block["kind"] for block in version.blocks] == ["divider", "text"]


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_it_reads_well_and_is_accessible(
    width: int, dark: bool, written: Template, desk: Callable[..., Page], faults: Callable[..., list[str]]
) -> None:  # fmt: skip
    templates.save("exports", name="Exports are here", channel="email", topic="news", subject="Your reports", reason="Shorter", blocks=[*BLOCKS[:1], {**BLOCKS[1], "text": "Your reports can now be exported as PDF."}, *BLOCKS[3:]], now=clock.now())  # fmt: skip
    path = reverse("admin:messaging_template_edit", args=[written.pk])
    page = desk(f"{path}?language=de" if dark else path, width=width, dark=dark)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)

    def look_at(name: str) -> None:
        assert faults(page, f"editor-{name}-{width}") == []

    look_at("opened")
    page.locator("#field-k2-text-0").fill("Dear {{ profile.plan_name }}, [see](javascript:alert(1))")
    page.get_by_role("button", name="Image", exact=True).click()
    expect(page.locator("#shown")).to_contain_text("to mend")
    look_at("to-mend")
    page.locator("[data-insert='field-subject']").click()
    look_at("picker")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("mend what is marked")
    look_at("refused")
    page.goto(reverse("admin:messaging_template_versions", args=[written.pk]))
    look_at("versions")
    page.goto(NEW)
    look_at("new")
    assert [one for one in errors if "img-src" not in one] == []


def test_xs_01_hostile_words_break_neither_the_page_nor_the_frame(desk: Callable[..., Page]) -> None:
    page = desk()
    dialogs: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    harm = "</textarea></iframe><script>alert(1)</script><img src='https://evil.example/x' onerror=alert(2)><svg onload=alert(3)>"
    page.locator("#field-subject").fill(harm)
    page.get_by_role("button", name="Text", exact=True).click()
    page.locator("#field-k1-text-0").fill(f"{harm} [go](javascript:alert(4)) {{{{ '<script>alert(5)</script>' }}}}")
    page.get_by_role("button", name="Button", exact=True).click()
    page.locator("#field-k2-text-0").fill(harm)
    page.locator("#field-k2-href-0").fill("javascript:alert(6)")
    expect(page.locator("#notes-k2")).to_contain_text("Begin it with https://")
    expect(page.locator("#notes-k1")).to_contain_text("leads nowhere")
    page.locator("#field-k1-text-0").fill(f"{harm} {{{{ '<script>alert(5)</script>' }}}}")
    expect(page.frame_locator("#frame").locator("body")).to_contain_text("<script>alert(5)")
    page.get_by_role("button", name="Duplicate text 1").click()
    expect(page.locator("#board .m-box")).to_have_count(3)
    page.get_by_label("Name of the template").fill(harm)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert dialogs == []
    assert [url for url in asked if "evil" in url] == []
