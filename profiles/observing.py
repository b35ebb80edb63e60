"""The data catalogue's numbers and examples, kept from what arrives: no look at it grows with what is stored."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from foundation.sql import statements
from profiles import samples
from profiles.models import AttributeType, EventType

_BATCH = 2_000  # arrivals taken in one transaction
_EVENTS = 20  # events of a name that are looked at in each batch
_PEOPLE = 5_000  # people of whom the attributes are looked at
_RECENT = 500
_MOST_PROPERTIES = 200
_sql = statements("profiles", "observing")


def observe(now: datetime) -> int:
    """Counts what arrived since it was last asked, and looks at a few events and people; how many arrivals it took."""
    done = 0
    while taken := _take():
        done += taken
        if taken < _BATCH:
            break
    with transaction.atomic():
        _sql.run("lately", {"today": now.date()})
        _sql.run("prune", {"today": now.date()})
    _look_at_values(AttributeType.Of.PROFILE, "profiles_profile", "sample_people", "recent_people", now)
    _look_at_values(AttributeType.Of.ACCOUNT, "profiles_account", "sample_companies", None, now)
    return done


def _take() -> int:
    with transaction.atomic():
        rows = _sql.rows("take", {"limit": _BATCH})
        of_name: Counter[int] = Counter()
        wanted = []
        for _, name, profile, at in rows:
            of_name[name] += 1
            if of_name[name] <= _EVENTS:
                wanted.append((profile, name, at))
        _look_at_events(wanted)
        return len({id for id, *_ in rows})


def _look_at_events(wanted: list[tuple[UUID, int, datetime]]) -> None:
    if not wanted:
        return
    profiles, names, times = (list(column) for column in zip(*wanted, strict=True))
    found = _sql.rows("look", {"profiles": profiles, "names": names, "times": times, "limit": 2 * len(wanted)})
    changed = []
    kinds = EventType.objects.select_for_update().order_by("pk").in_bulk({name for name, _ in found})
    for name, properties in found:
        kind = kinds[name]
        news = [_learn(kind.properties, key, value) for key, value in json.loads(properties).items()]
        if any(news):
            changed.append(kind)
    EventType.objects.bulk_update({kind.pk: kind for kind in changed}.values(), ["properties"])


def _learn(properties: dict[str, Any], name: str, value: Any) -> bool:
    if name not in properties and len(properties) >= _MOST_PROPERTIES:
        return False
    return samples.learn(properties.setdefault(name, {}), name, value)


@dataclass(slots=True)
class _Seen:
    """What was seen of one attribute. `n` is how many of the sample have it."""

    values: list[Any] = field(default_factory=list)
    n: int = 0
    last_at: datetime | None = None

    def add(self, value: Any, at: datetime) -> None:
        self.values.append(value)
        self.last_at = at if self.last_at is None else max(self.last_at, at)


def _look_at_values(of: AttributeType.Of, table: str, sample: str, recent: str | None, now: datetime) -> None:
    """Learns the attributes of a random share of people or companies, and of those who came last."""
    size = float(_sql.rows("size", {"table": table})[0][0])
    percent = min(100.0, 100 * _PEOPLE / max(size, 1))
    seen: dict[str, _Seen] = {}
    rows = _sql.rows(sample, {"percent": percent})
    for attributes, at in rows:
        for name, value in json.loads(attributes).items():
            one = seen.setdefault(name, _Seen())
            one.add(value, at)
            one.n += value is not None
    if recent and percent < 100:
        for attributes, at in _sql.rows(recent, {"limit": _RECENT}):
            for name, value in json.loads(attributes).items():
                seen.setdefault(name, _Seen()).add(value, at)
    scale = 1.0 if percent == 100 else size / max(len(rows), 1)
    _write_attributes(of, seen, scale, is_whole=percent == 100, now=now)


def _write_attributes(
    of: AttributeType.Of, seen: dict[str, _Seen], scale: float, *, is_whole: bool, now: datetime
) -> None:
    with transaction.atomic():
        missing = seen.keys() - set(AttributeType.objects.filter(of=of).values_list("name", flat=True))
        AttributeType.objects.bulk_create(
            [AttributeType(of=of, name=name, first_seen_at=now, last_seen_at=now) for name in sorted(missing)],
            ignore_conflicts=True,
        )
        changed = []
        for row in AttributeType.objects.select_for_update().filter(of=of).order_by("pk"):
            before = (row.volume, row.last_seen_at)
            one = seen.get(row.name)
            news = _learn_attribute(row, one.values) if one else False
            if one or is_whole:
                row.volume = round(one.n * scale) if one else 0
            if one and one.last_at:
                row.last_seen_at = max(row.last_seen_at, one.last_at) if row.name not in missing else one.last_at
            if news or before != (row.volume, row.last_seen_at):
                changed.append(row)
        AttributeType.objects.bulk_update(changed, ["types", "samples", "volume", "last_seen_at"])


def _learn_attribute(row: AttributeType, values: Iterable[Any]) -> bool:
    known = {"types": row.types, "samples": row.samples}
    learnt = [samples.learn(known, row.name, value) for value in values]
    return any(learnt)
