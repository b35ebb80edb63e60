"""Receipts of decisions, in the fields of ISO/IEC TS 27560: what somebody can keep as proof of what they said.

They are made from the ledger when they are asked for, so the same decision has the same receipt for ever, but for the
receipt's own id. They hold no address of a machine or a person, and name the person by the ledger's opaque reference.
"""

from collections.abc import Iterable
from datetime import datetime
from email.utils import parseaddr
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings

from consent.ledger import EVERYTHING
from consent.models import ConsentRecord, State, Subject, Topic, Wording
from consent.wordings import channel_name
from profiles.models import Profile

VERSION = "cairn.receipt/1"
_PROFILES = ["https://w3id.org/dpv/schema/dpv-27560#receipt-record", "ISO/IEC TS 27560:2023"]
_STATES = {State.GRANTED: "given", State.DENIED: "refused", State.EXPIRED: "expired"}
_HOW = {
    ConsentRecord.Source.PAGE: "preference page",
    ConsentRecord.Source.API: "the controller's product",
    ConsentRecord.Source.IMPORT: "taken over from an earlier list",
    ConsentRecord.Source.DOUBLE_OPT_IN: "confirmed by email",
    ConsentRecord.Source.ONE_CLICK: "mail program (RFC 8058)",
    ConsentRecord.Source.STAFF: "told to staff",
    ConsentRecord.Source.MERGE: "taken over from another profile of the same person",
    ConsentRecord.Source.COMPLAINT: "a message marked as spam",
    ConsentRecord.Source.JOURNEY: "the controller's product",
    ConsentRecord.Source.REPLY: "a message to the controller",
    ConsentRecord.Source.EXPIRY: "none: the time that it was given for is over",
}


def of(profile: Profile) -> list[dict[str, Any]]:
    """A receipt for every decision of theirs, the newest first."""
    refs = Subject.objects.filter(profile=profile).values("ref")
    rows = list(ConsentRecord.objects.filter(subject_ref__in=refs).order_by("-recorded_at", "-seq"))
    topics = {topic.slug: topic for topic in Topic.objects.filter(slug__in={row.topic for row in rows})}
    notices = Wording.objects.in_bulk({row.wording for row in rows if row.wording})
    withdrawn = _withdrawn(rows)
    return [_receipt(row, topics.get(row.topic), notices.get(row.wording), row.id in withdrawn) for row in rows]


def _withdrawn(rows: Iterable[ConsentRecord]) -> set[UUID]:
    """Of these decisions, newest first, those that take back a consent of before."""
    before: dict[tuple[UUID, str, str], str] = {}
    found = set()
    for row in reversed(list(rows)):
        key = (row.subject_ref, row.topic, row.channel)
        if row.state == State.DENIED and before.get(key) == State.GRANTED:
            found.add(row.id)
        before[key] = row.state
    return found


def _receipt(row: ConsentRecord, topic: Topic | None, notice: Wording | None, withdrawn: bool) -> dict[str, Any]:
    return {
        "header": {
            "schema_version": VERSION,
            "conforms_to": _PROFILES,
            "record_id": str(row.id),
            "receipt_id": str(uuid5(row.id, VERSION)),
            "pii_principal_id": str(row.subject_ref),
        },
        "processing": [
            {
                "privacy_notice": notice.text if notice else "None was shown: this was taken over, or told otherwise.",
                "privacy_notice_digest": row.wording,
                "language": row.locale or settings.LANGUAGE_CODE,
                "purpose": _purpose(row, topic),
                "purpose_type": "dpv:DirectMarketing"
                if not (topic and topic.transactional)
                else "dpv:ServiceProvision",
                "lawful_basis": topic.basis if topic else Topic.Basis.CONSENT.value,
                "pii_information": ["address to reach the person at", "choices", "use of the product and of messages"],
                "pii_controllers": ["controller"],
                "channel": "all" if row.channel == EVERYTHING else row.channel,
                "collection_method": _HOW[ConsentRecord.Source(row.source)],
                "storage_locations": ["servers of the controller"],
                "retention_period": "while the choice stands, and as its proof afterwards",
                "jurisdiction": "the controller's",
                "recipient_third_parties": ["those who deliver messages for the controller"],
                "withdrawal_method": "the link in every message, the preference page, or a mail to the contact below",
            }
        ],
        "parties": [_controller()],
        "events": [
            {
                "event_time": _iso(row.occurred_at),
                "recorded_time": _iso(row.recorded_at),
                "validity_duration": f"until {_iso(row.expires_at)}" if row.expires_at else "until it is changed",
                "entity_id": "pii_principal" if row.actor.startswith("customer") else "controller",
                "event_type": "withdrawn" if withdrawn else _STATES[State(row.state)],
                "event_state": row.state,
                "proof": row.hash,
            }
        ],
    }


def _purpose(row: ConsentRecord, topic: Topic | None) -> str:
    if row.topic == EVERYTHING:
        return "All messages that are not needed for what the person uses"
    by = channel_name(row.channel)
    return f"{topic.name} ({by}): {topic.purpose}" if topic else f"{row.topic} ({by})"


def _controller() -> dict[str, str]:
    name, contact = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return {
        "party_id": "controller",
        "party_type": "controller",
        "party_name": name or contact,
        "party_address": settings.POSTAL_ADDRESS or settings.BASE_URL,
        "party_contact": contact,
    }


def _iso(at: datetime) -> str:
    return at.isoformat()
