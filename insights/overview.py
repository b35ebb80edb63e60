"""How things stand now, for the home page: what the reader may view, by queries that do not grow with the tables."""

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.db.models import F, Model, Q, QuerySet, Sum

from consent import requests
from consent.api_privacy import in_status
from consent.models import PrivacyRequest
from foundation import standstill, wording
from foundation.admin import list_of, page_of
from foundation.pages import Facts, Number, Numbers, Part, Table
from journeys.models import Enrollment, EnrollmentState, Journey
from messaging.models import Message, MessageState
from profiles.models import Account, EventType, IdentityConflict, Profile, RejectedEvent
from segments.models import Segment

_ENOUGH = 1_000  # what needs attention is counted so far and no further


def parts(user: Any) -> list[Part]:
    """The cards of the home page that `user` may see."""
    cards: list[tuple[str, Callable[[Any], Part]]] = [
        ("profiles.view_profile", _numbers),
        ("profiles.view_profile", _attention),
        ("segments.view_segment", _segments),
        ("journeys.view_journey", _journeys),
    ]
    return [make(user) for permission, make in cards if user.has_perm(permission)]


def _numbers(user: Any) -> Part:
    events = EventType.objects.exclude(name__startswith="$").aggregate(n=Sum("volume_30_days"))["n"] or 0
    numbers = [
        Number("People", _about(Profile), "known and anonymous", list_of(Profile), "group"),
        Number("Companies", _about(Account), "", list_of(Account), "apartment"),
        Number("Things they did", wording.amount(events), "in the last 30 days", list_of(EventType), "bolt"),
    ]
    if user.has_perm("messaging.view_message"):
        numbers.append(Number("Messages", _about(Message), "in the outbox, sent and not", list_of(Message), "outbox"))
    return Numbers(title="Now", numbers=numbers)


def _about(model: type[Model]) -> str:
    """How many rows a table has: counted where it is small, else as PostgreSQL last estimated it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table])
        estimate = int(cursor.fetchone()[0])
    if estimate < 50_000:
        return wording.amount(model._default_manager.count())
    return f"about {wording.amount(round(estimate, -3))}"


def _attention(user: Any) -> Part:
    """What somebody should look at; a line is there only where there is something."""
    asked: list[tuple[str, str, QuerySet[Any], str]] = [
        ("segments.view_segment", "Segments with a problem", Segment.objects.exclude(flagged=""), list_of(Segment)),
        (
            "journeys.view_enrollment",
            "People whose journey failed",
            Enrollment.objects.filter(state=EnrollmentState.FAILED),
            list_of(Enrollment, state__exact="failed"),
        ),
        (
            "messaging.view_message",
            "Messages of which nobody knows whether they arrived",
            Message.objects.filter(state=MessageState.UNKNOWN),
            list_of(Message, state__exact="unknown"),
        ),
        (
            "messaging.view_message",
            "Messages that wait for a postal address of the brand",
            Message.objects.filter(state=MessageState.DEFERRED, guardrail="postal"),
            list_of(Message, state__exact="deferred"),
        ),
        *(
            (
                "consent.view_privacyrequest",
                what,
                PrivacyRequest.objects.filter(in_status(status, requests.today(wording.now()))),
                list_of(PrivacyRequest, status=status),
            )
            for status, what in (
                ("overdue", "Requests about data that are overdue"),
                ("due_soon", "Requests about data that are due within a week"),
            )
        ),
        (
            "profiles.view_identityconflict",
            "People who may be one and the same",
            IdentityConflict.objects.filter(resolved_at=None),
            list_of(IdentityConflict),
        ),
        (
            "profiles.view_rejectedevent",
            "Data that could not be taken",
            RejectedEvent.objects.filter(replayed_at=None),
            list_of(RejectedEvent),
        ),
    ]
    rows: list[tuple[str, object]] = []
    if held := standstill.current():
        rows.append(("Nothing is sent", f"{held.why} Whoever runs Cairn has to let it go on."))
    for permission, what, found, address in asked:
        if user.has_perm(permission) and (n := found[:_ENOUGH].count()):
            rows.append((what, wording.link(f"{wording.amount(n)}{' or more' if n == _ENOUGH else ''}", address)))
    return Facts(title="Needs a look", rows=rows, empty="Nothing needs a look.")


def _segments(user: Any) -> Part:
    live = Segment.objects.filter(status=Segment.Status.LIVE).select_related("version").order_by(F("size").desc())
    return Table(
        title="Segments",
        note="The largest that are live.",
        headers=["Segment", "People", "Who they are"],
        rows=[
            (
                wording.link(segment, page_of(segment)),
                wording.amount(segment.size),
                wording.quiet(segment.version.sentence if segment.version else ""),
            )
            for segment in live[:10]
        ],
        empty="No segment is live yet. A segment is a group of people, described by what they do.",
        more=("All segments", list_of(Segment)),
    )


def _journeys(user: Any) -> Part:
    running = Journey.objects.filter(Q(status=Journey.Status.LIVE) | Q(status=Journey.Status.PAUSED)).order_by("name")
    return Table(
        title="Journeys",
        headers=["Journey", "State", "What it is for"],
        rows=[
            (
                wording.link(journey, page_of(journey)),
                wording.badge(journey.get_status_display(), "good" if journey.status == "live" else "warn"),
                wording.quiet(journey.description),
            )
            for journey in running[:10]
        ],
        empty="No journey is running yet.",
        more=("All journeys", list_of(Journey)),
    )
