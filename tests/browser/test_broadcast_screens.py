"""Broadcasts, holdouts, deliveries and what came back, in a real browser: both themes, a desk and a phone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from playwright.sync_api import BrowserContext, expect

from consent import ledger
from consent.ledger import Choice
from consent.models import Topic
from foundation import clock
from foundation.admin import list_of, page_of
from messaging import brands, dispatch, templates
from messaging.broadcasts import running
from messaging.broadcasts.models import Broadcast
from messaging.broadcasts.running import Plan
from messaging.holdouts import periods
from messaging.holdouts.models import Holdout
from messaging.models import Message
from messaging.returns import applying, reports
from messaging.returns.models import Report
from messaging.returns.reports import Told
from profiles.models import Profile
from segments.models import Membership, Segment
from staff.models import User


@pytest.fixture
def world(live_server: Any, tmp_path: Any, settings: Any) -> Broadcast:
    """A broadcast that has gone out, of which some came back."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    now = clock.now()
    brands.save(name="Acme", sender_name="Ada of Acme", postal_address="Acme Ltd\nSome Street 1", now=now)
    Topic.objects.create(slug="news", name="Product news", description="", purpose="", channels=["email"])
    blocks = [{"kind": "text", "text": "Spring is here."}]
    templates.save(
        "spring", name="Spring news", channel="email", topic="news", subject="Spring", blocks=blocks, now=now
    )
    segment = Segment.objects.create(
        slug="trial", name="On trial", status="live", definition={"all": []}, created_at=now, refreshed_at=now
    )
    people = [
        Profile.objects.create(external_id=f"p{n}", email=f"p{n}@example.com", first_seen_at=now, last_seen_at=now)
        for n in range(12)
    ]
    Membership.objects.bulk_create(
        [Membership(segment=segment, profile=one, entered_at=now, cause="build") for one in people]
    )
    choices = [
        Choice(profile_id=one.id, topic="news", channel="email", state="granted", source="page") for one in people[:9]
    ]
    ledger.record(choices, now=now)
    row = running.save(None, Plan(name="Spring is here", segment="trial", template="spring", rate=6_000), now=now)
    running.start(row.id, now=now)
    running.tick(now)
    dispatch.tick(now)
    sent = list(Message.objects.filter(state="sent").order_by("address"))
    told = [
        Told(source="postmark", kind=kind, named=one.id, recipient=one.address, said=said, at=now)
        for one, kind, said in (
            (sent[0], "bounced", "550 5.1.1 The email account that you tried to reach does not exist."),
            (sent[1], "complained", ""),
            (sent[2], "delivered", ""),
            (sent[3], "bounced", "550 5.7.1 Blocked: an unusual rate of mail."),
        )
    ]
    reports.keep([*told, Told(source="dsn", kind="failed", recipient="nobody@example.com", at=now)], now=now)
    applying.tick(now + timedelta(minutes=30))
    periods.start("2026-q4", 5, now=now)
    return row


@pytest.fixture
def sign_in(world: Broadcast) -> Callable[..., None]:
    def give(to: BrowserContext, role: str = "") -> None:
        user = User.objects.create_user(f"user-{role or 'root'}", password="stone-on-stone-9", is_staff=True)
        User.objects.filter(id=user.id).update(is_superuser=not role)
        if role:
            user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user)
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        to.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "domain": "127.0.0.1", "path": "/"}])

    return give


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_screens_open_read_well_and_are_accessible(
    width: int,
    dark: bool,
    world: Broadcast,
    sign_in: Callable[..., None],
    context: Callable[..., BrowserContext],
    faults: Callable[..., list[str]],
) -> None:
    where = context(width=width, dark=dark)
    sign_in(where)
    page = where.new_page()
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for name, path in {
        "broadcasts": list_of(Broadcast),
        "broadcast": page_of(world),
        "new-broadcast": reverse("admin:messaging_broadcast_add"),
        "holdouts": list_of(Holdout),
        "holdout": page_of(Holdout.objects.get()),
        "new-holdout": reverse("admin:messaging_holdout_add"),
        "deliveries": reverse("admin:messaging_report_deliveries"),
        "reports": list_of(Report),
        "report": page_of(Report.objects.filter(state="applied").order_by("id")[0]),
        "bounced": page_of(Message.objects.get(state="bounced")),
    }.items():
        page.goto(path)
        expect(page.locator("[aria-busy]")).to_have_count(0)
        errors += faults(page, f"{name}-{width}")
    assert errors == [], "\n".join(errors)


def test_a_broadcast_is_written_with_the_keyboard_and_started_by_who_may(
    world: Broadcast, sign_in: Callable[..., None], context: Callable[..., BrowserContext]
) -> None:
    author = context()
    sign_in(author, "author")
    page = author.new_page()
    page.goto(reverse("admin:messaging_broadcast_add"))
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_text("Give it a name.")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Summer")
    page.get_by_label("Segment").select_option("trial")
    page.get_by_label("Template").select_option("spring")
    expect(page.locator("#reach")).to_contain_text("In the segment")
    expect(page.locator("#reach")).to_contain_text("Agreed to the topic: no")
    page.get_by_label("At a time of day, where each person is").press("Space")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_text("Say on which day, and at what time.")).to_be_visible()
    page.get_by_label("As soon as it is started").press("Space")
    page.get_by_role("button", name="Save the draft").press("Enter")
    expect(page.get_by_role("heading", name="Summer")).to_be_visible()
    expect(page.get_by_role("button", name="Start", exact=True)).to_have_count(0)
    row = Broadcast.objects.get(name="Summer")

    publisher = context()
    sign_in(publisher, "publisher")
    page = publisher.new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(page_of(row))
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("It is under way, to 12 people.")).to_be_visible()
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("button", name="Go on", exact=True)).to_be_visible()
    page.get_by_role("button", name="Cancel it", exact=True).click()
    expect(page.get_by_text("It is cancelled.")).to_be_visible()


def test_a_number_of_the_deliveries_leads_to_the_messages_behind_it(
    world: Broadcast, sign_in: Callable[..., None], context: Callable[..., BrowserContext]
) -> None:
    where = context()
    sign_in(where, "publisher")
    page = where.new_page()
    page.goto(reverse("admin:messaging_report_deliveries"))
    bounced = page.get_by_role("row", name="Email").first.get_by_role("link").nth(1)
    expect(bounced).to_have_text("1")
    bounced.click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(page.locator("#result_list")).to_contain_text("Bounced")
