"""A world in which a seed decides everything: what people do, who works when, and who dies where.

Workers are threads with a connection of their own, of which one at a time runs: between two transactions it hands the
word back, and may be left standing there for days, or die; within a transaction it may die. A worker that dies loses
its connection and all that it knew.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import Min

from foundation import failpoints
from journeys import engine, entering, publishing
from journeys.models import Attempt, Enrollment, Journey
from profiles import erasing, ingest
from profiles.identity import Trust
from profiles.merging import Pair, merge
from profiles.models import Identifier, Profile

START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
NAMES = ("a", "b", "bought")
_BETWEEN = {"react.begun", "react.done", "advance.claimed", "advance.done", "sweep.done"}


class Died(BaseException):
    """The worker is gone."""


class Worker:
    """A process that works on something, a piece at a time."""

    def __init__(self, job: Callable[[], object], dice: random.Random, mortality: float) -> None:
        self.over = self.dead = False
        self.error: BaseException | None = None
        self._dice, self._mortality, self._job = dice, mortality, job
        self._ours, self._theirs = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        """Works until it is between two transactions, or done, or dead."""
        self._ours.release()
        assert self._theirs.acquire(timeout=60), "a worker waits for one that stands still"
        if self.error is not None:
            raise self.error

    def kill(self) -> None:
        """Dies where it stands."""
        self._mortality = 1.1
        self.go_on()

    def _live(self) -> None:
        _here.worker = self
        self._ours.acquire()
        try:
            self._die_perhaps()
            self._job()
        except BaseException as error:
            if not self.dead:
                self.error = error
        finally:
            if self.dead:
                del connection.connect
            connection.close()
            self.over = True
            self._theirs.release()

    def reached(self, name: str) -> None:
        if self.dead:
            raise Died
        self._die_perhaps()
        if name in _BETWEEN and self._dice.random() < 0.7:
            self._theirs.release()
            self._ours.acquire()
            self._die_perhaps()

    def _die_perhaps(self) -> None:
        if self._dice.random() >= self._mortality:
            return
        self.dead = True
        connection.ensure_connection()
        raw = connection.connection
        pid = raw.info.backend_pid
        raw.close()

        def refused() -> None:
            raise OperationalError("the worker is dead")

        connection.connect = refused  # type: ignore[method-assign]
        _gone(pid)
        raise Died


_here = threading.local()


def _reached(name: str) -> None:
    worker = getattr(_here, "worker", None)
    if worker is not None:
        worker.reached(name)


def _gone(pid: int) -> None:
    """Waits until the server has noticed, so that what follows does not depend on how fast it is."""
    import psycopg

    settings = connection.settings_dict
    with psycopg.connect(
        dbname=settings["NAME"], user=settings["USER"], password=settings["PASSWORD"] or None,
        host=settings["HOST"], port=settings["PORT"] or None, autocommit=True,
    ) as other:  # fmt: skip
        while other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone():
            pass


@dataclass
class World:
    """People, journeys, the clock, and what is to be remembered of all to say what should have become of it."""

    seed: int
    now: datetime
    dice: random.Random = field(init=False)
    did: dict[str, list[tuple[str, datetime]]] = field(default_factory=dict)
    paused: dict[str, list[tuple[datetime, datetime | None]]] = field(default_factory=dict)
    documents: dict[int, Any] = field(default_factory=dict)
    slugs: list[str] = field(default_factory=list)
    shifted: set[str] = field(default_factory=set)  # journeys in which waits stood still for a while
    altered: set[str] = field(default_factory=set)  # who was merged or erased
    log: list[str] = field(default_factory=list)
    _steps: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    # ── What there is ────────────────────────────────────────────────────────────────────────────────────────────────
    def prepare(self, people: int = 4) -> None:
        for n in range(people):
            name = f"s{self.seed}p{n}"
            profile = Profile.objects.create(
                id=self.uuid(), external_id=name, first_seen_at=self.now, last_seen_at=self.now
            )
            Identifier.objects.create(kind=Identifier.Kind.USER, value=name, profile=profile, created_at=self.now)
            self.did[name] = []
        for n in range(2):
            slug = f"s{self.seed}j{n}"
            self._steps = 0
            document: dict[str, Any] = {
                "entry": {
                    "trigger": {"kind": "event", "name": f"s{self.seed}_start"},
                    "reentry": self.dice.choice([{"rule": "once"}, {"rule": "again", "gap": {"hours": 20}}]),
                },
                "steps": self._body(0, 1),
            }
            if self.dice.random() < 0.6:
                leaves = self.dice.random() < 0.7
                document["goal"] = {"condition": {"kind": "event", "name": "bought"}, "exit": leaves}
            publishing.save(slug, name=slug, document=document, now=self.now)
            self._publish(slug)
            self.slugs.append(slug)
            self.paused[slug] = []

    def uuid(self) -> UUID:
        return UUID(int=self.dice.getrandbits(128), version=4)

    def _publish(self, slug: str) -> None:
        version = publishing.publish(slug, now=self.now)
        self.documents[version.pk] = version.document

    def _body(self, depth: int, least: int) -> list[Any]:
        return [self._step(depth) for _ in range(self.dice.randint(least, 3))]

    def _step(self, depth: int) -> Any:
        dice = self.dice
        self._steps += 1
        key = f"k{self._steps}"
        kinds = ["message", "wait", "wait", "branch", "split", "wait_for", "update", "exit"]
        kind = dice.choice(kinds if depth < 2 else kinds[:3])
        match kind:
            case "message":
                return {"key": key, "kind": kind, "channel": "email", "template": "hello"}
            case "wait":
                return {"key": key, "kind": kind, "for": {"hours": dice.randint(1, 40)}}
            case "branch":
                when = {"kind": "event", "name": dice.choice(NAMES)}
                return {"key": key, "kind": kind, "arms": [
                    {"key": "yes", "when": when, "steps": self._body(depth + 1, 0)},
                    {"key": "no", "steps": self._body(depth + 1, 0)},
                ]}  # fmt: skip
            case "split":
                return {"key": key, "kind": kind, "arms": [
                    {"key": "l", "weight": 50, "steps": self._body(depth + 1, 0)},
                    {"key": "r", "weight": 50, "steps": self._body(depth + 1, 0)},
                ]}  # fmt: skip
            case "wait_for":
                return {
                    "key": key, "kind": kind, "look_back": dice.choice(["entry", "step"]),
                    "arms": [{"key": "came", "name": dice.choice(NAMES), "steps": self._body(depth + 1, 0)}],
                    "timeout": {"after": {"hours": dice.randint(1, 40)}, "key": "late", "steps": []},
                }  # fmt: skip
            case "update":
                return {"key": key, "kind": kind, "set": {"mood": dice.choice(["glad", "cross"])}}
        return {"key": key, "kind": "exit"}

    # ── What happens ─────────────────────────────────────────────────────────────────────────────────────────────────
    def does(self, who: str, name: str, times: int = 1) -> None:
        """Somebody does something, of which we are told so many times."""
        call = {
            "type": "track", "userId": who, "event": name, "messageId": str(self.uuid()),
            "timestamp": self.now.isoformat(),
        }  # fmt: skip
        for _ in range(times):
            ingest.take([dict(call)], source="test", trust=Trust.SERVER, now=self.now, sent_at=self.now)
        self.did[who].append((name, self.now))

    def toggle(self, slug: str) -> None:
        status = Journey.objects.get(slug=slug).status
        if status == Journey.Status.LIVE:
            publishing.pause(slug, now=self.now)
            self.paused[slug].append((self.now, None))
        elif status == Journey.Status.PAUSED:
            if shift := self.dice.random() < 0.5:
                self.shifted.add(slug)
            publishing.resume(slug, how="shift" if shift else "catch_up", now=self.now)
            self.paused[slug][-1] = (self.paused[slug][-1][0], self.now)

    def extend(self, slug: str) -> None:
        """A step more, at the end: who has not come to it yet follows."""
        journey = Journey.objects.get(slug=slug)
        assert journey.version is not None
        document = dict(journey.version.document)
        self._steps += 1
        more = {"key": f"more{self._steps}", "kind": "message", "channel": "email", "template": "nudge"}
        publishing.save(slug, name=slug, document={**document, "steps": [*document["steps"], more]}, now=self.now)
        self._publish(slug)

    def unite(self) -> None:
        there = [name for name in self.did if name not in self.altered]
        if len(there) > 2:
            one, other = self.dice.sample(there, 2)
            ids = dict(Profile.objects.filter(external_id__in=[one, other]).values_list("external_id", "id"))
            with transaction.atomic():
                merge([Pair(ids[one], ids[other])], reason="They are one.", now=self.now)
            self.altered |= {one, other}

    def forget(self) -> None:
        there = [name for name in self.did if name not in self.altered]
        if len(there) > 2:
            name = self.dice.choice(there)
            erasing.erase(Profile.objects.get(external_id=name), now=self.now)
            self.altered.add(name)

    # ── Playing ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def play(self, moves: int = 45, mortality: float = 0.06) -> None:
        workers: list[Worker] = []
        try:
            for _ in range(moves):
                self.now += timedelta(seconds=7)
                workers = [one for one in workers if not one.over]
                self._move(workers, mortality)
            for one in workers:
                if not one.over:
                    one.kill()
        finally:
            failpoints.arm(None)
            entering.uuid4, engine.monotonic = _uuid4, _monotonic  # type: ignore[attr-defined]
        self._come_to_rest()

    def _move(self, workers: list[Worker], mortality: float) -> None:
        failpoints.arm(_reached)
        entering.uuid4 = self.uuid  # type: ignore[attr-defined]
        engine.monotonic = lambda: self.now.timestamp()  # type: ignore[attr-defined]
        who, slug = (
            self.dice.choice([name for name in self.did if name not in self.altered]),
            self.dice.choice(self.slugs),
        )
        chance = self.dice.random()
        self.log.append(f"{self.now:%d %H:%M} {chance:.3f} {who} {slug}")
        if chance < 0.12:
            self.does(who, f"s{self.seed}_start", times=self.dice.choice([1, 1, 3]))
        elif chance < 0.27:
            self.does(who, self.dice.choice(NAMES))
        elif chance < 0.40:
            self.now += timedelta(hours=self.dice.randint(1, 30))
            Attempt.objects.filter(kind=Attempt.Kind.REACT).delete()  # that somebody died is an hour ago, by this clock
        elif chance < 0.65 and len(workers) < 3:
            now, run = self.now, self.dice.choice([engine.react, engine.advance])
            workers.append(Worker(lambda: run(now), self.dice, mortality))
            workers[-1].go_on()
        elif chance < 0.90 and workers:
            self.dice.choice(workers).go_on()
        elif chance < 0.94:
            self.toggle(slug)
        elif chance < 0.96:
            self.extend(slug)
        elif chance < 0.98:
            self.unite()
        elif chance < 0.99:
            self.forget()

    def _come_to_rest(self) -> None:
        """All that is left is done, by one who does not die."""
        for slug in self.slugs:
            if Journey.objects.get(slug=slug).status == Journey.Status.PAUSED:
                self.toggle(slug)
        on_the_way = Enrollment.objects.filter(journey__slug__in=self.slugs, state="active")
        while True:
            while engine.react(self.now) + engine.advance(self.now):
                pass
            due = on_the_way.aggregate(next=Min("due_at"))["next"]
            if due is None or self.now > START + timedelta(days=60):
                break
            self.now = max(due, self.now + timedelta(seconds=7))


_uuid4, _monotonic = entering.uuid4, engine.monotonic  # type: ignore[attr-defined]
