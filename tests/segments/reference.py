"""The condition language once more, in plain Python, person by person: written from the design, for comparison."""

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.segments.world import Done, Someone

MISSING = object()
TEXT_COLUMNS = ("external_id", "email", "phone", "first_name", "last_name", "timezone", "locale")
MOMENT_COLUMNS = ("created_at", "first_seen_at", "last_seen_at")


@dataclass(frozen=True)
class Frame:
    """When, among whom, and for whom a condition is asked."""

    at: datetime
    people: Sequence[Someone]
    after: datetime | None = None
    entered_at: datetime | None = None
    step_entered_at: datetime | None = None
    zone: str = "UTC"


def matching(condition: Any, frame: Frame) -> set[UUID]:
    return {one.id for one in frame.people if holds(condition, one, frame)}


def holds(condition: Any, one: Someone, frame: Frame) -> bool:
    if "all" in condition:
        return all(holds(inner, one, frame) for inner in condition["all"])
    if "any" in condition:
        return any(holds(inner, one, frame) for inner in condition["any"])
    if "not" in condition:
        return not holds(condition["not"], one, frame)
    return bool(_KINDS[condition["kind"]](condition, one, frame))


# ── Values ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def lower(text: str) -> str:
    # One code point to one: of Python's own mapping only İ becomes two.
    return "".join("i" if c == "İ" else c.lower() for c in text)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def exact(value: Any) -> Decimal:
    return Decimal(repr(value))


def equal(stored: Any, value: Any) -> bool:
    if isinstance(value, str):
        return isinstance(stored, str) and lower(stored) == lower(value)
    if isinstance(value, bool):
        return isinstance(stored, bool) and stored == value
    return is_number(stored) and exact(stored) == exact(value)


def length(duration: dict[str, int]) -> timedelta:
    return timedelta(**duration)


def moment(value: Any, zone: str) -> datetime | None:
    if not isinstance(value, str) or not value.isascii():
        return None
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        value += "T00:00:00"
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)[tT](\d\d:\d\d:\d\d)(\.\d+)?([zZ]|[+-]\d\d:\d\d)?", value)
    if not found:
        return None
    day, clock, fraction, offset = found.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{clock}{(fraction or '.0')[:7].ljust(7, '0')}")
        if offset is None:
            return at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        return datetime.fromisoformat(f"{at.isoformat()}{'+00:00' if offset in 'zZ' else offset}").astimezone(UTC)
    except ValueError:
        return None
    except OverflowError:  # beyond the years that there are
        return datetime.min.replace(tzinfo=UTC) if at.year == 1 else datetime.max.replace(tzinfo=UTC)


def compares(stored: Any, op: str, value: Any, at: datetime, zone: str) -> bool:
    """A comparison; `stored` is MISSING, None or any JSON value, or a datetime of a column."""
    missing = stored is MISSING or stored is None
    match op:
        case "is_set":
            return not missing
        case "is_not_set":
            return missing
        case "is_not":
            return not compares(stored, "is", value, at, zone)
        case "not_in":
            return not compares(stored, "in", value, at, zone)
        case "not_contains":
            return not compares(stored, "contains", value, at, zone)
    if missing:
        return False
    match op:
        case "is":
            return equal(stored, value)
        case "in":
            return any(equal(stored, one) for one in value)
        case "contains":
            if isinstance(stored, list):
                return any(equal(item, value) for item in stored)
            return isinstance(stored, str) and isinstance(value, str) and lower(value) in lower(stored)
        case "starts_with":
            return isinstance(stored, str) and lower(stored).startswith(lower(value))
        case "ends_with":
            return isinstance(stored, str) and lower(stored).endswith(lower(value))
        case "gt" | "gte" | "lt" | "lte" | "between":
            return is_number(stored) and number_compares(exact(stored), op, value)
    when = stored if isinstance(stored, datetime) else moment(stored, zone)
    if when is None:
        return False
    match op:
        case "before" | "after":
            bound = moment(value, zone)
            assert bound is not None
            return when < bound if op == "before" else when > bound
        case "within_last":
            return at - length(value) < when <= at
        case "more_than_ago":
            return when <= at - length(value)
        case "within_next":
            return at < when <= at + length(value)
        case "more_than_ahead":
            return when > at + length(value)
    raise AssertionError(op)


