"""Moves a manual clock on, and has everything done that falls due on the way."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from config import gate, ticking
from foundation import clock, loops

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_NEWS_EVERY = 10.0  # seconds between two lines where nothing happens for long


class Command(BaseCommand):
    help = "Under CAIRN_CLOCK=manual: does all that is due, moves the clock on by a step, and so on until a moment."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--until", metavar="ISO", help="where the clock stops; without it, only what is due now")
        parser.add_argument("--step", default="1h", help="how far it moves at once: 90s, 15m, 1h (the default), 2d, 1w")

    def handle(self, *args: Any, **options: Any) -> None:
        if not clock.is_manual():
            raise CommandError("The clock is real time. Set CAIRN_CLOCK=manual, here and where Cairn runs, to move it.")
        step = _step(options["step"])
        until = _moment(options["until"]) if options["until"] else None
        if sentence := gate.closed():
            raise CommandError(sentence)
        settings.CAIRN_WAKE_UPS = False  # we run the loops ourselves
        with _connection_of_its_own() as holder, loops.alone(holder):
            now = clock.now()
            if until is not None and until < now:
                raise CommandError(f"It is {_told(now)} already: the clock moves forwards only, not to {_told(until)}.")
            try:
                if until is None:
                    self.stdout.write(f"It is {_told(now)}. {_listed(ticking.rest(now))}.")
                else:
                    self._go(until, step)
            except (ticking.Restless, ticking.Failed) as error:
                raise CommandError(str(error)) from error

    def _go(self, until: datetime, step: timedelta) -> None:
        total: Counter[str] = Counter()
        told = time.monotonic()
        for rested in ticking.go(until, step):
            total += rested.done
            if rested.done or time.monotonic() - told > _NEWS_EVERY:
                told = time.monotonic()
                self.stdout.write(f"{_told(rested.at)}  {_listed(rested.done)}")
                self.stdout.flush()
        self.stdout.write(f"It is {_told(until)}. In all: {_listed(total)}.")


@contextmanager
def _connection_of_its_own() -> Iterator[BaseDatabaseWrapper]:
    """For the lock alone: nothing that a loop does to its connection can let go of it."""
    connection = connections["default"].copy()
    try:
        yield connection
    finally:
        connection.close()


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--until is {text!r}; write a time in ISO 8601, like 2026-12-24T18:00+01:00.") from None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(settings.PROJECT_TIME_ZONE))


def _step(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,5})([smhdw])", text.strip())
    if not found:
        raise CommandError(f"--step is {text!r}; write a number and a unit: 90s, 15m, 1h, 2d or 1w.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _told(at: datetime) -> str:
    return at.astimezone(ZoneInfo(settings.PROJECT_TIME_ZONE)).isoformat(sep=" ", timespec="seconds")


def _listed(done: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(done.items())) or "nothing was due"
