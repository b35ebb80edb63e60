"""Who a call is about: its names lead to people, who are made, linked and merged as the calls say, in their order.

`People` plays a batch through in memory, on people who are held in the database, and then writes all of it at once.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

from foundation.sql import statements
from profiles import latest
from profiles.calls import Call, Kind
from profiles.latest import News
from profiles.merging import Pair
from profiles.models import Identifier, Profile

_USER, _ANONYMOUS = Identifier.Kind.USER.value, Identifier.Kind.ANONYMOUS.value
_sql = statements("profiles", "ingest")
_Name = tuple[str, str]
"""The kind of an identifier and its value."""


class Trust(Enum):
    """How far the sender is believed. A browser's key is anybody's, so it may say little about people whom we know."""

    SERVER = "server"
    BROWSER = "browser"
    IMPORT = "import"


class Overtaken(Exception):
    """Somebody else made or merged one of these people meanwhile: to be played through again."""


@dataclass(slots=True, eq=False)
class Person:
    """A person of the batch. `row` is as in `profiles.values`, and empty where the batch changes nothing in it."""

    id: UUID
    external_id: str | None
    row: dict[str, Any] = field(default_factory=dict)
    is_new: bool = False
    is_busy: bool = False
    into: "Person | None" = None
    first_at: datetime | None = None
    last_at: datetime | None = None
    news: News = field(default_factory=News)

    @property
    def is_written(self) -> bool:
        """Whether the row is written anew; who only did something is seen when that is stored."""
        return bool(self.row) and self.first_at is not None

    def see(self, at: datetime) -> None:
        self.first_at = at if self.first_at is None else min(self.first_at, at)
        self.last_at = at if self.last_at is None else max(self.last_at, at)

    def put(self, name: str, value: Any, call: Call) -> None:
        """Takes a value unless a later one is known; of two of one moment the one that comes last counts."""
        if latest.put(self.row, name, value, call.occurred_at, Profile.COLUMNS):
            self.note({name}, call)

    def note(self, changed: Iterable[str], call: Call) -> None:
        self.news.note(changed, triggers=call.triggers)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Part of a browser's call that it may not say, as the fields of a call that does. `once`: to be kept but once."""

    call: Call
    fields: dict[str, str | dict[str, Any]]
    reason: str
    once: bool = False


