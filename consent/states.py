"""Who may be written to, now: the state that counts for a topic and a channel, and the lock under which it stays so."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from consent import subjects
from consent.models import ConsentState, Limit, State, Topic
from foundation import clock
from foundation.sql import statements

Key = tuple[UUID, str, str]
"""A person, a topic and a channel."""

_FIELDS = ("id", "profile_id", "topic", "channel", "state", "record", "since", "expires_at")
_sql = statements("consent", "ledger")


def of(
    profile_ids: Iterable[UUID], topic: str, channel: str, *, now: datetime | None = None
) -> dict[UUID, ConsentState]:
    """The state of those who have one. Who refused everything refused this topic too, unless it is transactional."""
    found = find(((profile, topic, channel) for profile in profile_ids), now=now)
    return {profile: state for (profile, _, _), state in found.items()}


def lock(keys: Iterable[Key], *, now: datetime | None = None) -> dict[Key, ConsentState]:
    """The same for many (person, topic, channel), held: none of it changes until the caller's transaction ends.

    The lock is `FOR SHARE` on the people's subjects, which every change takes for itself first. So a refusal that
    committed before is seen here, and one that comes later waits until what was decided on is committed.
    """
    keys = list(keys)
    now = now or clock.now()
    subjects.lock_to_read((profile for profile, _, _ in keys), now)
    return find(keys, now=now)


def allows(topic: Topic, state: ConsentState | None) -> bool:
    """Whether a topic may be sent: on the basis of consent only with a yes, on any other unless there is a no."""
    if topic.basis == Topic.Basis.CONSENT:
        return state is not None and state.state == State.GRANTED
    return state is None or state.state == State.GRANTED


def find(keys: Iterable[Key], *, now: datetime | None = None) -> dict[Key, ConsentState]:
    """The same for many (person, topic, channel), as it stands; where it is a refusal of everything, that row.

    A yes that is over by `now` is `expired`, since it was over.
    """
    profiles, topics, channels = [list(column) for column in zip(*keys, strict=True)] or [[], [], []]
    if not profiles:
        return {}
    asked = {"profiles": profiles, "topics": topics, "channels": channels, "now": now or clock.now()}
    rows = _sql.rows("states", asked)
    return {(row[3], row[0], row[1]): ConsentState.from_db("default", _FIELDS, row[2:]) for row in rows}


def restricted() -> QuerySet[Limit, UUID]:
    """The ids of those whose data is stored and nothing else (article 18), to filter people by: as a subquery."""
    return Limit.objects.filter(kind=Limit.Kind.RESTRICTED).values_list("profile", flat=True)


def objecting() -> QuerySet[Limit, UUID]:
    """The ids of those who object to marketing, and so to being sorted for it (article 21): as a subquery."""
    return Limit.objects.filter(kind=Limit.Kind.OBJECTED).values_list("profile", flat=True)
