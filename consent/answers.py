"""What consent does when a person is erased, and what it tells in their download."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from consent import replies, requests, subjects, suppression
from consent.models import (
    ConsentEvidence,
    ConsentRecord,
    ConsentState,
    Limit,
    OptIn,
    Preference,
    PrivacyRequest,
    RefusedUpgrade,
    Reply,
    SentForm,
    Subject,
    Suppression,
    Wording,
)
from foundation import clock, registry
from profiles.models import Profile

# Which column holds the address that a channel writes to.
ADDRESSES = {"email": "email", "sms": "phone"}


@registry.erase.join
def erase(profile: Profile) -> dict[str, Any]:
    """Deletes the link to the ledger and all evidence; the rows stay, and say no more whose they are.

    The addresses stay suppressed by their keyed hash, so that an import cannot bring them back into mailings; that is
    what must be remembered of it.
    """
    now = clock.now()
    with transaction.atomic():
        subjects.lock_to_write([profile.id], now)  # whoever was about to add to the ledger finds no subject
        refs = list(Subject.objects.filter(profile=profile).values_list("ref", flat=True))
        records = ConsentRecord.objects.filter(subject_ref__in=refs).values("id")
        ConsentEvidence.objects.filter(record__in=records).delete()
        for address, channel in _addresses(profile):
            replies.forget(address, channel)
            suppression.add(channel, address, Suppression.Reason.ERASED, now, Suppression.Scope.ALL)
        requests.forget_words(profile, now=now)
        for model in (ConsentState, OptIn, RefusedUpgrade, Preference, Limit, Subject):
            model._default_manager.filter(profile=profile).delete()
        if profile.email:
            SentForm.objects.filter(address__iexact=profile.email).delete()
    return {"blocked": [[channel, suppression.hash_of(address)] for address, channel in _addresses(profile)]}


@registry.erased.join
def erased(kept: dict[str, Any], at: datetime) -> None:
    """Blocks again what a restored backup had forgotten."""
    for channel, digest in kept.get("blocked", []):
        suppression.add_hash(channel, digest, Suppression.Reason.ERASED, at, Suppression.Scope.ALL)


@registry.export.join
def export(profile: Profile) -> dict[str, Any]:
    """Section `consent`: what stands, every decision with the wording shown and its evidence, wishes, blocks."""
    return {
        "consent": {
            "choices": [
                {
                    "topic": row.topic,
                    "channel": row.channel,
                    "state": row.state,
                    "since": _iso(row.since),
                    "expires_at": _iso(row.expires_at),
                }
                for row in ConsentState.objects.filter(profile=profile).order_by("topic", "channel")
            ],
            "decisions": _decisions(profile.id),
            "refused_changes": [
                {"topic": row.topic, "channel": row.channel, "at": _iso(row.at), "reason": row.reason}
                for row in RefusedUpgrade.objects.filter(profile=profile).order_by("at")
            ],
            "asked_for": [
                {
                    "choices": row.choices,
                    "by": row.by,
                    "at": _iso(row.asked_at),
                    "evidence": row.evidence,
                    "confirmed_at": _iso(row.confirmed_at),
                }
                for row in OptIn.objects.filter(profile=profile).order_by("asked_at")
            ],
            "limits": [{"kind": row.kind, "since": _iso(row.since)} for row in Limit.objects.filter(profile=profile)],
            "privacy_requests": [_request(row) for row in profile.privacy_requests.order_by("raised_at")],
            "replies": [
                {"channel": row.channel, "at": _iso(row.received_at), "said": row.said}
                for row in _written(profile).order_by("received_at", "id")
            ],
            "preferences": _wishes(Preference.objects.filter(profile=profile).first()),
            "blocked_addresses": [
                {"channel": row.channel, "address": address, "reason": row.reason, "at": _iso(row.at)}
                for address, channel in _addresses(profile)
                for row in suppression.find(channel, [address])[address]
            ],
        }
    }


def _written(profile: Profile) -> QuerySet[Reply]:
    """What came from their addresses that no program understood."""
    whose = Q(pk__in=[])
    for address, channel in _addresses(profile):
        whose |= Q(channel=channel, sender__iexact=suppression.normalised(address))
    return Reply.objects.filter(whose)


def _decisions(profile_id: UUID) -> list[dict[str, Any]]:
    refs = Subject.objects.filter(profile=profile_id).values("ref")
    rows = list(ConsentRecord.objects.filter(subject_ref__in=refs).order_by("recorded_at", "seq"))
    texts = dict(Wording.objects.filter(digest__in={row.wording for row in rows}).values_list("digest", "text"))
    evidence = dict(ConsentEvidence.objects.filter(record__in=[row.id for row in rows]).values_list("record", "data"))
    return [
        {
            "topic": row.topic,
            "channel": row.channel,
            "state": row.state,
            "source": row.source,
            "at": _iso(row.occurred_at),
            "recorded_at": _iso(row.recorded_at),
            "wording": texts.get(row.wording, ""),
            "locale": row.locale,
            "message": str(row.message) if row.message else None,
            "evidence": evidence.get(row.id),
            "hash": row.hash,
        }
        for row in rows
    ]


def _request(row: PrivacyRequest) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "said": row.said,
        "raised_at": _iso(row.raised_at),
        "due_on": row.due_on.isoformat(),
        "extended": row.extended,
        "closed_at": _iso(row.closed_at),
        "outcome": row.outcome,
        "answer": row.answer,
    }


def _wishes(row: Preference | None) -> dict[str, Any]:
    if row is None:
        return {}
    return {
        "intensity": row.intensity,
        "paused_until": _iso(row.paused_until),
        "hours": [row.hours_from.isoformat("minutes"), row.hours_to.isoformat("minutes")]
        if row.hours_from and row.hours_to
        else None,
        "time_zone": row.time_zone or None,
        "language": row.language or None,
        "born_on": row.born_on.isoformat() if row.born_on else None,
    }


def _addresses(profile: Profile) -> list[tuple[str, str]]:
    return [(address, channel) for channel, column in ADDRESSES.items() if (address := getattr(profile, column))]


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
