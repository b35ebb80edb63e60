"""What a person did, told in words and a page at a time."""

from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID

from django.db.models import F, Q, Window
from django.db.models.aggregates import Sum
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from foundation import wording
from foundation.pages import Entry
from profiles.models import Event, EventDay

PAGE = 30
# What our own events say; their names and properties are fixed (they are what conditions ask about).
_OURS = {
    "$message_sent": ("We sent the message", "outgoing_mail"),
    "$message_delivered": ("The message arrived:", "mark_email_read"),
    "$message_opened": ("Opened the message", "drafts"),
    "$message_clicked": ("Clicked a link in the message", "ads_click"),
    "$message_bounced": ("The message bounced:", "unsubscribe"),
    "$message_complained": ("Marked as spam the message", "report"),
    "$feedback_given": ("Answered our question in the message", "reviews"),
    "$journey_entered": ("Began the journey", "hiking"),
    "$journey_completed": ("Completed the journey", "flag"),
    "$journey_exited": ("Left the journey", "logout"),
}
_SAID = frozenset({"channel", "topic", "reason", "variant", "score", "comment"})


def page(
    profile_id: UUID, before: datetime | None, after_id: int | None = None
) -> tuple[list[Entry], tuple[datetime, int] | None]:
    """The newest events before a moment, and where the next page begins, or None after the last."""
    since = _from_day(profile_id, before)
    events = Event.objects.filter(profile_id=profile_id).select_related("type").order_by("-occurred_at", "-id")
    if since is not None:
        events = events.filter(occurred_at__gte=since)
    if before is not None:
        events = _before(events, before, after_id)
    rows = list(events[: PAGE + 1])
    following = (rows[PAGE - 1].occurred_at, rows[PAGE - 1].id) if len(rows) > PAGE else None
    return [told(event) for event in rows[:PAGE]], following


def _before(events: Any, before: datetime, row: int | None) -> Any:
    return events.filter(Q(occurred_at__lt=before) | Q(occurred_at=before, id__lt=row or 0))


def _from_day(profile_id: UUID, before: datetime | None) -> datetime | None:
    """The day on which a page's worth of events begins, from the daily counts: older partitions stay unread."""
    days = EventDay.objects.filter(profile_id=profile_id)
    if before is not None:
        days = days.filter(day__lt=before.astimezone(UTC).date())
    running = Window(Sum("n"), order_by=[F("day").desc(), F("type_id").asc()])
    counted = days.annotate(running=Coalesce(running, 0)).order_by("-day", "type_id").values_list("day", "running")
    for day, so_far in counted[: PAGE + 1]:
        if so_far > PAGE:
            return datetime.combine(day, time(), UTC)
    return None


def told(event: Event) -> Entry:
    """An event as a line of the story."""
    name, properties = event.type.name, event.properties
    if name.startswith("$"):
        return _ours(event)
    if name in ("page", "screen"):
        what = format_html("Looked at the {} <bdi>{}</bdi>", name, properties.get("name") or "without a name")
        return Entry(what, wording.moment(event.occurred_at), _properties(properties, {"name"}), "visibility")
    what = format_html("<bdi>{}</bdi>", wording.spoken(name))
    return Entry(what, wording.moment(event.occurred_at), _properties(properties), "bolt")


def _ours(event: Event) -> Entry:
    said, icon = _OURS.get(event.type.name, (wording.spoken(event.type.name), "landscape"))
    subject = event.properties.get("template" if event.type.name.startswith("$message") else "journey") or ""
    kept = {name: value for name, value in event.properties.items() if name in _SAID and value}
    what = format_html("{} <bdi>{}</bdi>", said, wording.spoken(str(subject)))
    return Entry(what, wording.moment(event.occurred_at), _properties(kept), icon)


def _properties(properties: dict[str, Any], hide: set[str] = frozenset()) -> SafeString:  # type: ignore[assignment]
    return wording.terms(dict(sorted(properties.items())[:20]), hide=hide)


def address(profile_id: UUID, following: tuple[datetime, int] | None) -> str:
    """Where the next page of the story is served; "" after the last."""
    if following is None:
        return ""
    at, row = following
    return f"{reverse('admin:profiles_story', args=[profile_id])}?before={at.timestamp():.6f}&row={row}"
