"""The customer's pages as people meet them: no script, by keyboard, on a small telephone, in the dark."""

import itertools
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from consent import ledger, links, preferences, states, suppression
from consent.ledger import Choice
from consent.models import ConsentRecord, Suppression, Topic
from foundation import clock, registry
from profiles.models import Profile

Open = Callable[..., BrowserContext]
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"


@pytest.fixture
def topics(live_server: Any) -> None:
    """What there is to choose."""
    needs_yes, until_no, needed = "consent", "soft_opt_in", "contract"
    topics = [
        ("news", "Product news", "What is new, about once a month.", needs_yes, ["email", "in_app"]),
        ("tips", "Tips for your team", "Ideas from other teams, when they fit what you do.", until_no, ["email"]),
        ("events", "Events near you", "Invitations to meet us and others who use it.", needs_yes, ["email", "sms"]),
        ("receipts", "Receipts", "Your invoices and payments.", needed, ["email"]),
    ]
    for slug, name, description, basis, channels in topics:
        Topic.objects.create(
            slug=slug,
            name=name,
            description=description,
            purpose="We send it so that you get more out of what you pay for.",
            basis=basis,
            transactional=basis == needed,
            channels=channels,
        )


@pytest.fixture
def somebody(topics: None, person: Callable[..., Profile]) -> Callable[[str], Profile]:
    """People who have three topics before them and have chosen in some."""

    def somebody(name: str) -> Profile:
        now = clock.now()
        one = person(
            name,
            email=f"{name}@example.com",
            first_name="Ada",
            last_name="Lovelace",
            timezone="Europe/Berlin",
            locale="en",
            attributes={"plan": "pro", "seats": 12, "role": "engineer"},
            seen=now - timedelta(days=200),
        )
        decide(one, "news", "granted", at=now - timedelta(days=120))
        decide(one, "events", "denied", at=now - timedelta(days=20), source=ConsentRecord.Source.ONE_CLICK)
        return one

    return somebody


@pytest.fixture
def ada(somebody: Callable[[str], Profile]) -> Profile:
    return somebody("ada")


def decide(profile: Profile, topic: str, state: str, channel: str = "email", **fields: Any) -> None:
    at = fields.pop("at", None) or clock.now()
    fields = {"source": ConsentRecord.Source.PAGE, **fields}
    ledger.record(
        [Choice(profile_id=profile.id, topic=topic, channel=channel, state=state, occurred_at=at, **fields)],
        now=clock.now(),
    )


def state_of(profile: Profile, topic: str, channel: str = "email") -> str | None:
    found = states.of([profile.id], topic, channel).get(profile.id)
    return found.state if found else None


def tab_to(page: Page, name: str, limit: int = 80) -> None:
    """Goes on by the Tab key until the element of that name has the focus."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => { const e = document.activeElement, group = e.closest('.choice')?.querySelector('legend');
            return [group, e.labels?.[0] ?? e].map(each => each?.textContent.trim()).filter(Boolean).join(' ') }"""
        )
        if focused.startswith(name):
            return
    pytest.fail(f"the keyboard does not reach {name}")


# ── Every state, light and wide or dark and narrow ───────────────────────────────────────────────────────────────────

# States that show the same controls stand beside each other, so that each control is looked at both ways.
STATES = (
    "as it is", "new", "saved", "refused", "paused", "stopped", "stale", "blocked", "old link", "too old",
    "unsubscribe", "unsubscribed", "undone", "reduced", "erase", "garbage", "preview", "expired", "young",
)  # fmt: skip


