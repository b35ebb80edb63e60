"""Signing up, confirming and asking about one's data, as people meet it: in both themes, for everybody to use."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import BrowserContext, Page, expect

from consent import links, optins, signups, states, tokens
from consent.models import OptIn, Topic
from foundation import clock
from profiles.models import Profile

Open = Callable[..., BrowserContext]
Violations = Callable[[Page], list[str]]
WORDS = {"en": {"title": "Our letters", "text": "Two letters, as you like.", "button": "Sign up"}}


@pytest.fixture
def ada(live_server: Any, person: Callable[..., Profile]) -> Profile:
    return person("ada", email="ada@example.com", first_name="Ada")


@pytest.fixture
def news(live_server: Any) -> Topic:
    for slug in ("tips", "news"):
        topic = Topic.objects.create(
            slug=slug, name=slug.capitalize(), description="What is new.", purpose="You asked.", channels=["email"]
        )
    return topic


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 390)])
def test_somebody_signs_up_and_confirms(
    context: Open, ada: Profile, news: Topic, violations: Violations, dark: bool, width: int
) -> None:
    signups.save("letters", name="Letters", topics=["news", "tips"], wordings=WORDS, now=clock.now())
    page = context(dark=dark, width=width).new_page()
    page.goto(f"{settings.BASE_URL}/forms/letters/")
    expect(page.get_by_label("Website")).not_to_be_in_viewport()
    page.get_by_label("News").check()
    page.get_by_label("Email address").fill("ada@example.com")
    assert violations(page) == []
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_contain_text("a link is on its way")
    assert violations(page) == []
    signups.tick(clock.now())
    asked = OptIn.objects.get()
    page.goto(f"{settings.BASE_URL}/confirm/{tokens.make('confirm', request=asked.id, at=clock.now())}/")
    assert violations(page) == []
    assert optins.names(asked) == ["News (Email)"]
    page.get_by_role("button", name="Yes, begin").click()
    expect(page.get_by_role("status")).to_contain_text("Confirmed.")
    assert violations(page) == []
    assert states.of([ada.id], "news", "email")[ada.id].state == "granted"


def test_somebody_asks_about_their_data_and_objects(
    context: Open, ada: Profile, news: Topic, violations: Violations
) -> None:
    page = context().new_page()
    page.goto(links.preferences_url(ada))
    page.get_by_text("Correct your name").click()
    page.get_by_text("Ask us for something else").click()
    assert violations(page) == []
    page.get_by_label("What you ask for").select_option("restriction")
    page.get_by_label("In your words").fill("Until we are agreed.")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("We have your request")
    expect(page.get_by_text(re.compile("You asked: Keep my data"))).to_be_visible()
    page.get_by_role("button", name="Object to all marketing").click()
    expect(page.get_by_role("status")).to_contain_text("You get no marketing any more.")
    assert violations(page) == []
