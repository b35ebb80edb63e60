"""The test drive in a browser: somebody made up is walked through, kept as a test, and the draft held against it."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from foundation import clock
from journeys import publishing
from journeys.models import Journey
from tests.browser.test_journey_editor import WANTED
from tests.browser.test_journey_editor import staff as staff

NAME = "Whoever does nothing is given a hand"


def test_somebody_made_up_is_walked_through_kept_as_a_test_and_held_against_the_draft(
    page: Page, staff: Callable[..., Page], faults: Callable[..., list[str]]
) -> None:
    journey = publishing.begin("welcome", name="Welcome", document=WANTED, now=clock.now())
    home = f"/admin/journeys/journey/{journey.pk}/"
    staff(page).goto(f"{home}edit/")
    page.locator("#bar").get_by_role("link", name="Test drive").click()
    assert faults(page, "drive-whom-1280") == []
    page.get_by_label("First name").fill("Eve")
    page.get_by_label("Email address", exact=True).fill("eve@example.com")
    page.get_by_role("button", name="Take them along").click()
    standing = page.get_by_role("region", name="Where they stand")
    expect(standing).to_contain_text("They are not on it yet")
    page.get_by_role("button", name="Signed up", exact=True).click()
    expect(standing).to_contain_text("They stand at “Wait for 3 days”")
    expect(page.locator(".d-letter")).to_contain_text("Hello there")
    expect(page.locator(".d-letter")).to_contain_text("It would go")
    page.get_by_role("button", name="+1 day").focus()
    page.keyboard.press("Enter")
    expect(standing).to_contain_text("3 Mar 2026")
    expect(page.locator("#drive-said")).to_contain_text("3 Mar 2026, 09:00: They stand at")  # heard, too
    expect(page.locator("#day")).to_be_focused()
    page.get_by_role("button", name="On to what is next").click()
    expect(standing).to_contain_text("They came to the end")
    page.get_by_role("button", name="Take the last thing back").click()
    expect(standing).to_contain_text("They stand at")
    page.locator("#next").click()
    expect(standing).to_contain_text("They came to the end")
    page.locator(".d-letter summary").last.click()
    expect(page.frame_locator(".d-letter iframe >> nth=-1").locator("body")).to_contain_text("Good to have you.")
    assert faults(page, "driven-1280") == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    page.get_by_label("What it shows").fill(NAME)
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("heading", name=NAME)).to_contain_text("Not run yet")
    # The draft changes, and the test says what differs.
    steps: list[Any] = [*WANTED["steps"][:1], {**WANTED["steps"][1], "for": {"days": 4}}, *WANTED["steps"][2:]]
    publishing.save("welcome", name="Welcome", document={**WANTED, "steps": steps}, now=clock.now())
    page.get_by_role("button", name="Run them all").click()
    expect(page.locator(".d-missed").first).to_contain_text("Wait for 4 days")
    assert faults(page, "tests-390-dark") == []
    page.goto(f"{home}check/")
    expect(page.get_by_role("heading", name="1 test fails")).to_be_visible()
    page.get_by_role("button", name="Publish it").click()
    expect(page.get_by_role("alert")).to_contain_text(f"1 test fails (“{NAME}”)")
    page.get_by_label("Publish it although a test fails").check()
    page.get_by_role("textbox", name="Why").fill("Four days are meant.")
    page.get_by_role("button", name="Publish it").click()
    expect(page.locator("body")).to_contain_text("Welcome is published")
    assert Journey.objects.get().status == "live"
    page.goto(f"{home}tests/")
    page.get_by_role("button", name="Expect what came of it").click()
    expect(page.get_by_role("heading", name=NAME)).to_contain_text("Passed")
    page.get_by_role("link", name="Drive it").click()
    expect(standing).to_contain_text("They stand at “Wait for 4 days”")
    assert faults(page, "driven-390-dark") == []
