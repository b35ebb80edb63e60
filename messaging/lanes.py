"""How fast a way out is used, and whether it is used at all: paces that staff set, lanes that shut by themselves.

A lane is a channel, or a place that a channel reaches (a mailbox provider), apart for what people need and for the
rest. Where a pace is set, what comes too fast is given turns, one after the other; what people need goes at once, and
the rest waits for it. Where the other side refuses us again and again, the lane is shut for a while, for longer each
time, and opened by the first message that is taken (FM-36).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from foundation import wake, wording
from foundation.errors import Invalid, Problem
from foundation.sql import statements
from messaging.delivery import CHANNELS, About, Accepted, InDoubt, Later, Letter, Outcome, Returned, label
from messaging.models import Lane, Pace
from messaging.outbox import as_json
from staff import audit

ENOUGH = 5
"""Failures in a row that shut a lane."""

_FIRST, _LONGEST = timedelta(seconds=30), timedelta(hours=1)  # that it stays shut, at first and at most
_A_TRY = timedelta(seconds=20)  # less than the first: for the one message that tries whether a shut lane is open
_BURST = timedelta(seconds=1)  # that a pace may be ahead of itself: loops come round once a second
_MOST_DAYS = 60
_sql = statements("messaging", "lanes")


class Way(NamedTuple):
    """What a lane is known by; `place` is empty for all of the channel."""

    channel: str
    place: str
    urgent: bool

    @property
    def name(self) -> str:
        return f"{label(self.channel)} to {self.place}" if self.place else label(self.channel)


def ways(channel: str, address: str, urgent: bool) -> list[Way]:
    """The lanes that a message takes: its channel's, and its place's where the channel knows one."""
    place = CHANNELS[channel]().place(address) if channel in CHANNELS else ""
    return [Way(channel, "", urgent), *([Way(channel, place, urgent)] if place else [])]


# ── Shut and open ────────────────────────────────────────────────────────────────────────────────────────────────────
class Shut:
    """The lanes that are shut; each lets one message through when its time is up, to see."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._lanes = {
            Way(one.channel, one.place, one.urgent): one
            for one in Lane.objects.filter(Q(shut_until__isnull=False) | Q(stopped_at__isnull=False)).order_by("id")
        }

    def in_the_way_of(self, ways: Sequence[Way]) -> tuple[Way, Lane] | None:
        """The first that is shut for a message that would take these; None if it may try."""
        for way in ways:
            lane = self._lanes.get(way)
            if lane and (lane.stopped_at is not None or not self._may_try(lane)):
                return way, lane
        return None

    def _may_try(self, lane: Lane) -> bool:
        if lane.shut_until is None or lane.shut_until > self._now:
            return False
        until = self._now + _A_TRY
        took = bool(_sql.rows("try_again", {"id": lane.id, "now": self._now, "until": until}))
        lane.shut_until = until
        return took


def learn(letters: Sequence[Letter], results: Mapping[UUID, Outcome | object], now: datetime) -> None:
    """Shuts and opens lanes by what came of handing these over, in their order."""
    failures: dict[Way, int] = defaultdict(int)
    said: dict[Way, str] = {}
    well: set[Way] = set()
    for letter in letters:
        outcome = results.get(letter.id)
        whole, *place = ways(letter.channel, letter.address, letter.urgent)
        about = outcome.about if isinstance(outcome, Later | Returned | InDoubt) else About.CHANNEL
        if isinstance(outcome, InDoubt) and about == About.MESSAGE:
            continue  # where it went says nothing of the way there: neither that it is shut nor that it is open
        if isinstance(outcome, Accepted) or about == About.MESSAGE:
            for way in (whole, *place):
                failures.pop(way, None)
                well.add(way)
        elif isinstance(outcome, Later | Returned | InDoubt):
            way = place[0] if place and about == About.PLACE else whole
            failures[way] += 1
            said[way] = outcome.reason
            well.discard(way)
    if well:
        channels, places, urgent = zip(*sorted(well), strict=True)
        _sql.run("well", {"channels": list(channels), "places": list(places), "urgent": list(urgent)})
    _count([(way, number, said[way]) for way, number in failures.items()], now)


def trouble(channel: str, place: str, *, reason: str, now: datetime) -> None:
    """The other side holds something against us, says a report that came later (BO-03): shuts the lane of the rest."""
    _count([(Way(channel, place, False), ENOUGH, reason)], now)


