"""The screens on requests, on what is held, on consent and on retention: in both themes, on a desk and on a phone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from consent import ledger, links, requests
from consent.ledger import Choice
from consent.models import ConsentRecord, PrivacyRequest, RetentionRule, Topic
from foundation import clock
from foundation.admin import list_of, page_of
from profiles import endpoints, ingest, telling
from profiles.ingest import Trust
from profiles.models import Endpoint, Profile
from staff.models import User

_LONG = "a-name-that-goes-on-and-on-without-a-single-space-in-it-" * 3


@pytest.fixture
def ada(live_server: Any) -> Profile:
    """Somebody with much behind them: behaviour, decisions, and requests in every state."""
    now = clock.now()
    calls: list[dict[str, Any]] = [
        {"type": "identify", "userId": "ada", "traits": {"email": "ada@example.com", "firstName": "Ada",
         "plan": {"name": "pro", "seats": 12}, "interests": ["reports", _LONG]}},
        *({"type": "track", "userId": "ada", "event": ["report_exported", "signed_in"][n % 2],
           "properties": {"format": "pdf", "note": _LONG if n == 3 else "short"},
           "timestamp": (now - timedelta(days=n)).isoformat()} for n in range(30)),
    ]  # fmt: skip
    ingest.take(calls, source="key Website", trust=Trust.SERVER, now=now)
    profile = Profile.objects.get(external_id="ada")
    Topic.objects.create(
        slug="news",
        name="Product news",
        description="What is new, about once a month.",
        purpose="So that you can use what you pay for.",
        channels=["email", "sms"],
    )
    for n in range(12):
        choice = Choice(
            profile_id=profile.id,
            topic="news",
            channel=["email", "sms"][n % 2],
            state=["granted", "denied"][n % 3 == 2],
            source="page",
            wording="Yes, send me news.",
            evidence={"control": "Save"},
        )
        ledger.record([choice], now=now - timedelta(weeks=12 - n))
    for kind, days in (("access", 40), ("restriction", 25), ("erasure", 1)):
        requests.raise_(profile, kind, via="staff", said=f"Please. {_LONG}", now=now - timedelta(days=days))
    requests.carry_out(PrivacyRequest.objects.get(kind="restriction").id, now=now)
    endpoints.save(url="https://example.com/hook", description="The warehouse", now=now)
    telling.tell("profile.erased", {"id": "1"}, now=now)
    return profile


@pytest.fixture
def signed_in(live_server: Any) -> Callable[[Page], None]:
    def sign_in(page: Page) -> None:
        client = Client()
        client.force_login(User.objects.create_superuser("olga", password="x"))
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])

    return sign_in


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_every_screen_can_be_read_and_used(
    context: Callable[..., BrowserContext],
    ada: Profile,
    signed_in: Callable[[Page], None],
    faults: Callable[..., list[str]],
    width: int,
    dark: bool,
) -> None:
    page = context(width=width, dark=dark).new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    signed_in(page)
    mine = urlsplit(links.preferences_url(ada)).path
    screens = {
        "requests": list_of(PrivacyRequest),
        "request-open": page_of(PrivacyRequest.objects.get(kind="access")),
        "request-closed": page_of(PrivacyRequest.objects.get(kind="restriction")),
        "request-raised": reverse("admin:request_for_person", args=[ada.pk]),
        "everything": f"{mine}everything/",
        "ledger": list_of(ConsentRecord),
        "topic": page_of(Topic.objects.get(slug="news")),
        "retention": list_of(RetentionRule),
        "webhook": page_of(Endpoint.objects.get()),
    }
    for name, address in screens.items():
        page.goto(address)
        errors += faults(page, f"{name}-{width}")
    assert errors == [], "\n".join(errors)


def test_a_request_is_raised_and_answered_by_the_keyboard(
    page: Page, ada: Profile, signed_in: Callable[[Page], None]
) -> None:
    signed_in(page)
    page.goto(page_of(ada))
    page.get_by_role("link", name="Raise a request").press("Enter")
    page.get_by_label("What", exact=True).select_option("portability")
    page.get_by_label("In their words").fill("I move to another shop.")
    page.get_by_role("button", name="Raise it").press("Enter")
    expect(page.get_by_text("It is raised, and due on")).to_be_visible()
    page.get_by_label("What they were told").fill("The file is attached.")
    page.get_by_role("button", name="Close it").press("Enter")
    expect(page.get_by_text("It is closed.", exact=True)).to_be_visible()
    expect(page.get_by_text("Closed: The file is attached.")).to_be_visible()
    assert PrivacyRequest.objects.get(kind="portability").answer == "The file is attached."


def test_what_would_go_is_looked_at_before_it_is_chosen(
    page: Page, ada: Profile, signed_in: Callable[[Page], None]
) -> None:
    signed_in(page)
    page.goto(list_of(RetentionRule))
    card = page.locator(".c-card").filter(has=page.get_by_role("heading", name="What people did"))
    card.get_by_label("Days").fill("90")
    card.get_by_role("button", name="What would go?").click()
    expect(page.get_by_text("If it were kept for 90 days, 0 would go now.")).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    card.get_by_role("button", name="Keep it so long").click()
    expect(page.get_by_text("What people did: kept for 90 days, from the next hour on.")).to_be_visible()
    assert RetentionRule.objects.get().days == 90
