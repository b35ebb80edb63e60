"""Taking in what people did and what is said of them: the one way in, for events from outside and for our own."""

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import Max

from foundation import strict_json
from foundation.errors import Invalid
from foundation.sql import array, statements
from foundation.wake import wake
from profiles import calls, catalogue, merging
from profiles.calls import Arrival, Call, Kind
from profiles.companies import Companies
from profiles.erasing import count_late, tombstoned
from profiles.identity import LeftOut, Overtaken, People, Person, Trust
from profiles.models import RejectedEvent, Tombstone
from profiles.pulses import MANY

__all__ = ["Ours", "Receipt", "Trust", "emit", "take"]

_TRIES = 6
_MOST_OVERTAKEN = 50
_TIES = {"40001", "40P01"}  # serialization failure, deadlock
_sql = statements("profiles", "ingest")
T = TypeVar("T")
M = TypeVar("M", "Call", "Ours")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch: how many items were stored, how many had come before, and which were refused, and why."""

    stored: int
    repeated: int
    rejected: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Ours:
    """An event of our own, whose name begins with `$`."""

    profile_id: UUID
    name: str
    properties: dict[str, Any]
    occurred_at: datetime
    message_id: str


@dataclass(frozen=True, slots=True)
class Alike:
    """Events of our own that are the same for many but for one property, `subject`: an id, which tells them apart."""

    name: str
    properties: dict[str, Any]
    subject: str
    whose: dict[UUID, UUID]  # the subject's id -> who it is about

    def each(self, now: datetime) -> list[Ours]:
        return [
            Ours(whose, self.name, {**self.properties, self.subject: str(id)}, now, f"{self.name}:{id}")
            for id, whose in self.whose.items()
        ]


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An item that is refused, and its value as it is kept: nothing, where it names somebody who was erased."""

    place: int
    reason: str
    item: Any

    @property
    def claim(self) -> str | None:
        """What is claimed for it, so that it is not kept again when its batch is repeated.

        Not its message id itself: the item may come again, mended.
        """
        value = _value(self.item)
        id = value.get("messageId") if isinstance(value, dict) else None
        return f"refused {id} {self.reason}" if isinstance(id, str) else None


def take(
    items: Sequence[Any],
    *,
    source: str,
    trust: Trust,
    now: datetime,
    sent_at: datetime | None = None,
    historical: bool = False,
) -> Receipt:
    """Takes items as the tracking API knows them, in their order, each for itself: a bad one costs no other.

    All in one transaction, and in a few statements however many there are. What has come before, by its message id,
    is taken to have been stored, and does nothing. `items` are JSON values, or `strict_json.Sent`.
    """
    arrival = Arrival(now, sent_at, historical)
    read: list[Call] = []
    refused: list[_Refusal] = []
    for place, item in enumerate(items):
        try:
            read.append(calls.read(item, place, arrival))
        except Invalid as error:
            refused.append(_Refusal(place, str(error), item))
    return _insisting(lambda: _store(read, refused, items, source, trust, now, crowd=historical))


def emit(events: Sequence[Ours], *, crowd: bool | None = None, now: datetime) -> None:
    """Stores events of our own, in the caller's transaction; an event whose message id came before does nothing.

    An event of somebody who was merged meanwhile goes to who they are today, and one of somebody who is gone, nowhere.
    `crowd`: whether they come with many and wait in their queue; without a word, where they are many.
    """
    if not events:
        return
    names = catalogue.intern((event.name for event in events), now=now)
    won = _claim((event.message_id for event in events), now)
    new = _first_of_each(events, won)
    people = _stay(event.profile_id for event in new)
    rows = [
        _event(event, people[event.profile_id], names[event.name], event.properties, triggers=True)
        for event in new
        if event.profile_id in people
    ]
    # `seen`: it is not they who did it.
    _settle(rows, [], now, seen=False, crowd=len(rows) > MANY if crowd is None else crowd)


def emit_alike(groups: Sequence[Alike], *, now: datetime) -> None:
    """Stores events of our own that happen now as `emit` does, each under the id `name:subject`; in one statement."""
    if not groups:
        return
    names = catalogue.intern((group.name for group in groups), now=now)
    if _sql.rows("share_or_miss", {"ids": [id for group in groups for id in group.whose.values()]}):
        emit([event for group in groups for event in group.each(now)], now=now)  # somebody was merged meanwhile
        return
    rows = [
        {
            "prefix": f"{group.name}:",
            "name": names[group.name],
            "subject": group.subject,
            "properties": group.properties,
            "ids": array(group.whose),
            "profiles": array(group.whose.values()),
        }
        for group in groups
    ]
    crowd = sum(len(group.whose) for group in groups) > MANY
    _sql.run("settle_alike", {"groups": json.dumps(rows), "crowd": crowd, "now": now})
    wake("journeys.react")


