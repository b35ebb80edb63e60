"""The sample behaviour (`playbooks/data/`) as calls of the tracking API, its times moved so that it ends now."""

import csv
import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

Call = dict[str, Any]

MUSIC_LAST, WEB_LAST = datetime(1998, 6, 30, tzinfo=UTC), datetime(2024, 6, 29, 22, 2, 40, tzinfo=UTC)
_DATA = Path(__file__).parent.parent / "data"
_COMPANIES = 60


@dataclass(frozen=True, slots=True)
class Totals:
    people: int
    events: int


# What the published data holds, as those say who published it.
MUSIC, WEB = Totals(23_570, 69_659), Totals(600, 31_106)


def days_to_move(last: datetime, now: datetime) -> timedelta:
    """How many whole days to move a set whose last event was at `last`: it then ends as late as it can by `now`."""
    return timedelta(days=(now - last).days)


def music_shop(moved: timedelta, share: int = 100) -> Iterator[Call]:
    """CDNOW's purchases by `share` per cent of the people, each introduced at their first, in the order of the file."""
    seen = ""
    for row, (customer, day, quantity, value) in enumerate(_music_rows(), start=1):
        at = _stamp(datetime.combine(day, datetime.min.time(), UTC) + moved)
        user = f"cdnow-{customer}"
        if not is_told(user, share):
            continue
        if user != seen:
            seen = user
            traits = {"email": f"{user}@example.com", "createdAt": at, "shop": "music"}
            yield {"type": "identify", "messageId": f"{user}-hello", "userId": user, "timestamp": at, "traits": traits}
        yield {
            "type": "track",
            "messageId": f"cdnow-row-{row}",
            "userId": user,
            "event": "order_completed",
            "timestamp": at,
            "properties": {"quantity": quantity, "value": value},
        }


def web_shop(moved: timedelta, share: int = 100) -> Iterator[Call]:
    """The clickstream of `share` per cent of the people, each introduced with their (invented) company."""
    seen = ""
    for row, event in enumerate(_web_rows(), start=1):
        at = _stamp(datetime.fromisoformat(event["timestamp"]).replace(tzinfo=UTC) + moved)
        user = event["user_id"].replace("_", "-")
        if not is_told(user, share):
            continue
        if user != seen:
            seen = user
            yield from _introduction(user, at, event)
        yield {
            "type": "track",
            "messageId": f"web-row-{row}",
            "userId": user,
            "event": event["event"],
            "timestamp": at,
            "properties": {"platform": event["platform"], "session": event["session_id"]},
        }


def _introduction(user: str, at: str, event: dict[str, str]) -> Iterator[Call]:
    traits = {
        "email": f"{user}@example.com",
        "createdAt": at,
        "shop": "web",
        "acquisition_channel": event["acquisition_channel"],
        "lifecycle": event["user_lifecycle"],
    }
    company = int(user.rpartition("-")[2]) % _COMPANIES + 1
    yield {"type": "identify", "messageId": f"{user}-hello", "userId": user, "timestamp": at, "traits": traits}
    yield {
        "type": "group",
        "messageId": f"{user}-company",
        "userId": user,
        "groupId": f"company-{company}",
        "timestamp": at,
        "traits": {"name": f"Company {company}"},
    }


def agrees(user: str, share: int = 80) -> bool:
    """Whether somebody belongs to the `share` per cent whose consent is imported: the same people every time."""
    return _draw("consent", user) < share


def is_told(user: str, share: int) -> bool:
    """Whether somebody belongs to the `share` per cent of people of whom is told: the same people every time."""
    return _draw("told", user) < share


def totals(share: int) -> Totals:
    """How many people and events a telling of that share has."""
    if share >= 100:
        return Totals(MUSIC.people + WEB.people, MUSIC.events + WEB.events)
    calls = [*music_shop(timedelta(0), share), *web_shop(timedelta(0), share)]
    return Totals(len({call["userId"] for call in calls}), sum(call["type"] == "track" for call in calls))


def _draw(what: str, user: str) -> int:
    """A number from 0 to 99 that is the user's own."""
    return int.from_bytes(hashlib.sha256(f"{what}:{user}".encode()).digest()[:4]) % 100


def at_of(call: Call) -> datetime:
    return datetime.fromisoformat(call["timestamp"])


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _music_rows() -> Iterator[tuple[str, date, int, float]]:
    with _open("CDNOW_master.txt.gz") as lines:
        next(lines)  # the header
        for line in lines:
            if words := line.split():
                day = date(int(words[1][:4]), int(words[1][4:6]), int(words[1][6:]))
                yield words[0], day, int(words[2]), float(words[3])


def _web_rows() -> Iterator[dict[str, str]]:
    with _open("retentioneering_ecom.csv.gz") as lines:
        yield from csv.DictReader(lines)


def _open(name: str) -> TextIO:
    return gzip.open(_DATA / name, "rt", encoding="utf-8", newline="")
