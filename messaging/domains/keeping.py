"""Sender domains: added, looked at by hand and by the clock, verified or found wanting, dropped. The only writer."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from foundation.errors import Conflict, Invalid, Problem
from messaging import limits
from messaging.domains import doctor, freemail, policy
from messaging.domains.asking import Asker
from messaging.domains.doctor import Finding, Way
from messaging.domains.models import SenderDomain
from staff import audit

Status = SenderDomain.Status
GUARDRAIL = "sender"
"""The guardrail that holds back what comes from a domain that is not in order."""

_NAME = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])\Z")
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?\Z", re.IGNORECASE)
_DAILY, _SOON = timedelta(hours=12), timedelta(minutes=15)
_ENOUGH = 2  # looks by the clock, one after the other, that find it wanting: one may be a mishap of the DNS
_A_TICK = 2  # domains that one run looks at, since each may take its time


def add(name: str, *, selectors: Sequence[str] = (), now: datetime) -> SenderDomain:
    """Has a domain looked after, from which mail may come once it is verified. `Invalid`: what is wrong."""
    domain, keys = check(name, selectors)
    with transaction.atomic():
        row, made = SenderDomain.objects.get_or_create(
            name=domain, defaults={"selectors": keys, "since": now, "next_at": now}
        )
        if not made:
            raise Conflict(f"{domain} is among the sender domains already.")
        audit.record("domain.added", "sender domain", domain, f"Added the sender domain {domain}.")
    return row


def change(row: SenderDomain, *, selectors: Sequence[str], now: datetime) -> None:
    """Says under which names its DKIM keys are; it is looked at again soon."""
    _, keys = check(row.name, selectors)
    with transaction.atomic():
        SenderDomain.objects.filter(pk=row.pk).update(selectors=keys, next_at=now)
        said = ", ".join(keys) or "the usual names"
        audit.record("domain.changed", "sender domain", row.name, f"Looks for DKIM keys of {row.name} under {said}.")


def drop(row: SenderDomain, *, now: datetime) -> None:
    """Mail may not come from it any more, where domains must be verified."""
    with transaction.atomic():
        SenderDomain.objects.filter(pk=row.pk).delete()
        audit.record("domain.dropped", "sender domain", row.name, f"Took {row.name} from the sender domains.")
        limits.release([GUARDRAIL], now=now)


def check(name: str, selectors: Sequence[str]) -> tuple[str, list[str]]:
    """Both as they would be kept; `Invalid` with all that is wrong."""
    domain = policy.domain_of(name)
    keys = list(dict.fromkeys(one.strip().lower() for one in selectors if one.strip()))
    problems = []
    if not _NAME.match(domain):
        problems.append(Problem("name", "must be a domain such as example.com"))
    elif domain in freemail.DOMAINS:
        problems.append(Problem("name", f"is {domain}, where anybody has a mailbox; name a domain of your own"))
    if len(keys) > 5 or not all(_SELECTOR.match(one) for one in keys):
        problems.append(Problem("selectors", "must be at most five names such as s1, parted by commas"))
    if problems:
        raise Invalid(problems)
    return domain, keys


# ── Looking ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def look(row: SenderDomain, *, now: datetime, ask: Asker | None = None, way: Way | None = None) -> list[Finding]:
    """Looks at a domain now, on somebody's word, and goes by what is found at once."""
    found = doctor.examine(row.name, row.selectors, way or Way.ours(), ask or Asker(), now)
    _go_by(row, found, now, enough=1)
    return found


def tick(now: datetime, *, ask: Asker | None = None, way: Way | None = None) -> int:
    """Looks at domains whose time has come; how many. A verified one fails when it is found wanting twice in a row."""
    due = list(SenderDomain.objects.filter(next_at__lte=now).order_by("next_at", "id")[:_A_TICK])
    for row in due:
        found = doctor.examine(row.name, row.selectors, way or Way.ours(), ask or Asker(), now)
        _go_by(row, found, now, enough=_ENOUGH)
    return len(due)


def _go_by(seen: SenderDomain, found: Sequence[Finding], now: datetime, *, enough: int) -> None:
    """Writes down what was found; silence leaves the status as it was."""
    good = doctor.verdict(found)
    with transaction.atomic():
        row = SenderDomain.objects.select_for_update().filter(pk=seen.pk).first()
        if row is None:
            return
        before = row.status
        row.findings, row.checked_at = [one.stored() for one in found], now
        if good is not None:
            row.wanting = 0 if good else row.wanting + 1
            if good:
                row.status = Status.VERIFIED
            elif row.status != Status.VERIFIED or row.wanting >= enough:
                row.status = Status.FAILED
        row.next_at = now + (_DAILY if row.status == Status.VERIFIED and good else _SOON)
        if row.status != before:
            row.since = now
            _tell(row, now)
        row.save()
    seen.refresh_from_db()


def _tell(row: SenderDomain, now: datetime) -> None:
    """What follows of a new status: what waited for it goes on, and the trail says so."""
    if row.status == Status.VERIFIED:
        audit.record("domain.verified", "sender domain", row.name, f"Found {row.name} in order: mail may come from it.")
        limits.release([GUARDRAIL], now=now)
    else:
        lacks = " ".join(
            one.says for one in findings(row) if one.level == doctor.Level.WRONG and one.about in doctor.NEEDED
        )
        audit.record("domain.failed", "sender domain", row.name, f"Found {row.name} not in order. {lacks}")


def findings(row: SenderDomain) -> list[Finding]:
    return [Finding.read(one) for one in row.findings]
