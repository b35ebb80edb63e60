"""What people got: what caps and cooldowns count, held still while they do."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from foundation.sql import statements
from messaging.judging import Candidate
from messaging.models import Message

_PEOPLE, _COMPANIES = 0x0CA1_0010, 0x0CA1_0011  # seeds of locks, so that they are none of other meaning
_sql = statements("messaging", "limits")


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that we committed to send, or are about to (`name` is set for those)."""

    id: UUID
    channel: str
    topic_id: int
    template_id: int
    at: datetime
    name: str = ""


class History:
    """What each person (or company) got, by id; what a batch is about to send is added as it is decided."""

    def __init__(self, rows: Iterable[tuple[Any, ...]] = ()) -> None:
        self._sent: dict[UUID, dict[UUID, Sent]] = defaultdict(dict)
        for whose, *sent in rows:
            self._sent[whose][sent[0]] = Sent(*sent)

    def of(self, whose: UUID | None, but: UUID) -> list[Sent]:
        """All of theirs but one, the oldest first."""
        found = self._sent.get(whose, {}) if whose else {}
        return sorted((one for one in found.values() if one.id != but), key=lambda one: (one.at, one.id))

    def add(self, whose: UUID | None, message: Message, now: datetime) -> None:
        if whose:
            self._sent[whose][message.id] = Sent(
                message.id, message.channel, message.topic_id, message.template_id, now, message.template.name
            )


def of_people(candidates: Sequence[Candidate], since: datetime) -> History:
    """What they got since then, held: nobody else commits to send them anything that counts until we commit (EM-11)."""
    return _of({one.profile.id for one in candidates}, _PEOPLE, "sent_to_people", since)


def of_companies(candidates: Sequence[Candidate], since: datetime) -> History:
    """The same of their companies. Asked after people, by all, so that nobody waits in a circle."""
    ids = {one.profile.account_id for one in candidates if one.profile.account_id}
    return _of(ids, _COMPANIES, "sent_to_companies", since)


def _of(ids: Iterable[UUID], seed: int, statement: str, since: datetime) -> History:
    held = sorted(ids)
    if not held:
        return History()
    _sql.rows("take_turns", {"ids": held, "seed": seed})
    # A statement of its own: it sees what was committed while we waited.
    return History(_sql.rows(statement, {"ids": held, "since": since}))
