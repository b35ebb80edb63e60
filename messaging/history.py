"""What people got: what caps and cooldowns count, held still while they do."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from foundation.sql import statements
from messaging.judging import Candidate
from messaging.models import Message

_PEOPLE, _COMPANIES = 0x0CA1_0010, 0x0CA1_0011  # seeds of locks, so that they are none of other meaning
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_sql = statements("messaging", "limits")


class Sent(NamedTuple):
    """A message that we committed to send, or are about to (`name` is set for those)."""

    id: str
    channel: str
    topic_id: int
    template_id: int
    tick: int
    """When, in microseconds: a batch has thousands of these, and to make a datetime of each takes longest of all."""
    name: str = ""

    @property
    def at(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.tick)


def tick_of(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


class History:
    """What each person (or company) got, by id; what a batch is about to send is added as it is decided."""

    def __init__(self, whose: Sequence[UUID] = (), rows: Iterable[tuple[Any, ...]] = ()) -> None:
        """Of rows that begin with the place in `whose` of whose they are, each one's together, the oldest first."""
        self._sent = {
            whose[place - 1]: [Sent._make(row[1:]) for row in theirs] for place, theirs in groupby(rows, itemgetter(0))
        }

    def of(self, whose: UUID | None, but: Message) -> list[Sent]:
        """All of theirs but one, the oldest first."""
        sent = self._sent.get(whose, []) if whose else []
        if but.sending_at is None:
            return sent  # it was never committed to, and so is not among them
        return [one for one in sent if one.id != str(but.id)]

    def add(self, whose: UUID | None, message: Message, now: datetime) -> None:
        if whose:
            name = message.template.name
            sent = Sent(str(message.id), message.channel, message.topic_id, message.template_id, tick_of(now), name)
            self._sent[whose] = [*self.of(whose, message), sent]


def of_people(candidates: Sequence[Candidate], since: datetime) -> History:
    """What they got since then, held: nobody else commits to send them anything that counts until we commit (EM-11)."""
    return _of({one.profile.id for one in candidates}, _PEOPLE, "sent_to_people", since)


def of_companies(candidates: Sequence[Candidate], since: datetime) -> History:
    """The same of their companies. Asked after people, by all, so that nobody waits in a circle."""
    ids = {one.profile.account_id for one in candidates if one.profile.account_id}
    return _of(ids, _COMPANIES, "sent_to_companies", since)


def _of(ids: Iterable[UUID], seed: int, statement: str, since: datetime) -> History:
    held = sorted(ids, key=attrgetter("int"))
    if not held:
        return History()
    _sql.rows("take_turns", {"ids": held, "seed": seed})
    # A statement of its own: it sees what was committed while we waited.
    return History(held, _sql.rows(statement, {"ids": held, "since": since}))
