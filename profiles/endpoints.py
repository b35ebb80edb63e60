"""Your addresses that are told what happens here (webhooks): named, changed, taken away; the only writer of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from foundation import addresses
from foundation.errors import Invalid, Problem
from profiles.models import Endpoint
from staff import audit

KINDS = {"profile.erased": "Somebody was erased: do the same with what you have of them."}
FIELDS = ("url", "description", "kinds", "enabled")


def save(id: UUID | None = None, *, now: datetime, **values: Any) -> Endpoint:
    """Names an address, or changes what `values` names of one. Raises `Invalid`, `Endpoint.DoesNotExist`."""
    _check(values, is_new=id is None)
    with transaction.atomic():
        row = Endpoint(created_at=now) if id is None else Endpoint.objects.select_for_update().get(pk=id)
        for name, value in values.items():
            setattr(row, name, value)
        row.save()
        verb = "create" if id is None else "change"
        audit.record(verb, "webhook", str(row.pk), f"{verb.capitalize()}d the webhook {row}.")
    return row


def remove(row: Endpoint) -> None:
    """Takes it away, with what it was not told yet."""
    with transaction.atomic():
        audit.record("delete", "webhook", str(row.pk), f"Deleted the webhook {row}.")
        row.delete()


def that_hear(kind: str) -> list[Endpoint]:
    """Those that are enabled and are to be told of this."""
    return [row for row in Endpoint.objects.filter(enabled=True).order_by("pk") if not row.kinds or kind in row.kinds]


def _check(values: Mapping[str, Any], *, is_new: bool) -> None:
    problems = []
    if (is_new or "url" in values) and (flaw := addresses.flaw(values.get("url"))):
        problems.append(Problem("url", flaw))
    problems += [
        Problem(f"kinds[{place}]", f"there is no {kind!r}; there is {', '.join(KINDS)}")
        for place, kind in enumerate(_list(values.get("kinds")))
        if kind not in KINDS
    ]
    if problems:
        raise Invalid(problems)


def _list(value: Sequence[str] | None) -> Sequence[str]:
    return value or []