def arrange(page: Page, ada: Profile, state: str) -> None:
    """Brings the page into a state, as a person would."""
    now = clock.now()
    url = links.preferences_url(ada, now)
    way_out = links.unsubscribe_url(ada, "news", "email", uuid4())
    match state:
        case "new":
            url = links.preferences_url(Profile.objects.create(first_seen_at=now, last_seen_at=now))
        case "expired":
            decide(ada, "tips", "granted", at=now - timedelta(days=9), expires_at=now - timedelta(days=1))
        case "young":
            Topic.objects.filter(slug="news").update(min_age=16)
        case "paused":
            preferences.save(ada.id, now=now, paused_until=now + timedelta(days=30))
        case "blocked":
            suppression.add("email", str(ada.email), Suppression.Reason.HARD_BOUNCE, now, Suppression.Scope.ALL)
        case "old link" | "too old":
            url = links.preferences_url(ada, now - timedelta(days=3 if state == "old link" else 100))
        case "unsubscribe" | "unsubscribed" | "undone" | "reduced":
            url = way_out
        case "garbage":
            url = way_out.replace("unsubscribe/", "unsubscribe/x")
        case "preview":
            url = links.inert_urls("news", "email")["unsubscribe"]
    page.goto(url)
    match state:
        case "saved":
            page.get_by_label("No", exact=True).first.check()
            page.get_by_label("How often").select_option("less")
            page.get_by_role("button", name="Save").click()
        case "young":
            page.get_by_role("group", name="Product news: In the app").get_by_label("Yes").check()
            page.get_by_role("button", name="Save").click()
        case "refused":
            page.get_by_label("From").fill("09:00")
            page.get_by_role("button", name="Save").click()
        case "stopped":
            page.get_by_role("button", name="Stop everything").click()
        case "stale":
            decide(ada, "news", "denied")
            page.get_by_role("button", name="Save").click()
        case "unsubscribed" | "undone":
            page.get_by_role("button", name="Unsubscribe").click()
            if state == "undone":
                page.get_by_role("button", name="Undo").click()
        case "reduced":
            page.get_by_role("link", name="See all you can choose").click()
        case "erase":
            page.get_by_role("link", name="Erase everything").click()


@pytest.mark.parametrize("dark", [False, True])
def test_PP21_axe_finds_nothing_in_any_state(
    context: Open,
    somebody: Callable[[str], Profile],
    violations: Callable[[Page], list[str]],
    shot: Callable[[Page, str], None],
    dark: bool,
) -> None:
    width, height = (320, 640) if dark else (1280, 800)
    found = {}
    for place, state in enumerate(STATES):
        if place % 2 != dark:
            continue
        page = context(width=width, height=height, dark=dark).new_page()
        arrange(page, somebody(f"ada{place}"), state)
        shot(page, f"{state.replace(' ', '-')}-{'dark' if dark else 'light'}-{width}")
        found[state] = violations(page)
        for each in (1280, 320):
            page.set_viewport_size({"width": each, "height": height})
            if page.evaluate("document.documentElement.scrollWidth") > each:
                found[state].append(f"it scrolls sideways at {each}")
        page.context.close()
    assert not {state: wrong for state, wrong in found.items() if wrong}


def test_PP08_the_page_stands_in_every_language_and_from_right_to_left(
    context: Open, ada: Profile, violations: Callable[[Page], list[str]], shot: Callable[[Page, str], None]
) -> None:
    page = context(width=320, height=640).new_page()
    for language in ("de", "fr", "es"):
        preferences.save(ada.id, now=clock.now(), language=language)
        page.goto(links.preferences_url(ada))
        shot(page, f"language-{language}")
        assert page.locator("html").get_attribute("lang") == language
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert violations(page) == []
    page.evaluate("document.documentElement.dir = 'rtl'")
    shot(page, "right-to-left")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    # What leads in the line begins at the other edge: the questions, and the buttons below.
    edges = page.evaluate(
        """() => ['.choice legend', '.topic', 'h1', '.bar .button'].map(name => {
        const all = document.querySelector(name), range = document.createRange(); range.selectNodeContents(all);
        return [all, range].map(each => each.getBoundingClientRect().right) })"""
    )
    right = max(outer for outer, _ in edges)
    assert right > 290
    assert edges[2][1] > 290  # the heading's text itself
    save, stop = (page.locator(f".bar [value={name}]").bounding_box() for name in ("save", "stop"))
    assert save
    assert stop
    assert save["x"] > stop["x"] or save["y"] < stop["y"]


# ── Without script, by keyboard ──────────────────────────────────────────────────────────────────────────────────────


def test_PP20_everything_works_without_script(context: Open, ada: Profile) -> None:
    page = context(scripts=False).new_page()
    page.goto(links.preferences_url(ada))
    page.get_by_role("group", name="Product news: Email").get_by_label("No").check()
    page.get_by_role("group", name="Events near you: Email").get_by_label("Yes").check()
    page.get_by_label("How often").select_option("less")
    page.get_by_label("Take a break").select_option("month")
    page.get_by_label("From").fill("09:00")
    page.get_by_label("To", exact=True).fill("17:30")
    page.get_by_label("Your time zone").select_option("Asia/Tokyo")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Product news (Email): No")
    assert (state_of(ada, "news"), state_of(ada, "events")) == ("denied", "granted")
    wish = preferences.of([ada.id])[ada.id]
    assert (wish.intensity, wish.time_zone, str(wish.hours_to)) == ("less", "Asia/Tokyo", "17:30:00")
    assert wish.paused_until is not None
    page.get_by_role("button", name="Undo").click()
    assert (state_of(ada, "news"), state_of(ada, "events")) == ("granted", "denied")
    assert preferences.of([ada.id])[ada.id].paused_until is None
    page.get_by_role("button", name="Stop everything").click()
    expect(page.get_by_role("status")).to_contain_text("Everything is stopped.")
    assert state_of(ada, "news") == "denied"


