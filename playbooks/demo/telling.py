"""The demo: months of behaviour sent as history, segments built, journeys published, and two weeks lived through.

Each step can be run again: what was taken counts once, and what was told is remembered. The demo moves the clock and
posts; looking at people, walking their journeys and sending is the workers' job.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

from django.db import Error, connection

from consent import ledger, links
from consent.models import ConsentRecord, State
from foundation import clock
from foundation.wake import wake
from insights import backlog
from messaging import brands
from messaging.models import MessageState
from playbooks import files, installing
from playbooks.demo import behaviour
from playbooks.demo.door import Door, Shut
from playbooks.demo.memory import Memory
from profiles.models import Profile
from segments import sweep

T = TypeVar("T")
Say = Callable[[str], None]

_BATCH = 400  # calls in a batch; about 90,000 of the 500,000 bytes that one may have
_SENDING = 20.0  # seconds that handing over may take: more than a mail server is given
_PATIENCE = 180.0  # seconds in which something must have been done, or the house is stuck
_PLAYBOOKS = ("music-shop", "web-shop")
_NEWS = ("music-news", "shop-offers")
_BRAND = {"name": "Two sample shops", "postal_address": "1 Sample Street, 12345 Example"}
_WORDING = "Yes, write to me about news and offers. (Sample data: this consent was imported.)"


class Demo:
    """One telling, through `door`; `say` gets a sentence for each thing done.

    The last `lived` of it are replayed as if they arrived live, and what is before is sent as history. `step` is how
    far the clock moves at a time: Cairn comes to rest at each.
    """

    def __init__(self, door: Door, memory: Memory, say: Say, lived: timedelta, step: timedelta) -> None:
        self.door, self.memory, self.say, self.lived, self.step = door, memory, say, lived, step

    def tell(self) -> None:
        """All of it, or what is left of it."""
        if self.memory.done:
            self.say("The sample behaviour has been told before; nothing is sent twice.")
            return
        self._begin()
        self._send_history()
        self._install()
        self._import_consents()
        self._live()
        self._release()

    # ── The clock ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _begin(self) -> None:
        """Fixes by how much times are moved, and sets the clock to where the living begins."""
        if not self.memory.begins:
            today = persistently(clock.wall)
            begins = today.replace(hour=0, minute=0, second=0, microsecond=0) - self.lived
            self.memory.music_days = behaviour.days_to_move(behaviour.MUSIC_LAST, today).days
            self.memory.web_days = behaviour.days_to_move(behaviour.WEB_LAST, today).days
            self.memory.begins = self.memory.told_until = begins.isoformat()
            self.memory.keep()
        persistently(lambda: clock.set_to(self.told_until))

    @property
    def begins(self) -> datetime:
        return datetime.fromisoformat(self.memory.begins)

    @property
    def told_until(self) -> datetime:
        return datetime.fromisoformat(self.memory.told_until)

    def _release(self) -> None:
        persistently(clock.release)
        self.memory.done = True
        self.memory.keep()

    # ── History ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def _calls(self) -> Iterator[behaviour.Call]:
        yield from behaviour.music_shop(timedelta(days=self.memory.music_days), self.memory.share)
        yield from behaviour.web_shop(timedelta(days=self.memory.web_days), self.memory.share)

    def _send_history(self) -> None:
        if self.memory.history_sent:
            return
        started = time.monotonic()
        past = (call for call in self._calls() if behaviour.at_of(call) <= self.begins)
        sent, rejected = self._send(past, self.begins, historical=True)
        took = time.monotonic() - started
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(sent.items()))
        self.say(
            f"Sent the past through the tracking API: {kinds} calls in {took:.1f} s"
            f" ({sum(sent.values()) / took:,.0f} a second), {rejected} rejected."
        )
        self.memory.history_sent = True
        self.memory.keep()

    def _send(
        self, calls: Iterable[behaviour.Call], at: datetime, *, historical: bool = False
    ) -> tuple[Counter[str], int]:
        sent: Counter[str] = Counter()
        rejected = 0
        for batch in _chunks(calls, _BATCH):
            rejected += len(self.door.send(batch, sent_at=at, historical=historical))
            sent.update(call["type"] for call in batch)
        return sent, rejected

    # ── What staff would do ──────────────────────────────────────────────────────────────────────────────────────────
    def _install(self) -> None:
        persistently(partial(brands.save, now=self.told_until, **_BRAND))
        for slug in _PLAYBOOKS:
            playbook = files.load(slug)
            started = time.monotonic()
            persistently(partial(installing.install, playbook, now=self.told_until))
            self.say(
                f"Installed the playbook {playbook.name}: {len(playbook.segments)} segments built,"
                f" {len(playbook.journeys)} journeys published, in {time.monotonic() - started:.1f} s."
            )

    def _import_consents(self) -> None:
        people = persistently(lambda: list(Profile.objects.exclude(external_id=None).values_list("id", "external_id")))
        agreed = [(profile, topic) for profile, name in people if behaviour.agrees(name or "") for topic in _NEWS]
        recorded = 0
        for chunk in _chunks(agreed, 4_000):
            choices = [self._yes(profile, topic) for profile, topic in chunk]
            outcomes = persistently(partial(ledger.record, choices, now=self.told_until))
            recorded += sum(outcome.verdict == "recorded" for outcome in outcomes)
        self.say(f"Imported the consent of four people in five to news and offers: {recorded:,} rows in the ledger.")

    def _yes(self, profile: UUID, topic: str) -> ledger.Choice:
        return ledger.Choice(
            profile_id=profile,
            topic=topic,
            channel="email",
            state=State.GRANTED,
            source=ConsentRecord.Source.IMPORT,
            wording=_WORDING,
            locale="en",
            version="demo",
        )

    # ── The last days, lived ──────────────────────────────────────────────────────────────────────────────────────────
    def _live(self) -> None:
        """Moves the clock a step, posts what happened in it, and lets the workers come to rest; again until now."""
        recent = sorted(
            (call for call in self._calls() if behaviour.at_of(call) > self.told_until), key=behaviour.at_of
        )
        started, posted, now = time.monotonic(), 0, persistently(clock.wall)
        while self.told_until < now:
            posted += self._move(recent, min(self.told_until + self.step, now))
        took, days = time.monotonic() - started, (now - self.begins).days
        self.say(f"Lived through the last {days} days: {posted:,} calls as they happened, in {took:.1f} s.")

    def _move(self, recent: list[behaviour.Call], until: datetime) -> int:
        due = [call for call in recent if self.told_until < behaviour.at_of(call) <= until]
        persistently(lambda: clock.set_to(until))
        wake("journeys.advance")  # some are due by the clock alone; Beat would find them as well
        self._send(due, until)
        self._settle(until)
        self.memory.told_until = until.isoformat()
        self.memory.keep()
        return len(due)

    def _settle(self, now: datetime) -> None:
        """Returns once nothing is due at `now`: first of what was posted, then of what the passing of time brought."""
        self._rest(now)
        persistently(lambda: sweep.tick(now))
        self._rest(now)

    def _rest(self, now: datetime) -> None:
        """Waits until nothing is due. What a worker was sending when it died is found once the clock has moved on."""
        last, since = None, time.monotonic()
        while left := persistently(lambda: backlog.waiting(now)):
            if left != last:
                last, since = left, time.monotonic()
            stood = time.monotonic() - since
            if left.is_sending_alone and stood > _SENDING:
                return
            if stood > _PATIENCE:
                raise Shut(f"Nothing has moved for {_PATIENCE:.0f} seconds; there wait {left}. The log says more.")
            time.sleep(0.03)


def persistently(act: Callable[[], T]) -> T:
    """Does `act`, which may be done twice, again for two minutes while the database is away."""
    until = time.monotonic() + 120
    while True:
        try:
            return act()
        except Error:
            if time.monotonic() > until:
                raise
            connection.close()
            time.sleep(0.3)


def _chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    chunk: list[T] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def somebodys_page() -> str:
    """The preference page of somebody who got a message, as its link leads there."""
    found = Profile.objects.filter(messages__state=MessageState.SENT).order_by("external_id").first()
    return links.preferences_url(found) if found else "nobody has got a message yet"
