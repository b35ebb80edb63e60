"""Playbooks as staff use them: looked at, started from, and brought as a file."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

from foundation import clock
from journeys import publishing
from journeys.models import Journey
from playbooks import exporting, files
from profiles import catalogue, ingest
from profiles.ingest import Trust
from staff.models import User


def test_a_playbook_becomes_a_draft_and_a_file_changes_it_after_it_was_looked_at(
    page: Page,
    live_server: Any,
    violations: Callable[[Page], list[str]],
    shot: Callable[[Page, str], None],
    tmp_path: Path,
) -> None:
    now = clock.now()
    did = [{"type": "track", "userId": "ada", "event": name} for name in ("User Registered", "Report made")]
    ingest.take(did, source="key x", trust=Trust.SERVER, now=now)
    catalogue.observe(now)
    client = Client()
    client.force_login(User.objects.create_superuser("olga", password="x"))
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])

    def looks(name: str, *, by_axe: bool = False) -> None:
        """No wider than the window, at the desk and on a phone by night; clean to axe."""
        for width, scheme in ((390, "dark"), (1280, "light")):
            page.set_viewport_size({"width": width, "height": 800})
            page.evaluate("dark => document.documentElement.classList.toggle('dark', dark)", scheme == "dark")
            shot(page, f"{name}-{width}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            if by_axe or width == 390:
                assert violations(page) == [], (name, width)

    page.goto("/admin/journeys/journey/add/")
    page.get_by_role("link", name="Start from a playbook").click()
    expect(page.get_by_role("link", name="Onboarding")).to_be_visible()
    looks("playbooks")
    page.get_by_role("link", name="Onboarding").click()
    expect(page.frame_locator("iframe").first.get_by_text("Good to have you here")).to_be_visible()
    page.get_by_label("signed_up Event, never seen").select_option("User Registered")
    page.get_by_role("button", name="Show it with these names").click()
    expect(page.locator(".j-paragraph").first).to_contain_text("When somebody does “User Registered”")
    looks("playbook", by_axe=True)
    page.get_by_role("button", name="Start from this").click()
    expect(page.locator("#paragraph")).to_contain_text("When somebody does “User Registered”")
    journey = Journey.objects.get()
    draft = publishing.draft_of(journey)
    assert journey.status == "draft" and draft and draft.document["entry"]["trigger"]["name"] == "User Registered"

    book = tmp_path / "onboarding.yaml"
    text = files.written(exporting.of_journeys(["onboarding"]))
    book.write_text(
        text.replace("days: 2", "days: 3").replace("subject: Stuck, or just busy?", "subject: May we help?")
    )
    page.goto("/admin/journeys/journey/file/")
    page.get_by_label("A file of journeys").set_input_files(book)
    page.get_by_role("button", name="See what it would do").click()
    expect(page.locator(".j-diff-changed").first).to_contain_text("was: Wait for 2 days")
    expect(page.locator("ins").first).to_have_text("May")
    looks("file")
    page.get_by_role("button", name="Do it").click()
    page.wait_for_url(re.compile(r"/journey/\d+/edit/"))
    draft = publishing.draft_of(journey)
    assert draft and draft.document["steps"][1]["for"] == {"days": 3}
