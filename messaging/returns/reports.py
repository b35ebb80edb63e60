"""Keeping what is told about messages, as it comes and once: nothing is looked up and nothing done about it here."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from foundation import wake
from messaging.returns import meaning
from messaging.returns.models import Reached, Report

LOOP = "messaging.returns"
_RAW, _LONG = 20_000, 2_000
_RAW_KEPT, _KEPT = timedelta(days=90), timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What somebody says about a message. `kind` as Anymail names events, or the action of a DSN.

    `named`: the message that it is about, if they know our name for it; `proven`: it came to an address that we signed.
    """

    source: str
    kind: str
    named: UUID | None = None
    proven: bool = False
    provider_id: str = ""
    header_id: str = ""
    recipient: str = ""
    event_id: str = ""
    status: str = ""
    said: str = ""
    reason: str = ""
    url: str = ""
    agent: str = ""
    at: datetime | None = None
    raw: str = ""

    @property
    def key(self) -> str:
        """By their own name for it, else by all that tells it from others (PR-03)."""
        who = self.recipient.lower()
        told = (
            (self.event_id, who, self.kind)
            if self.event_id
            else (str(self.named or ""), self.provider_id, self.header_id, who, self.kind,
                  self.at.isoformat() if self.at else "", self.url, "" if self.at else self.raw)
        )  # fmt: skip
        return hashlib.sha256("\n".join((self.source, *told)).encode("utf-8", "surrogatepass")).hexdigest()


def keep(told: Sequence[Told], *, now: datetime) -> int:
    """Keeps what is new of it, and wakes whoever acts on it; how many that were."""
    rows = {one.key: _row(one, now) for one in told}
    known = set(Report.objects.filter(key__in=rows).values_list("key", flat=True))
    new = [row for key, row in rows.items() if key not in known]
    # Whoever delivers the same at the same moment is second, and adds nothing.
    Report.objects.bulk_create(new, ignore_conflicts=True)
    if new:
        wake.wake(LOOP)
    return len(new)


def forget(now: datetime) -> int:
    """Drops what reports said word for word after 90 days, and the reports after 400."""
    old = Report.objects.filter(received_at__lt=now - _RAW_KEPT).exclude(raw="")
    dropped = old.update(raw="", agent="")
    dropped += Report.objects.filter(received_at__lt=now - _KEPT).delete()[0]
    return dropped + Reached.objects.filter(at__lt=now - _KEPT).delete()[0]


def _row(told: Told, now: datetime) -> Report:
    at, why = told.at, ""
    if at is not None and timezone.is_naive(at):
        at, why = None, "It says when it happened without a time zone."
    code = meaning.codes_in(told.status, told.said)
    said = _clean(told.said, _LONG)
    return Report(
        key=told.key,
        source=_clean(told.source, 30),
        kind=_clean(told.kind, 30) or "unknown",
        meaning=meaning.of(told.kind, status=told.status, said=told.said, reason=told.reason),
        named=told.named,
        proven=told.proven,
        provider_id=_clean(told.provider_id, 500),
        header_id=_clean(told.header_id, 500),
        recipient=_clean(told.recipient, 320),
        reason=_clean(told.reason, 30),
        url=_clean(told.url, _LONG),
        agent=_clean(told.agent, 300),
        said=said if not code or code in said else f"{code} {said}".strip(),
        raw=_clean(told.raw, _RAW),
        at=at,
        received_at=now,
        due_at=now,
        state=Report.State.QUARANTINED if why else Report.State.WAITING,
        why=why,
    )


def _clean(text: str, most: int) -> str:
    """What PostgreSQL can hold, in bounds."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:most]
