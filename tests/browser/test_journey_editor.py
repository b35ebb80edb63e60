"""The journey editor as staff use it: by mouse, by keyboard alone, on a phone, two at once, and on a lost line."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect

from consent import topics
from foundation import clock
from journeys import publishing
from journeys.editor import shape
from journeys.models import Journey
from messaging import templates
from profiles import catalogue, ingest
from profiles.ingest import Trust
from staff.models import User

WANTED: dict[str, Any] = {
    "entry": {"trigger": {"kind": "event", "name": "signed_up"}},
    "goal": {"condition": {"kind": "event", "name": "report_exported"}, "within": {"days": 14}, "exit": True},
    "steps": [
        {"key": "message", "kind": "message", "channel": "email", "template": "hello"},
        {"key": "wait", "kind": "wait", "for": {"days": 3}},
        {
            "key": "branch",
            "kind": "branch",
            "arms": [
                {"key": "yes", "when": {"kind": "event", "name": "feature_used"}, "steps": []},
                {
                    "key": "no",
                    "label": "Everyone else",
                    "steps": [{"key": "message-2", "kind": "message", "channel": "email", "template": "help"}],
                },
            ],
        },
    ],
}


@pytest.fixture
def staff(live_server: Any) -> Iterator[Callable[..., Page]]:
    """Signs a page in as somebody who may do everything; there are templates, and events that people did."""
    now = clock.now()
    topics.save(
        "product",
        name="Product news",
        description="What is new.",
        purpose="To help.",
        basis="legitimate_interest",
        channels=["email"],
        now=now,
    )
    for slug, name in (("hello", "Hello there"), ("help", "A helping hand")):
        blocks = [{"kind": "text", "text": "Good to have you."}]
        templates.save(slug, name=name, channel="email", topic="product", subject=name, blocks=blocks, now=now)
    names = ("signed_up", "feature_used", "report_exported")
    ada = {"type": "identify", "userId": "ada", "traits": {"email": "ada@example.com"}}
    did = [{"type": "track", "userId": "ada", "event": name} for name in names]
    ingest.take([ada, *did], source="key x", trust=Trust.SERVER, now=now)
    catalogue.observe(now)
    errors: list[str] = []

    def sign_in(page: Page, name: str = "olga") -> Page:
        client = Client()
        client.force_login(User.objects.create_superuser(name, password="x"))
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield sign_in
    assert errors == []


def begun(**parts: Any) -> Journey:
    document = {**shape.empty(), **parts}
    return publishing.begin("welcome", name="Welcome", document=document, now=clock.now())


def address(journey: Journey, at: str = "") -> str:
    return f"/admin/journeys/journey/{journey.pk}/edit/{f'?at={at}' if at else ''}"


def draft(slug: str = "welcome") -> Any:
    version = publishing.draft_of(Journey.objects.get(slug=slug))
    return version.document if version else None


def said(page: Page, words: str | re.Pattern[str]) -> None:
    """Until the page has told so, to whoever hears it."""
    expect(page.locator("#announce")).to_contain_text(words)


def put_in(page: Page, at: str, kind: str) -> None:
    page.locator(at).click()
    page.locator("#palette").get_by_role("button", name=kind).click()
    said(page, "Put in")
    expect(page.locator("#palette")).to_be_hidden()


def save(page: Page) -> None:
    page.locator("#save").click()
    expect(page.locator("#form-state")).to_contain_text("Saved")


def condition(page: Page, event: str) -> None:
    """Says in the builder that somebody did this."""
    page.locator("#add-top").click()
    page.get_by_role("button", name="What they did", exact=True).click()
    page.get_by_role("combobox", name="What they did", exact=True).fill(event)


# ── By mouse ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_onboarding_journey_is_built_by_mouse_and_published(page: Page, staff: Callable[..., Page]) -> None:
    staff(page).goto("/admin/journeys/journey/add/")
    page.get_by_label("Name").fill("Welcome")
    page.get_by_role("button", name="Draw it").click()
    page.locator("#part-trigger").click()
    page.get_by_role("button", name="Somebody does something").click()
    page.get_by_role("combobox", name="What they do").fill("signed_up")
    save(page)
    put_in(page, "#plus-", "Send a message")
    page.get_by_label("Template").select_option("Hello there")
    expect(page.locator("#saying")).to_contain_text("1 of 1 may get it by email")
    save(page)
    put_in(page, "#plus-after-message", "Wait Waits for a while")
    page.get_by_label("For: how many").fill("3")
    save(page)
    put_in(page, "#plus-after-wait", "Part ways")
    page.locator("#way-branch_2f_yes .j-way-said").click()
    condition(page, "feature_used")
    save(page)
    put_in(page, "#plus-branch_2f_no", "Send a message")
    page.get_by_label("Template").select_option("A helping hand")
    save(page)
    page.locator("#part-goal").click()
    condition(page, "report_exported")
    page.get_by_label("Counts within: how many").fill("14")
    save(page)
    assert draft() == WANTED
    expect(page.locator("#paragraph")).to_contain_text("When somebody does “Signed up”, send Hello there by email.")
    # Dragged, and taken back; all in view, since a mouse that drags does not scroll here.
    page.set_viewport_size({"width": 1280, "height": 1500})
    page.locator("#card-message").drag_to(page.locator("#plus-after-branch"))
    said(page, "Moved “Send Hello there by email”.")
    assert [step["key"] for step in draft()["steps"]] == ["wait", "branch", "message"]
    page.locator("#undo").click()
    said(page, "Took back")
    assert draft() == WANTED
    page.get_by_role("link", name="Check and publish").click()
    expect(page.get_by_role("heading", name="Nothing stands in its way")).to_be_visible()
    expect(page.locator("#backtest")).to_contain_text("Would have entered")
    page.get_by_role("button", name="Publish it").click()
    page.wait_for_url(re.compile(r"/journey/\d+/change/"))
    journey = Journey.objects.get()
    assert (journey.status, journey.version and journey.version.document) == ("live", WANTED)


# ── By keyboard ──────────────────────────────────────────────────────────────────────────────────────────────────────
_FOCUSED = """() => {
  const at = document.activeElement;
  const label = at.labels?.[0]?.textContent;
  const own = at.cloneNode(true);
  own.querySelectorAll("[aria-hidden]").forEach((one) => one.remove());
  return (at.getAttribute("aria-label") || label || own.textContent || "").trim();
}"""


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def tab_to(page: Page, name: str, key: str = "Tab") -> None:
    """Presses Tab until what has the focus is called so, once nothing is under way."""
    page.wait_for_function("!document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")
    for _ in range(80):
        if re.match(name, page.evaluate(_FOCUSED)):
            return
        page.keyboard.press(key)
    raise AssertionError(f"nothing called {name!r} is reached")


def focused(page: Page, id: str) -> None:
    expect(page.locator(f"[id='{id}']")).to_be_focused()


def keep(page: Page, card: str) -> None:
    """Saves what is open, closes it, and is back at its card."""
    press(page, "Control+Enter")
    expect(page.locator("#form-state")).to_contain_text("Saved")
    press(page, "Escape")
    expect(page.locator("#panel-form")).to_have_count(0)
    page.locator(f"[id='{card}']").focus()


def choose(page: Page, words: str) -> None:
    """Chooses in the palette by typing."""
    focused(page, "palette-search")
    page.keyboard.type(words)
    press(page, "Enter")
    said(page, "Put in")
    expect(page.locator("#panel-form")).to_be_visible()


def test_an_onboarding_journey_is_built_by_keyboard_alone(page: Page, staff: Callable[..., Page]) -> None:
    journey = begun()
    staff(page).goto(address(journey))
    tab_to(page, "Starts when")
    press(page, "Enter")
    expect(page.locator("#panel-title")).to_have_text("What starts it")
    tab_to(page, "Somebody does something")
    press(page, "Enter")
    expect(page.locator("#panel-form")).to_be_visible()
    tab_to(page, "What they do")
    page.keyboard.type("signed_up")
    keep(page, "part-trigger")
    press(page, "+")
    choose(page, "e-mail")
    tab_to(page, "Template")
    page.keyboard.type("Hello")
    keep(page, "card-message")
    press(page, "+")
    choose(page, "wait while")
    tab_to(page, "For: how many")
    press(page, "Control+A")
    page.keyboard.type("3")
    keep(page, "card-wait")
    press(page, "+")
    choose(page, "condition")
    keep(page, "card-branch")
    press(page, "ArrowDown", "Enter")
    expect(page.locator("#add-top")).to_be_visible()
    tab_to(page, "Add a condition")
    press(page, "Enter")
    tab_to(page, "What they did")
    press(page, "Enter")
    expect(page.get_by_role("combobox", name="What they did", exact=True)).to_be_focused()
    page.keyboard.type("feature_used")
    press(page, "Control+Enter")
    expect(page.locator("#form-state")).to_contain_text("Saved")
    press(page, "Escape")
    expect(page.locator("#panel-form")).to_have_count(0)
    page.locator("#card-branch").focus()
    press(page, "ArrowRight", "ArrowRight", "+")
    choose(page, "e-mail")
    tab_to(page, "Template")
    page.keyboard.type("A helping")
    keep(page, "card-message-2")
    assert draft()["steps"] == WANTED["steps"]
    # Moved, duplicated, cut and put in elsewhere, taken out, and all of it taken back.
    press(page, "Alt+ArrowUp")
    said(page, "Moved")
    focused(page, "card-message-2")
    assert [step["key"] for step in draft()["steps"]] == ["message", "wait", "message-2", "branch"]
    press(page, "d")
    focused(page, "card-message-3")
    press(page, "Control+x")
    said(page, "Took out")
    page.locator("#card-message").focus()
    press(page, "Control+v")
    focused(page, "card-message-3")
    assert [step["key"] for step in draft()["steps"]][:2] == ["message", "message-3"]
    press(page, "Delete")
    said(page, "Took out")
    for _ in range(5):
        before = page.locator("#revision").input_value()
        press(page, "Control+z")
        expect(page.locator("#revision")).not_to_have_value(before)
    assert draft()["steps"] == WANTED["steps"]
    press(page, "?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    press(page, "Escape")


# ── On a phone ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_journey_is_built_at_the_width_of_a_phone(
    context: Callable[..., BrowserContext],
    staff: Callable[..., Page],
    faults: Callable[..., list[str]],
) -> None:
    journey = begun()
    page = staff(context(width=390, height=844, dark=True).new_page())
    page.goto(address(journey))
    put_in(page, "#plus-", "Send a message")
    page.get_by_label("Template").select_option("Hello there")
    save(page)
    assert faults(page, "journey-phone-panel") == []
    page.locator("#close").click()
    put_in(page, "#plus-after-message", "Split by chance")
    page.get_by_label("Share").first.fill("70")
    save(page)
    page.locator("#close").click()
    put_in(page, "#plus-split_2f_b", "Wait Waits for a while")
    save(page)
    page.locator("#act-up").click()
    said(page, "Moved")
    page.locator("#close").click()
    assert faults(page, "journey-phone") == []
    assert [step["key"] for step in draft()["steps"]] == ["message", "wait", "split"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


# ── Two at once, and a lost line ─────────────────────────────────────────────────────────────────────────────────────
def test_two_people_see_each_other_and_neither_overwrites(
    context: Callable[..., BrowserContext], staff: Callable[..., Page]
) -> None:
    journey = begun(**WANTED)
    ada, ben = staff(context().new_page(), "ada"), staff(context().new_page(), "ben")
    ada.goto(address(journey))
    ben.goto(address(journey))
    ada.evaluate("htmx.trigger('#pulse', 'pulse')")
    expect(ada.locator("#others")).to_contain_text("ben is here too")
    # Both open the wait; what each does elsewhere is brought together.
    for page in (ada, ben):
        page.locator("#card-wait").click()
        expect(page.get_by_label("For: how many")).to_be_visible()
    ada.get_by_label("For: how many").fill("5")
    save(ada)
    ben.evaluate("htmx.trigger('#pulse', 'pulse')")
    expect(ben.locator("#card-wait")).to_contain_text("Wait for 5 days")
    ben.get_by_label("For: how many").fill("9")
    ben.locator("#save").click()
    expect(ben.get_by_role("heading", name="ada changed the same meanwhile.")).to_be_visible()
    expect(ben.locator("#clash")).to_contain_text("Wait for 5 days")
    expect(ben.locator("#clash")).to_contain_text("Wait for 9 days")
    assert ben.get_by_label("For: how many").input_value() == "9"
    assert draft()["steps"][1]["for"] == {"days": 5}
    ben.get_by_role("button", name="Save mine over theirs").click()
    expect(ben.locator("#form-state")).to_contain_text("Saved")
    assert draft()["steps"][1]["for"] == {"days": 9}
    # Ada still has the flow of before; her step in another place stays beside his.
    put_in(ada, "#plus-branch_2f_yes", "Leave the journey")
    expect(ada.locator("#card-wait")).to_contain_text("Wait for 9 days")
    assert shape.find(draft(), "exit").list == "branch/yes"


@pytest.mark.fails_on_purpose
def test_on_a_lost_line_nothing_typed_is_lost_and_it_goes_through_later(page: Page, staff: Callable[..., Page]) -> None:
    journey = begun(**WANTED)
    staff(page).goto(address(journey, "step/wait"))
    page.get_by_label("For: how many").fill("6")
    page.context.set_offline(True)
    page.locator("#save").click()
    expect(page.get_by_role("alert").first).to_contain_text("The connection is lost. Nothing is lost")
    assert page.get_by_label("For: how many").input_value() == "6"
    assert draft()["steps"][1]["for"] == {"days": 3}
    page.context.set_offline(False)
    page.locator("#again").click()
    expect(page.locator("#form-state")).to_contain_text("Saved")
    assert draft()["steps"][1]["for"] == {"days": 6}
    page.route("**/edit/panel/**", lambda route: route.fulfill(status=500, body="no"))
    page.get_by_label("For: how many").fill("7")
    page.locator("#save").click()
    expect(page.get_by_role("alert").first).to_contain_text("The server could not do that just now.")
    page.unroute("**/edit/panel/**")
    # To go on elsewhere keeps what is open first.
    page.locator("#card-branch").click()
    expect(page.locator("#panel-title")).to_have_text("Part ways")
    assert draft()["steps"][1]["for"] == {"days": 7}


# ── Long, and with ugly names ────────────────────────────────────────────────────────────────────────────────────────
UGLY = "ÜberauslangerundzusammengeschriebenerNamederkeinEndenimmtundnirgendsgetrenntwerdenkann"


def long() -> dict[str, Any]:
    steps: list[Any] = []
    for number in range(4):
        label = {1: UGLY, 2: "שלום לך וברוכים הבאים"}.get(number, "")
        steps += [
            {**WANTED["steps"][0], "key": f"m{number}", "note": "زر الصفحة", **({"label": label} if label else {})},
            {
                "key": f"b{number}",
                "kind": "branch",
                "arms": [
                    {"key": "yes", "when": {"kind": "event", "name": "feature_used"}, "steps": []},
                    {"key": "no", "label": UGLY, "steps": [{"key": f"w{number}", "kind": "wait", "for": {"days": 2}}]},
                ],
            },
        ]
    return {**WANTED, "steps": steps}


@pytest.mark.parametrize(
    ("width", "dark", "names"), [(1280, False, ["edit", "versions"]), (390, True, ["edit", "check", "live"])]
)
def test_the_pages_of_a_long_journey_are_clean_to_axe_and_no_wider_than_the_window(
    context: Callable[..., BrowserContext],
    staff: Callable[..., Page],
    faults: Callable[..., list[str]],
    width: int,
    dark: bool,
    names: list[str],
) -> None:
    journey = publishing.begin("welcome", name=f"ברוכים {UGLY} {UGLY}", document=long(), now=clock.now())
    page = staff(context(width=width, dark=dark).new_page())
    pages = {
        "edit": address(journey, "way/b0/yes"),
        "check": f"/admin/journeys/journey/{journey.pk}/check/",
        "versions": f"/admin/journeys/journey/{journey.pk}/versions/",
        "live": f"/admin/journeys/journey/{journey.pk}/change/",
    }
    for name in names:
        if name in ("live", "versions"):
            publishing.publish("welcome", now=clock.now())
            fewer = {**long(), "steps": long()["steps"][1:]}
            publishing.save("welcome", name=journey.name, document=fewer, now=clock.now())
        page.goto(pages[name])
        assert faults(page, f"journey-{name}-{width}") == []


# ── What a message says ──────────────────────────────────────────────────────────────────────────────────────────────
def test_a_message_is_chosen_written_and_mended_without_leaving_the_journey(
    page: Page, staff: Callable[..., Page], violations: Callable[..., list[str]], shot: Callable[[Page, str], None]
) -> None:
    journey = begun(**{**WANTED, "steps": [{"key": "message", "kind": "message"}]})
    staff(page).goto(address(journey, "step/message"))
    page.get_by_role("button", name="Look through templates").click()
    chooser = page.get_by_role("dialog", name="Choose what it says")
    expect(chooser.get_by_label("Find a template")).to_be_focused()
    page.keyboard.type("helping product")
    expect(chooser.locator("[data-look]")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(chooser.get_by_role("region", name="How it reads")).to_contain_text("1 of 1 may get it by email")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        shot(page, f"journey-templates-{width}")
        assert violations(page) == [], width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 1280, "height": 800})
    chooser.get_by_role("button", name="Use it").click()
    expect(page.locator("#saying")).to_contain_text("Topic: Product news")
    save(page)
    assert draft()["steps"][0] == {"key": "message", "kind": "message", "channel": "email", "template": "help"}
    # One like it, under another name, in the editor of templates itself.
    page.get_by_role("button", name="Look at others").click()
    chooser.get_by_role("link", name="Write one like it").click()
    inside = page.frame_locator("#writing-frame")
    expect(inside.get_by_label("Name of the template")).to_have_value("A helping hand (copy)")
    inside.get_by_label("Name of the template").fill("Ours")
    inside.get_by_label("Subject", exact=True).fill("How is it going?")
    shot(page, "journey-writing-1280")
    inside.get_by_role("button", name="Save", exact=True).click()
    said(page, "“Ours” is saved as version 1")
    expect(page.get_by_label("Template", exact=True)).to_have_value("ours")
    expect(page.locator("#saying")).to_contain_text("How is it going?")
    save(page)
    assert draft()["steps"][0]["template"] == "ours"
    # Mended where it stands; what is not saved is asked about before it is left.
    page.get_by_role("link", name="Edit it").click()
    page.wait_for_function("document.getElementById('writing-frame').contentWindow.cairnUnsaved === false")
    inside.get_by_label("Subject", exact=True).fill("How are you?")
    page.once("dialog", lambda dialog: dialog.dismiss())
    with page.expect_event("dialog") as asked:
        inside.get_by_role("link", name="Cancel").click()
    assert asked.value.message == "Leave without saving what you wrote?"
    expect(page.locator("#writing-dialog")).to_be_visible()
    inside.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#saying")).to_contain_text("How are you?")
    expect(page.locator("#writing-dialog")).to_be_hidden()


def test_an_answer_that_was_overtaken_by_another_draws_nothing_twice(page: Page, staff: Callable[..., Page]) -> None:
    journey = begun(**WANTED)
    staff(page).goto(address(journey))
    # The pulse is answered before a step is put in, or with it, and comes in afterwards.
    held: list[Any] = []
    page.route("**/edit/pulse/**", lambda route: route.continue_() if held else held.append(route))
    page.evaluate("htmx.trigger('#pulse', 'pulse')")
    page.wait_for_function("document.querySelector('#pulse').classList.contains('htmx-request')")
    put_in(page, "#plus-after-message", "Leave the journey")
    with page.expect_response("**/edit/pulse/**"):
        held[0].continue_()
    page.wait_for_function("!document.querySelector('#pulse').classList.contains('htmx-request')")
    expect(page.locator("[id='card-exit']")).to_have_count(1)
    # So does another step, while the answer to the first is on its way.
    page.locator("#card-wait").focus()
    page.keyboard.press("d")
    page.keyboard.press("d")
    expect(page.locator("[id^='card-wait']")).to_have_count(3)
    page.wait_for_function("!document.querySelector('.htmx-request')")
    expect(page.locator("[id='card-wait-2']")).to_have_count(1)