def _count(troubles: Sequence[tuple[Way, int, str]], now: datetime) -> None:
    if troubles:
        rows = [{**way._asdict(), "failures": number, "reason": reason} for way, number, reason in troubles]
        limits = {"enough": ENOUGH, "first": _FIRST, "longest": _LONGEST, "a_try": _A_TRY}
        _sql.run("trouble", {"troubles": as_json(rows), "now": now, **limits})


def stop(channel: str, place: str, *, why: str, now: datetime) -> bool:
    """Has nothing go there that can wait, until somebody opens it by hand; whether that is new."""
    with transaction.atomic():
        _sql.run("prepare", {"channels": [channel], "places": [place]})
        found = Lane.objects.filter(channel=channel, place=place, urgent=False, stopped_at=None)
        stopped = bool(found.update(stopped_at=now, stopped_for=why))
        if stopped:
            name = Way(channel, place, False).name
            audit.record("lane.stopped", "lane", name, f"Stopped what can wait by {name}. {why}")
    return stopped


def open_up(lane: Lane, *, now: datetime) -> None:
    """Opens a lane by hand: what waits for it is tried again at once."""
    opened: dict[str, Any] = {"failures": 0, "times_shut": 0, "shut_until": None, "reason": ""}
    if lane.stopped_at is not None:
        opened |= {"stopped_at": None, "stopped_for": "", "reopened_at": now}
    with transaction.atomic():
        Lane.objects.filter(id=lane.id).update(**opened)
        _release(lane.channel, now)
        way = Way(lane.channel, lane.place, lane.urgent)
        audit.record("lane.opened", "lane", way.name, f"Opened the way out by {way.name} again.")


# ── Paces ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(slots=True)
class _Bucket:
    """A pace and how far it is; read under a lock, and written back with it."""

    pace: Pace
    lane: Lane
    now: datetime
    changed: bool = False

    def __post_init__(self) -> None:
        if self.lane.day != self.today:
            self.lane.day, self.lane.sent = self.today, 0

    @property
    def interval(self) -> timedelta:
        return timedelta(minutes=1) / self.pace.per_minute

    @property
    def today(self) -> date:
        return self.now.astimezone(_zone()).date()

    @property
    def free_at(self) -> datetime:
        return max(self.lane.free_at or self.now, self.now)

    def allowance(self) -> int | None:
        """How many may go today; None when it has warmed up."""
        if not self.pace.warm_up or self.pace.warm_up_from is None:
            return None
        day = (self.today - self.pace.warm_up_from).days
        return 0 if day < 0 else self.pace.warm_up[day] if day < len(self.pace.warm_up) else None

    def turn(self, had_one: bool) -> datetime | None:
        """When it may go, if that is not now. `had_one`: it waited already, and so stands behind nobody."""
        allowance = self.allowance()
        if allowance is not None and self.lane.sent >= allowance:
            tomorrow = datetime.combine(self.today + timedelta(days=1), time(), _zone())
            return self._next(max(tomorrow, self.free_at))
        queue = self.lane.turn_at is not None and self.lane.turn_at > self.now
        if self.free_at - self.now < _BURST and (had_one or not queue):
            return None
        return self.free_at if had_one else self._next(self.free_at)

    def _next(self, earliest: datetime) -> datetime:
        self.changed = True
        last = self.lane.turn_at
        self.lane.turn_at = max(last + self.interval, earliest) if last else earliest
        return self.lane.turn_at

    def take(self) -> None:
        self.changed = True
        self.lane.free_at = self.free_at + self.interval
        self.lane.sent += 1


