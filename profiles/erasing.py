"""Forgetting a person: everything that names them goes, and for 90 days nothing late brings them back."""

import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Sum

from foundation import registry
from foundation.sql import statements
from profiles import journal, merging, pulses, telling
from profiles.imports import leftovers
from profiles.models import Erasure, Identifier, Merge, Profile, Tombstone
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
        kept = _remembered(registry.erase.ask(held))
        digests = [_digest(id) for id in sorted(traces.ids)]
        bury(digests, now)
        # The row now, in this transaction; its line in the journal as soon as it is committed.
        values = {"others": traces.others, "digests": digests, "kept": kept, "at": now}
        Erasure.objects.update_or_create(pk=held.pk, defaults=values)
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
        telling.tell("profile.erased", {"id": id, "others": [str(other) for other in traces.others]}, now=now)
        # Should that fail, the loop makes up for it: what is committed is erased, and stays so.
        transaction.on_commit(lambda: journal.write(now), robust=True)


def _remembered(answers: Iterable[dict[str, Any] | None]) -> dict[str, Any]:
    """What the apps above must remember, by name."""
    kept: dict[str, Any] = {}
    for answer in answers:
        kept |= answer or {}
    return kept


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


def count_late(ids: Iterable[str]) -> None:
    """Counts what came late under these ids, once for each time that an id is named."""
    for digest, times in sorted(Counter(map(_digest, ids)).items()):
        Tombstone.objects.filter(digest=digest).update(late=F("late") + times)


def late() -> int:
    """How much came late under the ids of those who were erased within 90 days, and was refused (ER-03)."""
    return Tombstone.objects.aggregate(n=Sum("late"))["n"] or 0


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
    others: list[UUID]
    """Profiles that had become theirs."""


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

    others = sorted(people - {profile.pk})
    return _Traces(ids | held("external_id"), held("email", "phone"), held("first_name", "last_name"), merges, others)


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


def bury(digests: Iterable[str], at: datetime) -> None:
    """Remembers ids, as their keyed hashes, as those of somebody who was erased then."""
    Tombstone.objects.bulk_create(
        [Tombstone(digest=digest, at=at) for digest in sorted(set(digests))],
        update_conflicts=True,
        unique_fields=["digest"],
        update_fields=["at"],
    )


def _digest(id: str) -> str:
    key = hmac.digest(settings.SUPPRESSION_KEY.encode(), b"cairn.tombstone", hashlib.sha256)
    return hmac.new(key, id.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
