"""Forgetting a person: everything that names them goes, and for 90 days nothing late brings them back."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from foundation import registry
from foundation.sql import statements
from profiles import merging, pulses
from profiles.imports import leftovers
from profiles.models import Identifier, Merge, Profile, Tombstone
from staff import audit

KEPT = timedelta(days=90)
_sql = statements("profiles", "people")
_LONG_ENOUGH = 8  # characters from which on a value is looked for within other text, and not only as a whole


def erase(profile: Profile, *, now: datetime) -> None:
    """Erases the person here and in the apps above, all in one transaction; once more changes nothing.

    Whoever was merged into somebody meanwhile is that somebody, and erased as such.

    What is left is what names nobody: the audit entry by the opaque id, and keyed hashes of the ids under which they
    came, so that what arrives late is refused (`tombstoned`).
    """
    with transaction.atomic():
        held = _held(profile.pk)
        if held is None:
            return
        id = str(held.pk)
        traces = _traces(held)
        registry.erase.ask(held)
        _bury(traces.ids, now)
        naming = _patterns(traces.ids | traces.addresses)
        _sql.run("erase_events", {"profile": held.pk})
        _sql.run("erase_days", {"profile": held.pk})
        _sql.run("erase_pulses", {"profile": held.pk})
        _sql.run("erase_rejected", naming)
        _sql.run("erase_answers", naming)
        known = _patterns(traces.ids | traces.addresses | traces.names)
        _sql.run("erase_event_samples", known)
        _sql.run("erase_attribute_samples", known)
        Merge.objects.filter(pk__in=traces.merges).delete()
        leftovers.erase(traces.ids | traces.addresses)
        held.delete()
        audit.record("erase", "profile", id, "Erased a person and all that names them.")


def _held(id: UUID) -> Profile | None:
    """Who this person is today, locked and held, if they are still there."""
    while True:
        pulses.lock_all([id])
        # After the lock: while we waited for it they may have been merged.
        if (held := Profile.objects.select_for_update().filter(pk=id).first()) is not None:
            return held
        today = merging.whoever([id]).get(id)
        if today is None:
            return None
        id = today


def tombstoned(ids: Iterable[str]) -> dict[str, datetime]:
    """Of these ids (yours, or of devices) those of somebody who was erased within 90 days, and when that was."""
    by_digest = {_digest(id): id for id in ids}
    found = Tombstone.objects.filter(digest__in=by_digest).values_list("digest", "at")
    return {by_digest[digest]: at for digest, at in found}


def admit(id: str) -> None:
    """Takes the id again: whoever put it there by intent means somebody new."""
    Tombstone.objects.filter(digest=_digest(id)).delete()


def forget(now: datetime) -> int:
    """Drops a batch of tombstones past their time; how many that were."""
    old = Tombstone.objects.filter(at__lte=now - KEPT).order_by("at").values("pk")[:5_000]
    return Tombstone.objects.filter(pk__in=old).delete()[0]


@dataclass(frozen=True, slots=True)
class _Traces:
    """What a person is known by, and the merges that their profile came from."""

    ids: set[str]
    addresses: set[str]
    names: set[str]
    merges: list[int]


def _traces(profile: Profile) -> _Traces:
    ids = set(Identifier.objects.filter(profile=profile).values_list("value", flat=True))
    rows: list[dict[str, Any]] = [{name: getattr(profile, name) for name in ("external_id", *Profile.COLUMNS)}]
    merges: list[int] = []
    people: set[UUID] = {profile.pk}
    while found := list(
        Merge.objects.filter(Q(survivor_id__in=people) | Q(absorbed_id__in=people)).exclude(pk__in=merges)
    ):
        merges += [merge.pk for merge in found]
        # Down the way only: whom the person absorbed, and whom those had absorbed.
        people |= {merge.absorbed_id for merge in found if merge.survivor_id in people}
        rows += [merge.undo["row"] for merge in found if merge.undo]

    def held(*fields: str) -> set[str]:
        return {row[field] for row in rows for field in fields if row.get(field)}

    return _Traces(ids | held("external_id"), held("email", "phone"), held("first_name", "last_name"), merges)


def _patterns(values: set[str]) -> dict[str, list[str]]:
    """What to look for in stored JSON, as patterns of LIKE: short values as whole strings, long ones anywhere."""
    patterns = set()
    for value in values:
        for text in {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}:
            like = re.sub(r"([\\%_])", r"\\\1", text)
            patterns.add(f"%{like}%" if len(value) >= _LONG_ENOUGH else f'%"{like}"%')
    # Whole numbers may have come as such.
    patterns |= {f'%Id":{id}{end}%' for id in values if id.isdigit() for end in ",}"}
    return {"patterns": sorted(patterns)}


def _bury(ids: Iterable[str], now: datetime) -> None:
    Tombstone.objects.bulk_create(
        [Tombstone(digest=_digest(id), at=now) for id in sorted(ids)],
        update_conflicts=True,
        unique_fields=["digest"],
        update_fields=["at"],
    )


def _digest(id: str) -> str:
    key = hmac.digest(settings.SUPPRESSION_KEY.encode(), b"cairn.tombstone", hashlib.sha256)
    return hmac.new(key, id.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