class Paces:
    """The paces of what a batch would take, held until the transaction ends: two workers share one pace."""

    def __init__(self, ways: Iterable[Way], now: datetime) -> None:
        taken = {(way.channel, way.place) for way in ways}
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        paces = {(one.channel, one.place): one for one in Pace.objects.all() if (one.channel, one.place) in taken}
        if not paces:
            return
        keys = sorted(paces)
        _sql.run("prepare", {"channels": [key[0] for key in keys], "places": [key[1] for key in keys]})
        rows = Lane.objects.filter(channel__in={key[0] for key in keys}, urgent=False).order_by("channel", "place")
        for lane in rows.filter(place__in={key[1] for key in keys}).select_for_update():
            if pace := paces.get((lane.channel, lane.place)):
                self._buckets[lane.channel, lane.place] = _Bucket(pace, lane, now)

    def turn(self, ways: Sequence[Way], *, had_one: bool) -> tuple[Way, Pace, datetime] | None:
        """Takes a place for a message; or, where there is none now, says which pace has it wait until when."""
        buckets = [(way, self._buckets[key]) for way in ways if (key := (way.channel, way.place)) in self._buckets]
        waits = [
            (way, bucket.pace, turn)
            for way, bucket in buckets
            if not way.urgent and (turn := bucket.turn(had_one)) is not None
        ]
        if waits:
            return max(waits, key=lambda one: one[2])
        for _, bucket in buckets:
            bucket.take()
        return None

    def keep(self) -> None:
        changed = [bucket.lane for bucket in self._buckets.values() if bucket.changed]
        if changed:
            rows = [
                {name: getattr(one, name) for name in ("id", "free_at", "turn_at", "day", "sent")} for one in changed
            ]
            _sql.run("keep_pace", {"lanes": as_json(rows)})


def set_pace(
    channel: str,
    place: str = "",
    *,
    per_minute: int,
    warm_up: Sequence[int] = (),
    warm_up_from: date | None = None,
    now: datetime,
) -> Pace:
    """Has a way out used no faster than so; what waits for its turn is given a new one. `Invalid`: what is wrong."""
    place = place.strip().lower()
    check(channel, place, per_minute, warm_up, warm_up_from)
    with transaction.atomic():
        pace, _ = Pace.objects.update_or_create(
            channel=channel,
            place=place,
            defaults={"per_minute": per_minute, "warm_up": list(warm_up), "warm_up_from": warm_up_from},
        )
        Lane.objects.filter(channel=channel, place=place).update(free_at=None, turn_at=None)
        _release(channel, now)
        audit.record("pace.set", "pace", str(pace), f"Set the pace of {sentence(pace)}.")
    return pace


def drop_pace(pace: Pace, *, now: datetime) -> None:
    """Takes the pace away: that way out is as fast as the other side allows."""
    with transaction.atomic():
        said = sentence(pace)
        pace.delete()
        Lane.objects.filter(channel=pace.channel, place=pace.place).update(free_at=None, turn_at=None)
        _release(pace.channel, now)
        audit.record("pace.dropped", "pace", str(pace), f"Took away the pace of {said}.")


def sentence(pace: Pace) -> str:
    """`email to gmail.com: at most 300 messages a minute`."""
    said = f"{Way(pace.channel, pace.place, False).name}: at most {wording.plural(pace.per_minute, 'message')} a minute"
    if pace.warm_up and pace.warm_up_from:
        days = wording.plural(len(pace.warm_up), "day")
        said += f", and fewer on the first {days} from {pace.warm_up_from:%-d %B %Y}"
    return said


def check(channel: str, place: str, per_minute: int, warm_up: Sequence[int], warm_up_from: date | None) -> None:
    """`Invalid` with everything that is wrong with such a pace."""
    if problems := list(_problems(channel, place, per_minute, warm_up, warm_up_from)):
        raise Invalid(problems)


def _problems(
    channel: str, place: str, per_minute: int, warm_up: Sequence[int], warm_up_from: date | None
) -> Iterable[Problem]:
    known = CHANNELS.get(channel)
    if known is None:
        yield Problem("channel", f"must be one of {', '.join(CHANNELS.keys())}")
    elif place and known().place(f"somebody@{place}") != place:
        door = known().place(f"somebody@{place}")
        yield Problem("place", f"must be left empty, or be {door}, which takes in what goes there" if door else
                      f"must be left empty: {known.label} knows no places")  # fmt: skip
    if not 1 <= per_minute <= 1_000_000:
        yield Problem("per_minute", "must be between 1 and 1,000,000 messages")
    if len(warm_up) > _MOST_DAYS or any(not 0 <= number <= 100_000_000 for number in warm_up):
        yield Problem("warm_up", f"must be at most {_MOST_DAYS} numbers, one a day")
    if warm_up and warm_up_from is None:
        yield Problem("warm_up_from", "is missing: the first of the days")


def _release(channel: str, now: datetime) -> None:
    """Has what waits for a way out of this channel looked at again now."""
    if _sql.run("release", {"channel": channel, "now": now}):
        wake.wake("messaging.dispatch")


def _zone() -> ZoneInfo:
    return ZoneInfo(settings.PROJECT_TIME_ZONE)
