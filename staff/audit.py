"""The audit trail: every verb says here what it did, in the transaction in which it did it."""

from typing import Any

from foundation import clock
from staff import actors
from staff.models import AuditEntry


def record(verb: str, kind: str, target: str, summary: str, **details: Any) -> AuditEntry:
    """Adds an entry. `summary` is a sentence for people; `details` must name no person beyond ids."""
    return AuditEntry.objects.create(
        at=clock.now(), actor=actors.current(), verb=verb, kind=kind, target=target, summary=summary, details=details
    )