def _insisting(work: Callable[[], T]) -> T:
    """Does the work in a transaction; again where somebody else was first with the same people.

    Ties that PostgreSQL ended at our cost can only be tried again where the transaction is our own.
    """
    overtaken = lost = 0
    while True:
        try:
            with transaction.atomic():
                return work()
        except Overtaken:
            # Each time at least one more of the people is there, so this ends.
            overtaken += 1
            if overtaken == _MOST_OVERTAKEN:
                raise
        except (IntegrityError, OperationalError) as error:
            lost += 1
            if lost == _TRIES or not _may_go_through(error):
                raise
            time.sleep(random.uniform(0.005, 0.03) * 2**lost)  # noqa: S311 (no secret: it parts two who collided)


def _may_go_through(error: Exception) -> bool:
    """Whether the same again may well go through."""
    if isinstance(error, IntegrityError):
        return True  # two made the same person known at once: the second now finds them
    return getattr(error.__cause__, "sqlstate", None) in _TIES and not connection.in_atomic_block


def _store(
    read: Sequence[Call],
    refused: Sequence[_Refusal],
    items: Sequence[Any],
    source: str,
    trust: Trust,
    now: datetime,
    *,
    crowd: bool,
) -> Receipt:
    read, refused = _judged(read, refused, items)
    names = catalogue.intern((call.name for call in read if call.is_event), now=now)
    won = _claim([*(call.message_id for call in read), *filter(None, (one.claim for one in refused))], now)
    new = _first_of_each(read, won)
    people = People(new, trust, now)
    # Only now: an erasure that was under way when we asked for its person has left its mark.
    new, late = _parted(new)
    refused += late
    companies = Companies(new, trust, now)
    done = _play(new, people, companies)
    companies.write()
    people.write()
    events = [_event(call, who.id, names[call.name], call.values, triggers=call.triggers) for call, who in done]
    changes = [change for person in people.everybody() for change in _changes(person)]
    _settle(events, changes, now, seen=True, crowd=crowd)
    companies.tell()
    if people.pairs:
        merging.merge(people.pairs, reason="A call said that the two are one person.", now=now)
    _keep(_unkept(refused, won), people.left_out, source, now)
    rejected = sorted((one.place, one.reason) for one in refused)
    return Receipt(len(new), len(read) - len(new) - len(late), rejected)


def _judged(
    read: Sequence[Call], refused: Sequence[_Refusal], items: Sequence[Any]
) -> tuple[list[Call], list[_Refusal]]:
    """The calls that the data catalogue lets pass, and all that are refused."""
    if not any(call.is_event for call in read):
        return list(read), list(refused)
    blocked, required = catalogue.rules()
    passed, held_up = [], list(refused)
    for call in read:
        reason = _against(call, blocked, required) if call.is_event else ""
        if reason:
            held_up.append(_Refusal(call.place, reason, items[call.place]))
        else:
            passed.append(call)
    return passed, held_up


def _against(call: Call, blocked: set[str], required: dict[str, list[str]]) -> str:
    if call.name in blocked:
        return f"event: {call.name} is blocked in the data catalogue."
    missing = [name for name in required.get(call.name, ()) if call.values.get(name) is None]
    if missing:
        return f"properties: {call.name} must have {', '.join(missing)}, as the data catalogue says."
    return ""


def _claim(message_ids: Iterable[str], now: datetime) -> set[str]:
    """Those of these ids that nobody had claimed; they are claimed from now on."""
    by_digest = {hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:32]: id for id in message_ids}
    if not by_digest:
        return set()
    params = {"ids": f"{{{','.join(by_digest)}}}", "now": now}
    return {by_digest[id.hex] for (id,) in _sql.rows("claim", params)}


def _first_of_each(messages: Iterable[M], won: set[str]) -> list[M]:
    new: dict[str, M] = {}
    for message in messages:
        if message.message_id in won:
            new.setdefault(message.message_id, message)
    return list(new.values())


def _parted(new: Sequence[Call]) -> tuple[list[Call], list[_Refusal]]:
    """The calls, without those that speak of somebody's time before they were erased (STANDARDS ER-03)."""
    last = Tombstone.objects.aggregate(last=Max("at"))["last"]
    if last is None or not any(call.occurred_at <= last for call in new):
        return list(new), []
    erased = tombstoned({name for call in new if call.occurred_at <= last for name in call.names})
    passed, late = [], []
    came_late: list[str] = []
    for call in new:
        if names := [name for name in call.names if name in erased and call.occurred_at <= erased[name]]:
            late.append(_Refusal(call.place, _ERASED, None))
            came_late.append(names[0])
        else:
            passed.append(call)
    count_late(came_late)
    return passed, late


