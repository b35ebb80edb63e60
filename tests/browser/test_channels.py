"""The staff's page of channels in a real browser: set up, tested, and what developers copy."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as project
from django.test import Client
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from foundation import clock
from messaging import wiring
from messaging.delivery import CHANNELS
from staff.models import Team, User
from tests.receiving import Receiver, receiving


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    with receiving() as found:
        settings.OUTGOING_HOSTS = [found.host]
        yield found


@pytest.fixture
def desk(live_server: Any, context: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """A page of somebody who may set up everything."""
    Team.objects.create(slug="success", name="Success")
    boss = User.objects.create_superuser("boss", "boss@example.com", "a long password")

    def open(address: str = "", **window: Any) -> Page:
        client = Client()
        client.force_login(boss)
        window_ = context(**window)
        window_.add_cookies(
            [
                {
                    "name": project.SESSION_COOKIE_NAME,
                    "value": client.cookies[project.SESSION_COOKIE_NAME].value,
                    "url": live_server.url,
                }
            ]
        )
        page = window_.new_page()
        page.goto(reverse("admin:messaging_channelsettings_changelist") + address)
        return page

    return open


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_channels_and_each_of_their_pages_can_be_used_by_all(
    width: int,
    dark: bool,
    desk: Callable[..., Page],
    faults: Callable[..., list[str]],
) -> None:
    page = desk(width=width, dark=dark)
    if dark:
        page.evaluate("localStorage.setItem('adminTheme', '\"dark\"')")
        page.reload()
    expect(page.get_by_role("link", name="Text message")).to_be_visible()
    wrong = faults(page, f"channels-{width}")
    for key in ("in_app", "sms", "task"):
        page.goto(reverse("admin:messaging_channelsettings_change", args=[key]))
        wrong += faults(page, f"channel-{key}-{width}")
    assert wrong == [], "\n".join(wrong)


def test_a_channel_is_set_up_tested_and_switched_off(desk: Callable[..., Page], receiver: Receiver) -> None:
    page = desk("sms/change/")
    page.get_by_label("Provider").fill("json://169.254.169.254/")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("It was not saved")
    expect(page.get_by_text("Provider must hold {phone}")).to_be_visible()
    page.get_by_label("Provider").fill(f"json://{receiver.host}/{{phone}}/")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Text message: saved.")).to_be_visible()
    assert receiver.host not in page.content()
    page.get_by_label("Where to").fill("+43 660 1234567")
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("The test went through.")).to_be_visible()
    assert [came.path for came in receiver.received] == ["/+436601234567/"]
    page.get_by_label("Messages go out by it").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Off", exact=True)).to_be_visible()
    assert wiring.wired("sms").lack(CHANNELS["sms"]) == "is switched off"


def test_developers_copy_the_key_and_can_have_it_made_anew(desk: Callable[..., Page]) -> None:
    page = desk("in_app/change/")
    key = wiring.made("in_app", "key")
    expect(page.get_by_text(key)).to_be_visible()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Make it anew").click()
    expect(page.get_by_text("It is made anew.")).to_be_visible()
    expect(page.get_by_text(key)).to_have_count(0)
    assert wiring.taken("in_app", "key", now=clock.now())[1] == key