def number_compares(number: Any, op: str, value: Any) -> bool:
    """A comparison of a number, exact whether Decimal or a fraction of ints."""
    match op:
        case "is":
            return bool(number == exact(value))
        case "is_not":
            return bool(number != exact(value))
        case "gt":
            return bool(number > exact(value))
        case "gte":
            return bool(number >= exact(value))
        case "lt":
            return bool(number < exact(value))
        case "lte":
            return bool(number <= exact(value))
        case "between":
            return bool(exact(value[0]) <= number <= exact(value[1]))
    raise AssertionError(op)


# ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────────────
def _attribute(c: Any, one: Someone, f: Frame) -> bool:
    if c["name"] in TEXT_COLUMNS or c["name"] in MOMENT_COLUMNS:
        from tests.segments.world import EPOCH

        defaults = {"external_id": str(one.id), "first_seen_at": EPOCH, "last_seen_at": EPOCH}
        stored = {**defaults, **one.columns}.get(c["name"], MISSING)
    else:
        stored = one.attributes.get(c["name"], MISSING)
    return compares(stored, c["op"], c.get("value"), f.at, f.zone)


def _account(c: Any, one: Someone, f: Frame) -> bool:
    return compares((one.account or {}).get(c["name"], MISSING), c["op"], c.get("value"), f.at, f.zone)


def named(names: Any, name: str) -> bool:
    wanted = names if isinstance(names, list) else [names]
    return name in wanted or ("*" in wanted and not name.startswith("$"))


def seen(one: Someone, names: Any, f: Frame, where: Any = (), window: Any = None, *, whole: bool = False) -> list[Done]:
    """What somebody did that a leaf sees. `whole`: what is asked of everybody knows no enrollment."""
    return [
        done
        for done in one.events
        if named(names, done.name)
        and done.at <= f.at
        and (whole or f.after is None or done.at > f.after)
        and within(window, done.at, f)
        and all(
            compares(done.properties.get(w["property"], MISSING), w["op"], w.get("value"), f.at, f.zone) for w in where
        )
    ]


def within(window: Any, at: datetime, f: Frame) -> bool:
    if window is None:
        return True
    if "last" in window:
        return f.at - length(window["last"]) < at <= f.at
    if "since" in window:
        begun = f.entered_at if window["since"] == "entry" else f.step_entered_at
        return begun is not None and at > begun
    start, end = (moment(text, f.zone) for text in window["between"])
    assert start is not None and end is not None
    return start <= at < end


def _event(c: Any, one: Someone, f: Frame) -> bool:
    count = c.get("count") or {"op": "gte", "value": 1}
    n = len(seen(one, c["name"], f, c.get("where") or (), c.get("window")))
    return number_compares(Decimal(n), count["op"], count["value"])


def _message(c: Any, one: Someone, f: Frame) -> bool:
    where = [{"property": key, "op": "is", "value": c[key]} for key in ("journey", "template", "channel") if c.get(key)]
    rest = {key: c[key] for key in ("count", "window") if key in c}
    return _event({"name": f"$message_{c['status']}", "where": where, **rest}, one, f)


def _journey(c: Any, one: Someone, f: Frame) -> bool:
    where = [{"property": "journey", "op": "is", "value": c["slug"]}]
    rest = {key: c[key] for key in ("count", "window") if key in c}
    return _event({"name": f"$journey_{c['status']}", "where": where, **rest}, one, f)


