"""The screens on people and on what arrives, as staff see them: in both themes, on a desk and on a phone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import BrowserContext, Page

from foundation import clock
from foundation.admin import list_of, page_of
from profiles import catalogue, ingest
from profiles.ingest import Trust
from profiles.models import (
    Account,
    AttributeType,
    Event,
    EventType,
    IdentityConflict,
    ImportJob,
    Merge,
    Profile,
    RejectedEvent,
)
from staff.models import User

MODELS = (Profile, Account, EventType, AttributeType, RejectedEvent, IdentityConflict, Merge, ImportJob)
_LONG = "a-name-that-goes-on-and-on-without-a-single-space-in-it-" * 3


@pytest.fixture
def world(live_server: Any) -> dict[type, Any]:
    """A small company's data, with what makes screens break: long words, many properties, two scripts."""
    now = clock.now()
    ago = lambda **span: (now - timedelta(**span)).isoformat()  # noqa: E731
    people = [("ada", "Ada", "Lovelace"), ("ben", "Ben", "Okafor"), ("dora", "דורה", "כהן"), ("eve", _LONG, "X")]
    calls: list[dict[str, Any]] = [
        {"type": "track", "anonymousId": "device-1", "event": "page_seen", "timestamp": ago(days=4)},
        *(
            {"type": "identify", "userId": id, "traits": {"email": f"{id}@example.com", "firstName": first,
             "lastName": last, "plan": "pro", "seats": 12, "interests": ["reports", "exports"],
             "billing": {"country": "DE", "renews_at": "2027-01-01T00:00:00Z"}}, "timestamp": ago(days=9)}
            for id, first, last in people
        ),
        {"type": "group", "userId": "ada", "groupId": "acme", "traits": {"name": "Acme Ltd", "industry": "Tools"}},
        {"type": "group", "userId": "ben", "groupId": "acme"},
        {"type": "identify", "userId": "ada", "anonymousId": "device-1", "timestamp": ago(days=3)},
        {"type": "identify", "userId": "ben", "anonymousId": "device-1", "timestamp": ago(days=2)},
        *(
            {"type": "track", "userId": "ada", "event": ["report_exported", "feature_used", "Signed In"][n % 3],
             "properties": {"format": "pdf", "rows": n * 100, "source": "menu", "note": _LONG if n == 3 else "short"},
             "timestamp": ago(hours=n * 7)}
            for n in range(45)
        ),
        {"type": "page", "userId": "ada", "name": "Pricing", "properties": {"url": f"https://example.com/{_LONG}"}},
        {"type": "track", "userId": "ada", "event": "$nope", "properties": {"some": {"deep": ["value"]}}},
        {"type": "track", "event": "nobody_did_this"},
    ]  # fmt: skip
    ingest.take(calls, source="key Website", trust=Trust.SERVER, now=now)
    catalogue.observe(now)
    catalogue.rename(EventType.objects.get(name="Signed In"), "signed_in", now=now)
    catalogue.block(EventType.objects.get(name="page_seen"), now=now)
    _imports(now)
    chosen: dict[type, Any] = {model: model._default_manager.order_by("pk").first() for model in MODELS}
    chosen[Profile] = Profile.objects.get(external_id="ada")
    chosen[EventType] = EventType.objects.get(name="report_exported")
    return chosen


def _imports(now: datetime) -> None:
    for n, (state, name) in enumerate(
        [("done", "events-2025.csv.gz"), ("running", f"{_LONG}.csv"), ("cancelled", "x.jsonl")]
    ):
        ImportJob.objects.create(
            kind="events" if n else "profiles", digest=str(n), path=f"/var/imports/{name}", state=state, rows=120_000,
            stored=119_000, repeated=200, refused=800, mapping={"Signed Up": "signed_up"}, started_at=now,
            reasons={"timestamp: must be a time such as 2026-11-24T10:00:00Z (RFC 3339)": 700, "It names nobody.": 100},
        )  # fmt: skip


def _sign_in(page: Page, live_server: Any) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("olga", password="x"))
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_every_screen_can_be_read_and_used(
    context: Callable[..., BrowserContext],
    live_server: Any,
    world: dict[Any, Any],
    faults: Callable[..., list[str]],
    width: int,
    dark: bool,
) -> None:
    page = context(width=width, dark=dark).new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    _sign_in(page, live_server)
    for model in MODELS:
        for place, address in (("list", list_of(model)), ("page", page_of(world[model]))):
            page.goto(address)
            errors += faults(page, f"{model.__name__.lower()}-{place}-{width}")
    assert errors == [], "\n".join(errors)


def test_the_story_goes_on_where_the_page_ends(page: Page, live_server: Any, world: dict[Any, Any]) -> None:
    _sign_in(page, live_server)
    page.goto(page_of(world[Profile]))
    entries = page.locator(".c-story > li")
    assert entries.count() == 30
    page.get_by_role("button", name="Show what went before").click()
    page.wait_for_function("document.querySelectorAll('.c-story > li').length > 30")
    assert entries.count() == Event.objects.filter(profile=world[Profile]).count()


def test_a_merge_is_asked_about_before_it_is_done(page: Page, live_server: Any, world: dict[Any, Any]) -> None:
    _sign_in(page, live_server)
    page.goto(page_of(world[IdentityConflict]))
    asked: list[str] = []

    def refuse(dialog: Any) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.once("dialog", refuse)
    page.get_by_role("button", name="Merge them").click()
    assert "can be taken back for 30 days" in asked[0]
    assert IdentityConflict.objects.get().resolved_at is None
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Merge them").click()
    page.get_by_text("The two are one person now.").wait_for()
    assert Merge.objects.count() == 2