class People:
    """The people of a batch, by every name that its calls bear; held, so that nobody else writes to them meanwhile."""

    def __init__(self, calls: Sequence[Call], trust: Trust, now: datetime) -> None:
        self.trust, self.now = trust, now
        self.pairs: list[Pair] = []
        self.left_out: list[LeftOut] = []
        self._by_name: dict[_Name, Person] = {}
        self._by_id: dict[UUID, Person] = {}
        self._named: list[tuple[_Name, Person]] = []
        self._conflicts: dict[tuple[UUID, UUID], str] = {}
        self._load(calls)

    def _load(self, calls: Sequence[Call]) -> None:
        asked: dict[_Name, bool] = {}
        for call in calls:
            whole = not call.is_event
            for name in _names(call):
                asked[name] = asked.get(name, False) or whole
        if not asked:
            return
        names = [{"kind": kind, "value": value, "whole": whole} for (kind, value), whole in asked.items()]
        for kind, value, id, external_id, row in _sql.rows("resolve", {"names": json.dumps(names)}):
            person = self._by_id.setdefault(id, Person(id, external_id))
            person.row = person.row or (json.loads(row) if row else {})
            self._by_name[kind, value] = person
        if self.trust is Trust.BROWSER:
            self._load_busy()

    def _load_busy(self) -> None:
        known = [person.id for person in self._by_id.values() if person.external_id is not None]
        for (id,) in _sql.rows("busy", {"ids": known}) if known else []:
            self._by_id[id].is_busy = True

    def everybody(self) -> Iterable[Person]:
        return self._by_id.values()

    def of(self, call: Call) -> Person:
        """The person whom a call other than `identify` and `alias` is about, made where they are new."""
        name = (_USER, call.user_id) if call.user_id else (_ANONYMOUS, call.anonymous_id or "")
        person = self._found(name) or self._make(name, call)
        person.see(call.occurred_at)
        person.is_busy = person.is_busy or call.is_event
        return person

    def identify(self, call: Call) -> None:
        """Has the anonymous id lead to the person of the user id, and takes the traits."""
        known = self._is_about_somebody_known(call)
        if call.user_id and call.anonymous_id:
            person = self._join((_USER, call.user_id), (_ANONYMOUS, call.anonymous_id), call)
            person.see(call.occurred_at)
        else:
            person = self.of(call)
        values = self._allowed(person, call) if known and self.trust is Trust.BROWSER else call.values
        for name, value in values.items():
            person.put(name, value, call)

    def _is_about_somebody_known(self, call: Call) -> bool:
        person = self._found((_USER, call.user_id) if call.user_id else (_ANONYMOUS, call.anonymous_id or ""))
        return person is not None and person.external_id is not None

    def alias(self, call: Call) -> None:
        """Has the former id lead to the person of the user id; a known person gains a user id that nobody has yet."""
        former: _Name = (_ANONYMOUS, call.previous_id)
        if former not in self._by_name and (_USER, call.previous_id) in self._by_name:
            former = (_USER, call.previous_id)
        if call.user_id != call.previous_id:
            self._join((_USER, call.user_id or ""), former, call).see(call.occurred_at)

    def _found(self, name: _Name) -> Person | None:
        person = self._by_name.get(name)
        while person is not None and person.into is not None:
            person = person.into
        return person

    def _make(self, name: _Name, call: Call) -> Person:
        kind, value = name
        person = Person(uuid4(), value if kind == _USER else None, is_new=True)
        person.row = _blank(person)
        person.note(["external_id"] if kind == _USER else [], call)
        self._by_id[person.id] = person
        self._name(person, name)
        return person

    def _name(self, person: Person, name: _Name) -> None:
        person.is_busy = person.is_busy or name[0] == _ANONYMOUS
        self._by_name[name] = person
        self._named.append((name, person))

    def _join(self, user: _Name, other: _Name, call: Call) -> Person:
        """Has two names lead to one person, as far as that may be; the person of the first."""
        person, former = self._found(user), self._found(other)
        if person is former and person is not None:
            return person
        if former is None:
            person = person or self._make(user, call)
            if self._may_link(person, former):
                self._name(person, other)
            else:
                self._leave_apart(call)
            return person
        if former.external_id is not None:
            if person is None and other[0] == _USER and self.trust is not Trust.BROWSER:
                self._name(former, user)
                return former
            person = person or self._make(user, call)
            self._disagree(person, former, call)
            return person
        if person is None:
            self._become_known(former, user, call)
            return former
        if self._may_link(person, former):
            self._merge(person, former)
        else:
            self._leave_apart(call)
        return person

    def _become_known(self, person: Person, user: _Name, call: Call) -> None:
        person.is_busy = True  # it came by an anonymous id
        person.external_id = user[1]
        person.row["external_id"] = user[1]
        person.note(["external_id"], call)
        self._name(person, user)

    def _merge(self, survivor: Person, absorbed: Person) -> None:
        absorbed.into = survivor
        survivor.is_busy = True
        self.pairs.append(Pair(survivor.id, absorbed.id))

    def _may_link(self, person: Person, former: Person | None) -> bool:
        """Whether an anonymous id, with what was done under it, may become this known person's.

        From a browser only where the person has no earlier traffic, so that nobody slips into somebody else's skin; and
        where it would not bring the person an address that the browser was not allowed to set.
        """
        if self.trust is not Trust.BROWSER:
            return True
        brings_address = former is not None and any(former.row[name] is not None for name in _ADDRESSES)
        return not (person.is_busy or brings_address)

    def _leave_apart(self, call: Call) -> None:
        ids = {"userId": call.user_id, "anonymousId": call.anonymous_id, "previousId": call.previous_id}
        said = ("userId", "previousId") if call.kind is Kind.ALIAS else ("userId", "anonymousId")
        self.left_out.append(LeftOut(call, {name: ids[name] or "" for name in said}, _NO_LINK, once=True))

    def _disagree(self, person: Person, former: Person, call: Call) -> None:
        if self.trust is Trust.BROWSER:
            self._leave_apart(call)  # it is no conflict: anybody could fill the list with them
            return
        said = "identified" if call.kind is Kind.IDENTIFY else "gave as an alias"
        first, second = sorted((person.id, former.id))
        reason = f"A call {said} a person under an id that belongs to another known person."
        self._conflicts.setdefault((first, second), reason)

    def _allowed(self, person: Person, call: Call) -> dict[str, Any]:
        """The traits that a browser may set of a person who was known before: all but another address."""
        row, values = person.row, call.values
        refused = {name: values[name] for name in _ADDRESSES if name in values and values[name] != row[name]}
        if refused:
            self.left_out.append(LeftOut(call, {"traits": refused, **call.named}, _NO_ADDRESS))
        return {name: value for name, value in values.items() if name not in refused}

    def write(self) -> None:
        """Writes people and the names that lead to them, but not when they did something. Raises `Overtaken`."""
        if self._named:
            names = [{"kind": kind, "value": value, "profile": str(person.id)} for (kind, value), person in self._named]
            if _sql.run("name_people", {"names": json.dumps(names), "now": self.now}) < len(names):
                raise Overtaken
        new = [person for person in self._by_id.values() if person.is_new]
        changed = [person for person in self._by_id.values() if person.is_written and not person.is_new]
        if new and _sql.run("make_people", {"rows": _rows(new)}) < len(new):
            raise Overtaken
        if changed:
            _sql.run("write_people", {"rows": _rows(changed)})
        if self._conflicts:
            first, second = zip(*self._conflicts, strict=True)
            params = {"first": list(first), "second": list(second), "reasons": list(self._conflicts.values())}
            _sql.run("disagree", {**params, "now": self.now})


_ADDRESSES = ("email", "phone")
_NO_LINK = (
    "A browser's key cannot have an id lead to a person who has earlier traffic, nor bring them an address; "
    "send it with a server's key."
)
_NO_ADDRESS = "A browser's key cannot change the email or phone of a person whom we know; send it with a server's key."


def _names(call: Call) -> Iterable[_Name]:
    if call.user_id:
        yield _USER, call.user_id
    if call.anonymous_id and (call.kind is Kind.IDENTIFY or not call.user_id):
        yield _ANONYMOUS, call.anonymous_id
    if call.previous_id:
        yield _ANONYMOUS, call.previous_id
        yield _USER, call.previous_id


def _blank(person: Person) -> dict[str, Any]:
    return {
        "id": str(person.id),
        "external_id": person.external_id,
        **dict.fromkeys(Profile.COLUMNS),
        "attributes": {},
        "attribute_times": {},
        "account_id": None,
    }


def _rows(people: Iterable[Person]) -> str:
    return json.dumps([_seen(person) for person in people])


def _seen(person: Person) -> dict[str, Any]:
    row = person.row
    for name, pick, at in (("first_seen_at", min, person.first_at), ("last_seen_at", max, person.last_at)):
        if at is not None:
            known = row.get(name)
            row[name] = (pick(datetime.fromisoformat(known), at) if known else at).isoformat()
    return row