def canonical(value: Any) -> str:
    """JSON under which equal values are one text: 1 and 1.0, and objects whatever the order of their keys."""

    def plain(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {key: plain(inner[key]) for key in sorted(inner)}
        if isinstance(inner, list):
            return [plain(item) for item in inner]
        if is_number(inner):
            return {"number": str(exact(inner).normalize() + 0)}
        return inner

    return json.dumps(plain(value), sort_keys=True)


def _measure(c: Any, one: Someone, f: Frame) -> bool:
    with localcontext(prec=1_000):  # nothing is rounded
        return _figure(c, one, f)


def _figure(c: Any, one: Someone, f: Frame) -> bool:
    done = seen(one, c["name"], f, c.get("where") or (), c.get("window"))
    op, value = c["op"], c.get("value")
    if c["of"] == "days":
        number: Any = len({d.at.astimezone(ZoneInfo(f.zone)).date() for d in done})
    elif c["property"] == "$name":
        number = len({d.name for d in done}) if c["of"] == "distinct" else 0 if c["of"] == "sum" else None
    else:
        values = [d.properties.get(c["property"]) for d in done]
        numbers = [exact(v) for v in values if is_number(v)]
        match c["of"]:
            case "distinct":
                number = len({canonical(v) for v in values if v is not None})
            case "sum":
                number = sum(numbers, Decimal(0))
            case "avg":
                if numbers and op not in ("is_set", "is_not_set"):
                    # Compared without dividing, so that nothing is rounded.
                    bounds = value if isinstance(value, list) else [value]
                    scaled = [exact(b) * len(numbers) for b in bounds]
                    return _scaled(sum(numbers, Decimal(0)), op, scaled)
                number = numbers or None
            case "min":
                number = min(numbers, default=None)
            case "max":
                number = max(numbers, default=None)
    if op in ("is_set", "is_not_set"):
        return bool((number is not None) == (op == "is_set"))
    if number is None:
        return bool(op == "is_not")
    return number_compares(Decimal(number), op, value)


def _scaled(total: Decimal, op: str, bounds: list[Decimal]) -> bool:
    tests: dict[str, Callable[[], bool]] = {
        "is": lambda: total == bounds[0],
        "is_not": lambda: total != bounds[0],
        "gt": lambda: total > bounds[0],
        "gte": lambda: total >= bounds[0],
        "lt": lambda: total < bounds[0],
        "lte": lambda: total <= bounds[0],
        "between": lambda: bounds[0] <= total <= bounds[1],
    }
    return tests[op]()


def _recency(c: Any, one: Someone, f: Frame) -> bool:
    times = [done.at for done in seen(one, c["name"], f)]
    if not times:
        return False
    when = max(times) if (c.get("which") or "last") == "last" else min(times)
    edge = f.at - length(c["value"])
    return when > edge if c["op"] == "within_last" else when <= edge


def _trend(c: Any, one: Someone, f: Frame) -> bool:
    size = length(c["window"])
    times = [done.at for done in seen(one, c["name"], f)]
    now = sum(1 for t in times if f.at - size < t <= f.at)
    before = sum(1 for t in times if f.at - 2 * size < t <= f.at - size)
    if before == 0:
        return False
    percent = exact(c["percent"])
    if c["op"] == "falls_by":
        return now * 100 <= before * (100 - percent)
    return now * 100 >= before * (100 + percent)


def _sequence(c: Any, one: Someone, f: Frame) -> bool:
    size = length(c["within"])
    steps = c["steps"]
    found = [seen(one, step["name"], f, step.get("where") or ()) for step in steps]

    def follows(place: int, after: datetime, until: datetime) -> bool:
        """Whether the steps from `place` on can be had in order."""
        if place == len(steps):
            return True
        return any(after < d.at <= until and follows(place + 1, d.at, until) for d in found[place])

    def middle(place: int, after: datetime, until: datetime) -> bool:
        if place == len(steps) - 1:
            return True
        return any(after < d.at <= until and middle(place + 1, d.at, until) for d in found[place])

    for first in seen(one, steps[0]["name"], f, steps[0].get("where") or (), c.get("window")):
        until = first.at + size
        if (c.get("last_step") or "happens") == "happens":
            if follows(1, first.at, until):
                return True
        elif middle(1, first.at, until) and until <= f.at and not follows(1, first.at, until):
            return True
    return False


def _top(c: Any, one: Someone, f: Frame) -> bool:
    counts = {p.id: len(seen(p, c["name"], f, c.get("where") or (), c.get("window"), whole=True)) for p in f.people}
    active = sorted((n for n in counts.values() if n), reverse=True)
    keep = math.ceil(len(active) * exact(c["percent"]) / 100)
    return keep > 0 and counts[one.id] > 0 and counts[one.id] >= active[keep - 1]


def _sample(c: Any, one: Someone, f: Frame) -> bool:
    digest = hashlib.sha256(f"{c['salt']}:{one.id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 10_000 < exact(c["percent"]) * 100


_KINDS: dict[str, Callable[[Any, Someone, Frame], bool]] = {
    "attribute": _attribute,
    "account": _account,
    "event": _event,
    "message": _message,
    "journey": _journey,
    "measure": _measure,
    "recency": _recency,
    "trend": _trend,
    "sequence": _sequence,
    "top": _top,
    "sample": _sample,
}

__all__ = ["Frame", "date", "holds", "matching"]