def test_the_day_of_a_pause_is_asked_for_when_one_is_to_be_named(context: Open, ada: Profile) -> None:
    page = context(scripts=False).new_page()
    page.goto(links.preferences_url(ada))
    expect(page.get_by_label("Until the day")).to_be_hidden()
    page.get_by_label("Take a break").select_option("date")
    day = (clock.now() + timedelta(days=60)).date()
    page.get_by_label("Until the day").fill(day.isoformat())
    page.get_by_role("button", name="Save").click()
    until = preferences.of([ada.id])[ada.id].paused_until
    assert until
    assert until.astimezone(ZoneInfo("Europe/Berlin")) == datetime(
        day.year, day.month, day.day, tzinfo=ZoneInfo("Europe/Berlin")
    )


def test_CO03_from_the_message_to_the_end_of_it_is_one_click_and_one_button(context: Open, ada: Profile) -> None:
    page = context(scripts=False).new_page()
    page.goto(links.unsubscribe_url(ada, "news", "email", None))
    page.get_by_role("button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are unsubscribed")
    assert state_of(ada, "news") == "denied"
    page.get_by_role("button", name="Keep it, but less often").click()
    assert state_of(ada, "news") == "granted"
    assert preferences.of([ada.id])[ada.id].intensity == "less"


def test_PP21_the_keyboard_reaches_everything_and_sees_where_it_is(context: Open, ada: Profile) -> None:
    page = context(height=640).new_page()
    page.goto(links.preferences_url(ada))
    stops = ("Events near you: Email No", "How often", "Take a break", "Save", "Stop everything", "Download", "Erase")
    for name in stops:
        tab_to(page, name)
        box = page.evaluate(
            """() => { const e = document.activeElement, r = e.getBoundingClientRect();
            const style = getComputedStyle(e.closest('.answer') ?? e);
            const seen = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
            return {outline: parseFloat(style.outlineWidth), seen: e.contains(seen) || !!seen?.contains(e)}; }"""
        )
        assert box["outline"] >= 2, name
        assert box["seen"], f"{name} is behind something (WCAG 2.4.11)"


def test_PP21_the_keyboard_alone_can_say_no_and_stop_everything(context: Open, ada: Profile) -> None:
    page = context(scripts=True).new_page()
    page.goto(links.preferences_url(ada))
    tab_to(page, "Product news: Email Yes")
    page.keyboard.press("ArrowRight")
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Product news (Email): No")
    assert state_of(ada, "news") == "denied"
    tab_to(page, "Stop everything")
    page.keyboard.press("Space")
    expect(page.get_by_role("status")).to_contain_text("Everything is stopped.")


def test_the_enter_key_in_a_field_saves_and_does_nothing_else(context: Open, ada: Profile) -> None:
    preferences.save(ada.id, now=clock.now(), paused_until=clock.now() + timedelta(days=30))
    page = context(scripts=False).new_page()
    page.goto(links.preferences_url(ada))
    page.get_by_label("How often").select_option("less")
    page.get_by_label("From").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Less often")
    wish = preferences.of([ada.id])[ada.id]
    assert wish.paused_until is not None
    assert state_of(ada, "news") == "granted"


# ── Weight and size ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_PP03_stopping_everything_is_in_sight_and_weighs_as_much_as_saving(context: Open, ada: Profile) -> None:
    for width, height, dark in ((320, 640, True), (1280, 800, False)):
        page = context(width=width, height=height, dark=dark, scripts=True).new_page()
        page.goto(links.preferences_url(ada))
        save, stop = (page.get_by_role("button", name=name) for name in ("Save", "Stop everything"))
        boxes = [box for button in (save, stop) if (box := button.bounding_box())]
        assert len(boxes) == 2
        for box in boxes:
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= height
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        assert abs(boxes[0]["width"] - boxes[1]["width"]) < 2
        assert abs(boxes[0]["height"] - boxes[1]["height"]) < 2
        looks = """e => { const s = getComputedStyle(e);
            return [s.fontSize, s.fontWeight, s.backgroundColor !== 'rgba(0, 0, 0, 0)'] }"""
        assert save.evaluate(looks) == stop.evaluate(looks)


