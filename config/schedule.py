"""When each loop runs: the one schedule, kept in Beat's table, where operators may change it."""

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask


@dataclass(frozen=True)
class Entry:
    """A loop, how often it runs (seconds), and what it does."""

    loop: str
    every: int
    what: str

    @property
    def fields(self) -> dict[str, Any]:
        # A run that waited longer than its interval says nothing new: the broker drops it instead of piling it up.
        return {"every": self.every, "expires": max(self.every, 10), "enabled": True}


SCHEDULE = (
    Entry("journeys.react", 1, "Looks again at the people who did something: segments, entries, goals, exits."),
    Entry("journeys.advance", 1, "Moves people on in their journeys when their time has come."),
    Entry("messaging.dispatch", 1, "Judges, renders and hands over the messages that are due."),
    Entry("messaging.reap", 30, "Marks messages whose worker died while sending them."),
    Entry("messaging.broadcasts", 2, "Queues the messages of broadcasts that are due."),
    Entry("messaging.returns", 5, "Acts on what providers and mails tell of messages."),
    Entry("messaging.clicks", 2, "Tells the clicks of people from those of programs that check links."),
    Entry("journeys.call", 2, "Makes the calls of journeys to other systems, until they are taken."),
    Entry("config.witness", 30, "Writes down outside the database how far it has come, for after a restored backup."),
    Entry("journeys.watch", 60, "Pauses journeys that do harm, and ends what time alone has ended."),
    Entry("segments.sweep", 5, "Has the people looked at whose segments change because time passed."),
    Entry("profiles.observe", 60, "Keeps the numbers of the data catalogue."),
    Entry("profiles.tell", 5, "Delivers what your systems are to be told (webhooks)."),
    Entry("profiles.forget", 3600, "Drops message ids and undo data that are past their time."),
    Entry("consent.sign_up", 2, "Has those who sent a sign-up form confirm it."),
    Entry("consent.anchor", 86_400, "Writes down the ends of the ledger's chains in one hash, here and in a file."),
    Entry("consent.expire", 60, "Writes down which consents have run out."),
    Entry("messaging.domains", 60, "Looks whether mail from the sender domains is still believed."),
    Entry("messaging.forget", 3600, "Drops reports on messages that are past their time."),
    Entry("consent.forget", 3600, "Drops sign-ups that nobody confirmed, and what else of consent is past its time."),
    Entry("staff.forget", 3600, "Drops remembered answers of the API that are past their time."),
)

_SECONDS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1, "microseconds": 0.000001}


def sync(schedule: tuple[Entry, ...] = SCHEDULE) -> None:
    """Writes the schedule into Beat's table, but no field that an operator changed there.

    What we wrote last is remembered beside: a field that no longer says so is the operator's. An entry that was
    deleted comes back; to stop a loop, disable it.
    """
    with transaction.atomic():
        remembered = _remembered()
        for entry in schedule:
            _write(entry, remembered.pop(entry.loop, None))
        _drop(list(remembered))


def _remembered() -> dict[str, dict[str, Any]]:
    with connection.cursor() as cursor:
        # Two installations that start at once take turns.
        cursor.execute("LOCK TABLE foundation_loop IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("SELECT name, scheduled FROM foundation_loop WHERE scheduled IS NOT NULL")
        return {name: json.loads(scheduled) for name, scheduled in cursor.fetchall()}


def _write(entry: Entry, before: dict[str, Any] | None) -> None:
    task = PeriodicTask.objects.select_related("interval").filter(name=entry.loop).first()
    wanted = entry.fields
    if task is None:
        # A start in the past makes Beat run it at once, and not only after its first interval.
        task = PeriodicTask(name=entry.loop, task=entry.loop, start_time=timezone.now())
        ours = wanted
    else:
        found, before = _found(task), before or {}
        ours = {name: value for name, value in wanted.items() if found[name] == before.get(name, wanted[name])}
    _change(task, ours, entry.what)
    _remember(entry.loop, {**(before or {}), **ours})


def seconds(task: PeriodicTask) -> int | None:
    """How often it runs; None where an operator gave it a rule that is no interval."""
    return int(task.interval.every * _SECONDS[task.interval.period]) if task.interval else None


def _found(task: PeriodicTask) -> dict[str, Any]:
    return {"every": seconds(task), "expires": task.expire_seconds, "enabled": task.enabled}


def _change(task: PeriodicTask, ours: dict[str, Any], what: str) -> None:
    if "every" in ours:
        task.interval, _ = IntervalSchedule.objects.get_or_create(every=ours["every"], period=IntervalSchedule.SECONDS)
    task.expire_seconds = ours.get("expires", task.expire_seconds)
    task.enabled = ours.get("enabled", task.enabled)
    task.description = what
    task.save()


def _remember(loop: str, fields: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO foundation_loop (name, scheduled) VALUES (%s, %s)"
            " ON CONFLICT (name) DO UPDATE SET scheduled = excluded.scheduled",
            [loop, json.dumps(fields)],
        )


def _drop(loops: list[str]) -> None:
    PeriodicTask.objects.filter(name__in=loops).delete()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM foundation_loop WHERE name = ANY(%s)", [loops])
