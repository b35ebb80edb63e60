"""One item of the tracking API, read and judged on its own: what it says, when, and whether it can be taken."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import uuid4
from zoneinfo import available_timezones

from django.conf import settings

from foundation import strict_json
from foundation.errors import Invalid, Problem
from foundation.strict_json import Sent

MAX_ITEM_BYTES = 32_768
MAX_NAME_CHARACTERS = 200
MAX_ID_BYTES = 255
_AHEAD = timedelta(minutes=5)  # a clock that runs fast by less is believed
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LEAP = re.compile(r"(T\d\d:59):60")
_A_TIME = "must be a time such as 2026-11-24T10:00:00Z (RFC 3339)"


class Kind(StrEnum):
    """The six calls."""

    IDENTIFY = "identify"
    TRACK = "track"
    PAGE = "page"
    SCREEN = "screen"
    GROUP = "group"
    ALIAS = "alias"


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a batch says of all its items, and the moment at which it came."""

    now: datetime
    sent_at: datetime | None = None
    historical: bool = False


@dataclass(slots=True)
class Call:
    """An item that can be understood.

    `values` are a track's, page's or screen's properties, or the traits of an `identify` or `group`: of an `identify`
    with the columns of a profile under their names, of a `group` with `name`. `triggers` is whether it may start
    anything: it may not where it is history, or late.
    """

    place: int
    kind: Kind
    message_id: str
    occurred_at: datetime
    triggers: bool
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str = ""
    group_id: str = ""
    name: str = ""
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def is_event(self) -> bool:
        return bool(self.name)

    @property
    def named(self) -> dict[str, str]:
        """The id that says whom it is about, as the field that bore it."""
        return {"userId": self.user_id} if self.user_id else {"anonymousId": self.anonymous_id or ""}

    @property
    def names(self) -> list[str]:
        """The ids of people that it bears, of whatever kind."""
        return [name for name in (self.user_id, self.anonymous_id, self.previous_id) if name]


def read(item: Any, place: int, arrival: Arrival) -> Call:
    """The call that an item is. Raises `Invalid` with every reason why it cannot be taken."""
    value, size = (item.value, item.size) if isinstance(item, Sent) else (item, None)
    if not isinstance(value, dict):
        raise Invalid.at("", "An item must be a JSON object.")
    if size is None:
        size = strict_json.size(value)
    if size > MAX_ITEM_BYTES:
        raise Invalid.at("", f"The item has {size:,} bytes; the most is {MAX_ITEM_BYTES:,}. Send less with it.")
    if wrong := strict_json.problems(value):
        raise Invalid(wrong)
    return _Reader(value, arrival).call(place)