_ERASED = "It happened before the person was erased, so nothing of it is kept."


def _play(new: Sequence[Call], people: People, companies: Companies) -> list[tuple[Call, Person]]:
    """Has each call take effect on people and companies, in their order; the events, each with whose it is."""
    events = []
    for call in new:
        if call.is_event:
            events.append((call, people.of(call)))
        elif call.kind is Kind.IDENTIFY:
            people.identify(call)
        elif call.kind is Kind.GROUP:
            companies.group(people.of(call), call)
        else:
            people.alias(call)
    return events


def _event(message: Call | Ours, profile_id: UUID, name: int, properties: dict[str, Any], *, triggers: bool) -> Any:
    return {
        "message": message.message_id,
        "profile": str(profile_id),
        "name": name,
        "at": message.occurred_at.isoformat(),
        "triggers": triggers,
        "properties": properties,
    }


def _changes(person: Person) -> list[Any]:
    """What changed of a person: apart what is fresh and what is history, if there is any of it."""
    return [
        {"profile": str(person.id), "fresh": fresh, "attributes": sorted(names)} for fresh, names in person.news.parts()
    ]


def _settle(events: list[Any], changes: list[Any], now: datetime, *, seen: bool, crowd: bool) -> None:
    """Stores events and has everybody concerned looked at again; `crowd`: in the queue of those who come with many."""
    if events or changes:
        params = {
            "events": json.dumps(events),
            "changes": json.dumps(changes),
            "seen": seen,
            "crowd": crowd,
            "now": now,
        }
        _sql.run("settle", params)
        wake("journeys.react")


def _stay(profile_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Who these people are today, of those that are still there; none of them is merged or erased until we are done."""
    today = {id: id for id in profile_ids}
    there: set[UUID] = set()
    while wanted := set(today.values()) - there:
        found = {id for (id,) in _sql.rows("share_people", {"ids": list(wanted)})}
        gone = wanted - found
        became = merging.whoever(gone)
        today = {asked: became.get(id, id) for asked, id in today.items() if id not in gone or id in became}
        there |= found
    return today


def _unkept(refused: Iterable[_Refusal], won: set[str]) -> list[_Refusal]:
    """Those that have not been kept before, each once."""
    unkept: dict[str | int, _Refusal] = {}
    for one in refused:
        if one.claim is None or one.claim in won:
            unkept.setdefault(one.claim or one.place, one)
    return list(unkept.values())


def _keep(refused: Sequence[_Refusal], left_out: Sequence[LeftOut], source: str, now: datetime) -> None:
    """Keeps what was refused, as it came; and of browsers' calls what they could not say, as the call that would.

    Of items by the ten thousands, which no real calls can be in a body of that size, only so many are kept.
    """
    rows = [_rejected(one.place, one.item, one.reason, source, now) for one in refused[:_MOST_KEPT]]
    if more := len(refused) - len(rows):
        rows.append(_rejected(refused[_MOST_KEPT].place, None, _AND_MORE.format(more), source, now))
    for one in _unsaid(left_out, now):
        item = {"type": one.call.kind.value, **one.fields, "timestamp": one.call.occurred_at.isoformat()}
        rows.append(_rejected(one.call.place, item, one.reason, source, now))
    RejectedEvent.objects.bulk_create(rows, batch_size=1_000)


_MOST_KEPT = 5_000
_AND_MORE = "{:,} more items of this batch were refused and are not kept. They began with this one."


def _unsaid(left_out: Sequence[LeftOut], now: datetime) -> list[LeftOut]:
    """Without links that were refused before: a page says the same with each visit.

    Claimed last of all, so that whoever waits for such a claim waits for somebody who waits for nobody.
    """
    # Of several in one batch the first is kept, as it would be had they come one by one.
    links = {f"unlinked {json.dumps(one.fields)}": one for one in reversed(left_out) if one.once}
    won = _claim(links, now)
    return [one for one in left_out if not one.once] + [one for id, one in links.items() if id in won]


def _rejected(place: int, item: Any, reason: str, source: str, now: datetime) -> RejectedEvent:
    value = _value(item)
    if isinstance(value, dict):
        value = {name: inner for name, inner in value.items() if name != "writeKey"}
    said = value if isinstance(value, dict) else {}
    return RejectedEvent(
        received_at=now,
        source=source,
        position=place,
        type=_storable(said.get("type")),
        name=_storable(said.get("event")),
        reason=reason,
        payload=strict_json.encode(value),
    )


def _value(item: Any) -> Any:
    return item.value if isinstance(item, strict_json.Sent) else item


def _storable(text: Any) -> str:
    if not isinstance(text, str):
        return ""
    return text[:200].replace("\x00", "").encode("utf-8", "replace").decode()
