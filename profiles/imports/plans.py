"""What the columns of a file mean: which of them say who, what and when, and how the rest reads as values."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from foundation.errors import Invalid
from profiles.calls import COLUMNS, Kind
from profiles.imports.reading import OURS, Row

Item = dict[str, Any]
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?([eE][+-]?\d{1,2})?")
_SINCE_1970 = re.compile(r"\d{10}(\d{3})?(\.\d+)?")
_KINDS = {kind.value for kind in Kind}

# Names of columns, in small letters and without signs, to what they say. Of two for one thing the first here counts.
_WHO = {"userid": "userId", "externalid": "userId", "anonymousid": "anonymousId"}
_ID = {"messageid": "messageId", "insertid": "messageId"}
_EVENTS = {
    **_WHO,
    **_ID,
    "event": "event",
    "eventname": "event",
    "timestamp": "timestamp",
    "time": "timestamp",
    "eventtime": "timestamp",
    "occurredat": "timestamp",
}
_PROFILES = {
    **_WHO,
    "id": "userId",
    **_ID,
    "accountid": "groupId",
    "account": "groupId",
    "groupid": "groupId",
    "companyid": "groupId",
    "timestamp": "timestamp",
    "updatedat": "timestamp",
}
_TRAITS = {name.replace("_", ""): name for name in COLUMNS} | {"language": "locale"}


@dataclass(frozen=True, slots=True)
class Plan:
    """How rows of one kind of file (`events`, `profiles`) become items of the tracking API.

    `renamed` gives names of the file (of columns, and of events) the names of today.
    """

    kind: str
    digest: str
    renamed: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: str, digest: str, renamed: Mapping[str, str], header: Iterable[str] | None) -> "Plan":
        """The plan for a file with this header (None: JSON lines). Raises `Invalid` where a column is missing."""
        plan = cls(kind, digest, renamed)
        if header is None:
            return plan
        names = [name for name in header if name not in OURS]
        columns = plan._meanings(names)
        _check(kind, set(columns.values()), names)
        return cls(kind, digest, renamed, columns)

    def items(self, row: Row) -> list[Item] | str:
        """The items that a row says, or why it says none, as a sentence."""
        values = {name: value for name, value in row.values.items() if name not in OURS}
        if not self.columns:
            if _is_call(values):
                return self._call(values, row)
            return self._flat(values, self._meanings(values), row, lambda value: value)
        return self._flat(values, self.columns, row, guessed)

    def _meanings(self, names: Iterable[str]) -> dict[str, str]:
        """Column to what it says: a field of the call, or "" for a value among others."""
        known = _EVENTS if self.kind == "events" else _PROFILES
        order = {plain: place for place, plain in enumerate(known)}
        told = {name: re.sub(r"[^a-z0-9]", "", self._today(name).lower()) for name in names}
        taken: dict[str, str] = {}
        for name, plain in sorted(told.items(), key=lambda one: order.get(one[1], -1)):
            if plain in known:
                taken.setdefault(known[plain], name)
        fields = {name: means for means, name in taken.items()}
        return {name: fields.get(name, "") for name in told}

    def _today(self, name: str) -> str:
        return self.renamed.get(name, name)

    def _flat(
        self, values: Mapping[str, Any], means: Mapping[str, str], row: Row, read: Callable[[Any], Any]
    ) -> list[Item] | str:
        fields: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for name, value in values.items():
            if value == "" or value is None:
                continue
            if means[name]:
                fields[means[name]] = value
            elif self.kind == "profiles":
                trait = _TRAITS.get(re.sub(r"[^a-z0-9]", "", self._today(name).lower()))
                others[trait or self._today(name)] = value if trait else read(value)
            else:
                others[self._today(name)] = read(value)
        fields.setdefault("messageId", f"{self.digest[:40]}:{row.line}")
        if "timestamp" in fields:
            fields["timestamp"] = moment(fields["timestamp"])
        return self._event(fields, others) if self.kind == "events" else _person(fields, others)

    def _event(self, fields: Item, properties: Item) -> list[Item] | str:
        if "timestamp" not in fields:
            return "timestamp: is missing; an event of the past needs the time at which it happened"
        name = fields.get("event")
        if isinstance(name, str):
            fields["event"] = self._today(name)
        return [{"type": "track", **fields, "properties": properties}]

    def _call(self, values: Item, row: Row) -> list[Item] | str:
        """A line that is a call of the tracking API already, as archives of it hold them."""
        # Archives keep when it was sent. That corrects a client's clock on arrival, and this arrival is years later.
        item = {name: value for name, value in values.items() if name not in ("sentAt", "receivedAt")}
        item.setdefault("type", "track" if self.kind == "events" else "identify")
        if self.kind == "profiles" and item["type"] not in ("identify", "group"):
            return "type: is no identify or group; bring events in with import_events"
        if isinstance(item.get("event"), str):
            item["event"] = self._today(item["event"])
        if item.get("timestamp") is not None:
            item["timestamp"] = moment(item["timestamp"])
        inner = "traits" if item["type"] in ("identify", "group") else "properties"
        if isinstance(item.get(inner), dict):
            item[inner] = {self._today(name): value for name, value in item[inner].items()}
        if item["type"] in ("track", "page", "screen") and item.get("timestamp") is None:
            return "timestamp: is missing; an event of the past needs the time at which it happened"
        if not item.get("messageId"):
            item["messageId"] = f"{self.digest[:40]}:{row.line}"
        return [item]


def _check(kind: str, fields: set[str], names: list[str]) -> None:
    found = f"Columns found: {', '.join(names)[:500]}."
    if not fields & {"userId", "anonymousId"}:
        raise Invalid.at("", f"No column says who: user_id or anonymous_id. Say --map name=user_id. {found}")
    if kind == "events":
        for name in ("event", "timestamp"):
            if name not in fields:
                raise Invalid.at("", f"No column is named {name}. Say --map name={name}. {found}")


def _person(fields: Item, traits: Item) -> list[Item]:
    group = fields.pop("groupId", None)
    items = [{"type": "identify", **fields, "traits": traits}]
    if group is not None:
        items.append({"type": "group", **fields, "messageId": f"{fields['messageId']}:group", "groupId": group})
    return items


def _is_call(values: Mapping[str, Any]) -> bool:
    kind = values.get("type")
    is_known = isinstance(kind, str) and kind in _KINDS
    return is_known or isinstance(values.get("properties"), dict) or isinstance(values.get("traits"), dict)


def guessed(text: str) -> Any:
    """A cell as a value: numbers as JSON writes them (so `007` and `+49` are text), true and false, else the text."""
    if _NUMBER.fullmatch(text):
        return int(text) if text.lstrip("-").isdigit() else float(text)
    return {"true": True, "false": False}.get(text.lower(), text) if len(text) < 6 else text


def moment(value: Any) -> Any:
    """A time for the tracking API, also from seconds or milliseconds since 1970 and from text that ends on UTC."""
    text = str(value).strip() if isinstance(value, (int, float, str)) and not isinstance(value, bool) else ""
    if found := _SINCE_1970.fullmatch(text):
        seconds = float(text) / 1_000 if found[1] else float(text)
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    if text.upper().endswith(" UTC"):
        return f"{text[:-4]}Z"
    return value