def when(text: Any) -> datetime | None:
    """The moment that an ISO 8601 text names, in UTC (which is also meant where it names no zone), if it names one."""
    if not isinstance(text, str):
        return None
    written, leaps = _LEAP.subn(r"\1:59", text.strip().upper(), count=1)
    try:
        # A leap second is counted as the second after it, as POSIX does.
        moment = datetime.fromisoformat(written) + timedelta(seconds=leaps)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class _Reader:
    """Reads the fields of one item and gathers what is wrong with them."""

    def __init__(self, item: dict[str, Any], arrival: Arrival) -> None:
        self.item, self.arrival = item, arrival
        self.wrong: list[Problem] = []

    def call(self, place: int) -> Call:
        kind = self._kind()
        for name in ("context", "integrations"):
            self._object(name)
        occurred_at = self._occurred_at()
        call = Call(
            place=place,
            kind=kind,
            message_id=self._id("messageId") or str(uuid4()),
            occurred_at=occurred_at,
            triggers=self._triggers(occurred_at),
            user_id=self._id("userId"),
            anonymous_id=self._id("anonymousId"),
        )
        _FILL[kind](self, call)
        if kind is not Kind.ALIAS and not (call.user_id or call.anonymous_id) and not self.wrong:
            self.refuse("", "It names nobody; send a userId or an anonymousId.")
        if self.wrong:
            raise Invalid(self.wrong)
        return call

    def refuse(self, path: str, reason: str) -> None:
        self.wrong.append(Problem(path, reason))

    def _kind(self) -> Kind:
        try:
            return Kind(str(self.item.get("type")))
        except ValueError:
            raise Invalid.at("type", f"must be one of {', '.join(kind.value for kind in Kind)}") from None

    def _object(self, name: str) -> dict[str, Any]:
        value = self.item.get(name)
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self.refuse(name, "must be an object")
        return {}

    def _id(self, name: str) -> str | None:
        """An id, as text; whole numbers are taken for their digits, and blank text for no id."""
        value = self.item.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if not isinstance(value, str):
            self.refuse(name, "must be text")
        elif len(value.encode()) > MAX_ID_BYTES:
            self.refuse(name, f"is longer than {MAX_ID_BYTES} bytes")
        else:
            return value
        return None

    def _occurred_at(self) -> datetime:
        now = self.arrival.now
        stamp = self.item.get("timestamp")
        if stamp is None:
            return now
        moment = when(stamp)
        if moment is None:
            self.refuse("timestamp", _A_TIME)
            return now
        sent_at = when(self.item.get("sentAt")) or self.arrival.sent_at
        if sent_at is not None:
            try:
                moment += now - sent_at
            except OverflowError:  # outside the calendar, on the side to which it was moved
                moment = _LAST if now > sent_at else _FIRST
        # What is history is not to come, and so never has to be waited for.
        if moment > (now if self._is_history() else now + _AHEAD):
            return now
        if moment < _EPOCH:
            self.refuse("timestamp", f"is {moment.date().isoformat()}, before 1970; send the time at which it happened")
            return now
        return moment

    def _triggers(self, occurred_at: datetime) -> bool:
        own = self.item.get("historical")
        if own is not None and not isinstance(own, bool):
            self.refuse("historical", "must be true or false")
        fresh = occurred_at >= self.arrival.now - timedelta(hours=settings.TRIGGER_WITHIN_HOURS)
        return fresh and not self._is_history()

    def _is_history(self) -> bool:
        return self.arrival.historical or self.item.get("historical") is True

    def track(self, call: Call) -> None:
        call.name = self._event_name()
        call.values = self._object("properties")
        self._within_retention(call)

    def view(self, call: Call) -> None:
        """A page or screen: an event of that name, with `name` and `category` among its properties."""
        call.name = call.kind.value
        call.values = dict(self._object("properties"))
        for name in ("name", "category"):
            value = self.item.get(name)
            if isinstance(value, str):
                call.values[name] = value
            elif value is not None:
                self.refuse(name, "must be text")
        self._within_retention(call)

    def _event_name(self) -> str:
        name = self.item.get("event")
        if not isinstance(name, str) or not name.strip():
            self.refuse("event", "must be the name of what was done, such as report_exported")
        elif len(name) > MAX_NAME_CHARACTERS:
            self.refuse("event", f"is longer than {MAX_NAME_CHARACTERS} characters")
        elif name.startswith("$"):
            self.refuse("event", "begins with $, as only Cairn's own events do; choose another name")
        elif _CONTROL.search(name):
            self.refuse("event", "contains control characters, such as line breaks; leave them out")
        else:
            return name
        return "?"

    def _within_retention(self, call: Call) -> None:
        days = settings.EVENT_RETENTION_DAYS
        if days is not None and call.occurred_at < self.arrival.now - timedelta(days=days):
            self.refuse("timestamp", f"is {call.occurred_at:%Y-%m-%d}; events are kept for {days:,} days")

    def identify(self, call: Call) -> None:
        for name, value in self._traits():
            column = _RESERVED.get(name)
            if column is None:
                call.values.setdefault(name, value)
                continue
            try:
                call.values[column] = None if value is None else COLUMNS[column](value)
            except ValueError as error:
                self.refuse(f"traits.{name}", str(error))

    def group(self, call: Call) -> None:
        call.group_id = self._id("groupId") or ""
        if not call.group_id and not self.wrong:
            self.refuse("groupId", "is missing; send your own id of the company")
        call.values = dict(self._traits())
        name = call.values.get("name")
        if name is not None and not isinstance(name, str):
            self.refuse("traits.name", "must be text")

    def _traits(self) -> list[tuple[str, Any]]:
        traits = self._object("traits")
        for name in traits:
            if not name.strip() or name.startswith("$"):
                self.refuse("traits", "has a name that is blank or begins with $, as only Cairn's own do")
        # `locale` comes last, and so before `language`, which fills the same column.
        return sorted(traits.items(), key=lambda trait: trait[0] == "locale")

    def alias(self, call: Call) -> None:
        call.previous_id = self._id("previousId") or ""
        if self.wrong:
            return
        if not call.previous_id:
            self.refuse("previousId", "is missing; send the id under which the person was known before")
        if not call.user_id:
            self.refuse("userId", "is missing; send the id under which the person is known from now on")


_FILL: dict[Kind, Callable[[_Reader, Call], None]] = {
    Kind.IDENTIFY: _Reader.identify,
    Kind.TRACK: _Reader.track,
    Kind.PAGE: _Reader.view,
    Kind.SCREEN: _Reader.view,
    Kind.GROUP: _Reader.group,
    Kind.ALIAS: _Reader.alias,
}


# ── Traits that fill columns ─────────────────────────────────────────────────────────────────────────────────────────

_RESERVED = {
    "email": "email",
    "phone": "phone",
    "firstName": "first_name",
    "first_name": "first_name",
    "lastName": "last_name",
    "last_name": "last_name",
    "timezone": "timezone",
    "locale": "locale",
    "language": "locale",
    "createdAt": "created_at",
    "created_at": "created_at",
}
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\.]+(\.[^\s@<>,;:\"()\[\]\\.]+)+")


def _one_line(value: Any, most: int = MAX_NAME_CHARACTERS) -> str | None:
    if not isinstance(value, str):
        raise ValueError("must be text")
    value = value.strip()
    if len(value) > most:
        raise ValueError(f"is longer than {most} characters")
    if _CONTROL.search(value):
        raise ValueError("contains control characters, such as line breaks; leave them out")
    return value or None


def _email(value: Any) -> str | None:
    address = _one_line(value, 254)
    if address is not None and not _ADDRESS.fullmatch(address):
        raise ValueError("is no email address such as ada@example.com")
    return address


def _phone(value: Any) -> str | None:
    return _one_line(value, 50)


def _timezone(value: Any) -> str | None:
    zone = _one_line(value)
    if zone is not None and zone not in _zones():
        raise ValueError("is no time zone of the IANA list, such as Europe/Berlin")
    return zone


@cache
def _zones() -> set[str]:
    return available_timezones()


def _locale(value: Any) -> str | None:
    return _one_line(value, 35)


def _created_at(value: Any) -> datetime:
    moment = when(value)
    if moment is None:
        raise ValueError(_A_TIME)
    return moment


COLUMNS: dict[str, Callable[[Any], Any]] = {
    "email": _email,
    "phone": _phone,
    "first_name": _one_line,
    "last_name": _one_line,
    "timezone": _timezone,
    "locale": _locale,
    "created_at": _created_at,
}