def test_PP21_targets_are_large_enough_for_a_finger(context: Open, ada: Profile) -> None:
    page = context(width=320, height=640).new_page()
    page.goto(links.preferences_url(ada))
    small = page.evaluate(
        """() => [...document.querySelectorAll('a, button, select, .answer, input:is([type=date], [type=time])')]
        .map(e => [e.textContent.trim().slice(0, 30), e.getBoundingClientRect()])
        .filter(([, r]) => r.width && (r.width < 24 || r.height < 24)).map(([text]) => text)"""
    )
    assert small == []


def test_PP21_text_can_be_twice_as_large_and_spaced_out(context: Open, ada: Profile) -> None:
    page = context(width=640, height=640).new_page()
    page.goto(links.preferences_url(ada))
    page.evaluate(
        """() => { document.documentElement.style.fontSize = '200%';
        const spaced = {lineHeight: '1.5', letterSpacing: '.12em', wordSpacing: '.16em'};
        document.querySelectorAll('*').forEach(e => Object.assign(e.style, spaced)) }"""
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    cut = page.evaluate(
        """() => [...document.querySelectorAll('.button, h1, h2, h3, legend')]
        .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"""
    )
    assert cut == []


def test_long_words_break_and_nothing_scrolls_sideways(context: Open, ada: Profile) -> None:
    Topic.objects.update(name=LONG, description=LONG, purpose=LONG)
    Profile.objects.update(email=f"{LONG}@example.com", attributes={LONG: LONG})
    page = context(width=320, height=640).new_page()
    page.goto(links.preferences_url(ada))
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_PP22_the_page_is_one_request_and_a_style_sheet(context: Open, ada: Profile) -> None:
    page = context().new_page()
    seen: list[Any] = []
    page.on("response", lambda response: seen.append(response))
    page.goto(links.preferences_url(ada))
    page.wait_for_load_state("networkidle")
    assert len(seen) <= 2, [response.url for response in seen]
    assert sum(len(response.body()) for response in seen) < 50_000


def test_nothing_on_the_page_breaks_its_own_policy(context: Open, ada: Profile) -> None:
    page = context().new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for url in (links.preferences_url(ada), links.unsubscribe_url(ada, "news", "email", None)):
        page.goto(url)
    assert said == []


def test_a_download_is_a_file(context: Open, ada: Profile) -> None:
    page = context(scripts=False).new_page()
    page.goto(links.preferences_url(ada))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download everything").click()
    assert download.value.suggested_filename == "my-data.json"


def test_the_last_messages_are_shown_with_why_each_came(
    context: Open, ada: Profile, monkeypatch: pytest.MonkeyPatch, violations: Callable[[Page], list[str]]
) -> None:
    question: Any = registry.Question("panels")
    question.join(lambda profile, place: [f"<p>{profile.first_name}: because of {place}</p>"])
    monkeypatch.setattr(registry, "panels", question)
    monkeypatch.setattr(registry, "_height", lambda answer: 0)
    page = context().new_page()
    page.goto(links.preferences_url(ada))
    section = page.get_by_role("region", name=re.compile("Your last messages"))
    expect(section).to_contain_text("Ada: because of messages")
    assert violations(page) == []


def test_nobody_is_asked_twice(context: Open, ada: Profile) -> None:
    """PP-04: no dialogue, no question why, nothing between the button and its effect."""
    page = context().new_page()
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    page.goto(links.preferences_url(ada))
    page.get_by_role("button", name="Stop everything").click()
    expect(page.get_by_role("status")).to_contain_text("Everything is stopped.")
    assert asked == []
    for words in ("sorry", "miss", "sure", "leave", "lose"):
        assert words not in page.inner_text("main").lower().split()


def test_the_page_reads_well_to_who_hears_it(context: Open, ada: Profile) -> None:
    page = context().new_page()
    page.goto(links.preferences_url(ada))
    levels = page.evaluate("() => [...document.querySelectorAll('h1,h2,h3,h4')].map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    names = page.evaluate("() => [...document.querySelectorAll('legend')].map(e => e.textContent.trim())")
    assert len(set(names)) == len(names)


def test_a_moment_is_told_in_the_persons_own_time_zone(context: Open, ada: Profile) -> None:
    late = datetime.fromisoformat("2026-11-01T23:30:00+00:00")
    decide(ada, "tips", "denied", at=late)
    page = context().new_page()
    page.goto(links.preferences_url(ada))
    expect(page.get_by_role("group", name="Tips for your team: Email")).to_contain_text("Nov. 2, 2026")
