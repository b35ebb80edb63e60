"""People and what they did, put straight into the tables as ingest leaves them: events, daily counts, catalogue."""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from consent.models import Topic
from profiles.models import Account, EventType, Profile
from segments import language

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Done:
    """Something that somebody did."""

    name: str
    at: datetime
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Someone:
    """A person as a test describes them."""

    events: list[Done] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    account: dict[str, Any] | None = None
    id: UUID = field(default_factory=uuid.uuid4)


def there(condition: Any) -> Any:
    """The condition, once the topics and journeys that it speaks of are there."""
    from journeys.models import Journey

    for kind, slug, _ in language.parse(condition).refers():
        if kind == "journey":
            Journey.objects.get_or_create(slug=slug, defaults={"name": slug, "created_at": EPOCH})
        if kind == "topic":
            words = {"name": slug, "description": "It.", "purpose": "For it.", "channels": ["email"]}
            Topic.objects.get_or_create(slug=slug, defaults=words)
    return condition


def settle(people: Iterable[Someone]) -> list[Someone]:
    """Stores these people with all they did."""
    people = list(people)
    profiles = []
    for one in people:
        account = None
        if one.account is not None:
            account = Account.objects.create(
                external_id=str(uuid.uuid4()),
                name=one.account.get("name"),
                attributes={k: v for k, v in one.account.items() if k != "name"},
                created_at=EPOCH,
            )
        columns = {"external_id": str(one.id), "first_seen_at": EPOCH, "last_seen_at": EPOCH, **one.columns}
        profiles.append(Profile(id=one.id, account=account, attributes=one.attributes, **columns))
    Profile.objects.bulk_create(profiles)
    did([(one.id, done) for one in people for done in one.events])
    return people


def did(events: Iterable[tuple[UUID, Done]]) -> None:
    """Stores events as ingest does: the rows, and the counts of their days."""
    events = list(events)
    if not events:
        return
    numbers = {name: number(name) for name in {done.name for _, done in events}}
    rows = [
        {
            "id": str(uuid.uuid4()),
            "profile": str(person),
            "name": numbers[done.name],
            "at": done.at.isoformat(),
            "properties": json.dumps(done.properties),
        }
        for person, done in events
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH given AS (
                SELECT * FROM jsonb_to_recordset(%s::jsonb)
                    AS g(id text, profile uuid, name int, at timestamptz, properties text)
            ), stored AS (
                INSERT INTO profiles_event (message_id, profile_id, name_id, occurred_at, received_at, properties)
                SELECT id, profile, name, at, at, properties::jsonb FROM given
            )
            INSERT INTO profiles_eventday AS d (profile_id, name_id, day, n, first_at, last_at)
            SELECT profile, name, (at AT TIME ZONE 'UTC')::date, count(*), min(at), max(at) FROM given GROUP BY 1, 2, 3
            ON CONFLICT (profile_id, name_id, day) DO UPDATE SET n = d.n + excluded.n,
                first_at = least(d.first_at, excluded.first_at), last_at = greatest(d.last_at, excluded.last_at)
            """,
            [json.dumps(rows)],
        )


def number(name: str) -> int:
    """The number under which events of this name are stored."""
    kind, _ = EventType.objects.get_or_create(name=name, defaults={"first_seen_at": EPOCH, "last_seen_at": EPOCH})
    return int(kind.id)
