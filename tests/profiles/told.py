"""What the tests of ingest say and see: calls in short, and the whole state in words that do not depend on our ids."""

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from profiles.ingest import Receipt, Trust, take
from profiles.models import (
    Account,
    Event,
    EventDay,
    EventType,
    Identifier,
    IdentityConflict,
    Merge,
    Profile,
    Pulse,
    RejectedEvent,
)


def track(event: str = "Visited", **fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": event, **fields}


def identify(**fields: Any) -> dict[str, Any]:
    return {"type": "identify", **fields}


def group(group_id: str, **fields: Any) -> dict[str, Any]:
    return {"type": "group", "groupId": group_id, **fields}


def alias(previous: str, user: str, **fields: Any) -> dict[str, Any]:
    return {"type": "alias", "previousId": previous, "userId": user, **fields}


def ago(now: datetime, **span: float) -> str:
    return (now - timedelta(**span)).isoformat()


def given(*items: Any, now: datetime, trust: Trust = Trust.SERVER, **options: Any) -> Receipt:
    return take(items, source="key:Test", trust=trust, now=now, **options)


def somebody(id: str) -> Profile:
    """Who this id, of whatever kind, leads to."""
    return Profile.objects.get(identifiers__value=id)


def events_of(id: str) -> list[str]:
    rows = Event.objects.filter(profile=somebody(id)).order_by("occurred_at", "id")
    return [row.type.name for row in rows.select_related("type")]


def state() -> dict[str, Any]:
    """All that ingest writes, with people and companies called by their names."""
    names = {profile.pk: _name_of(profile) for profile in Profile.objects.all()}
    accounts = {account.pk: account.external_id for account in Account.objects.all()}
    types = dict(EventType.objects.values_list("pk", "name"))
    messages = dict(Event.objects.values_list("pk", "message_id"))
    return {
        "people": {
            names[p.pk]: (
                p.external_id,
                [getattr(p, column) for column in Profile.COLUMNS],
                _exact(p.attributes),
                p.attribute_times,
                p.account_id and accounts[p.account_id],
                p.first_seen_at,
                p.last_seen_at,
            )
            for p in Profile.objects.all()
        },
        "events": Counter(
            (e.message_id, names[e.profile_id], types[e.type_id], e.occurred_at, _exact(e.properties))
            for e in Event.objects.all()
        ),
        "days": {
            (names[d.profile_id], types[d.type_id], d.day): (d.n, d.first_at, d.last_at) for d in EventDay.objects.all()
        },
        "accounts": {a.external_id: (a.name, _exact(a.attributes), a.attribute_times) for a in Account.objects.all()},
        "conflicts": Counter(
            frozenset((names[c.first_id], names[c.second_id])) for c in IdentityConflict.objects.all()
        ),
        "merges": Counter(names.get(m.survivor_id) for m in Merge.objects.all()),
        "rejected": Counter((r.type, r.reason, r.payload) for r in RejectedEvent.objects.all()),
        "pulses": _pulses(names, types, messages),
    }


def _name_of(profile: Profile) -> tuple[Any, ...]:
    return tuple(sorted(Identifier.objects.filter(profile=profile).values_list("kind", "value")))


def _exact(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _pulses(names: dict[Any, Any], types: dict[int, str], messages: dict[int, str]) -> dict[Any, Any]:
    """Per person what was done that may trigger, and what was done at all."""
    found: dict[Any, tuple[set[str], set[str]]] = {}
    for pulse in Pulse.objects.all():
        events, done = found.setdefault(names[pulse.profile_id], (set(), set()))
        events.update(messages[id] for id in pulse.events)
        done.update(types[id] for id in pulse.names)
    return found
