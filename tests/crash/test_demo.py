"""The demo, as somebody runs it, of a small share of the people: while its processes are killed, and by Beat alone."""

import csv
import gzip
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config.embedded import home
from playbooks.demo import behaviour
from tests.crash.running import Process, descendants, environment, free_port, new_home

pytestmark = [pytest.mark.crash]
SHARE = 3
KILLS = 6
DATA = home.BASE / "playbooks" / "data"


class Run:
    """`manage.py demo --once`, its output by line."""

    def __init__(self, folder: Path, days: int = 14, **env: str) -> None:
        self.folder, self.lines = folder, list[str]()
        words = ["demo", "--once", "--share", str(SHARE), "--days", str(days), "--step", "24"]
        self.process = subprocess.Popen(
            [sys.executable, home.BASE / "manage.py", *words],
            env=environment(folder, PORT=str(free_port()), **env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            self.lines.extend(line.rstrip("\n") for line in out)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever a failing test left: ends it, and it alone."""
        family = descendants(self.process.pid)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        for process in family:
            if process.lives():
                os.kill(process.pid, signal.SIGKILL)
        self._reader.join(5)

    def ended(self, patience: float = 170) -> str:
        """All that it said, once it ended well."""
        code = self.process.wait(patience)
        self._reader.join(5)
        said = "\n".join(self.lines)
        assert code == 0, said
        return said

    def has_said(self, words: str) -> bool:
        return any(words in line for line in self.lines)

    def victims(self) -> list[Process]:
        """What may be killed: everything below `up`, which is the demo's own child."""
        return [one for one in descendants(self.process.pid) if " up " not in one.command + " "]


def _number(said: str, name: str) -> int:
    found = re.search(rf"^ *{re.escape(name)} +([\d,]+)", said, re.MULTILINE) or re.search(
        rf"^ +([\d,]+) +{re.escape(name)}\b", said, re.MULTILINE
    )
    assert found, f"{name} is not in:\n{said}"
    return int(found[1].replace(",", ""))


def _counted(folder: Path) -> dict[str, int]:
    """Segments counted from the published files alone, in plain Python."""
    memory = json.loads((folder / "demo.json").read_text())
    at = datetime.fromisoformat(memory["told_until"])
    music: dict[str, list[Any]] = defaultdict(list)
    web: dict[str, list[Any]] = defaultdict(list)
    with gzip.open(DATA / "CDNOW_master.txt.gz", "rt") as lines:
        for customer, day, quantity, _ in (words for line in list(lines)[1:] if (words := line.split())):
            if behaviour.is_told(f"cdnow-{customer}", SHARE):
                moved = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) + timedelta(days=memory["music_days"])
                music[customer].append((moved, int(quantity)))
    with gzip.open(DATA / "retentioneering_ecom.csv.gz", "rt") as lines:
        for row in csv.DictReader(lines):
            if behaviour.is_told(row["user_id"].replace("_", "-"), SHARE):
                moved = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC)
                web[row["user_id"]].append((moved + timedelta(days=memory["web_days"]), row["event"]))

    def in_last(events: list[Any], days: int) -> list[Any]:
        return [event for event in events if at - timedelta(days=days) < event[0] <= at]

    def bought(events: list[Any], days: int) -> bool:
        return any(name == "purchase" for _, name in in_last(events, days))

    return {
        "Music customers": len(music),
        "Bought lately": sum(bool(in_last(one, 30)) for one in music.values()),
        "Loyal customers": sum(len(one) >= 5 for one in music.values()),
        "Collectors": sum(len(one) >= 3 and any(n >= 5 for _, n in one) for one in music.values()),
        "Good customers who slip away": sum(
            len(one) >= 3 and max(day for day, _ in one) <= at - timedelta(days=60) for one in music.values()
        ),
        "Visitors of the web shop": len(web),
        "Active in the web shop": sum(len(in_last(one, 30)) >= 10 for one in [*web.values(), *music.values()]),
        "Left a cart": sum(
            any(name == "add_to_cart" for _, name in in_last(one, 7)) and not bought(one, 7) for one in web.values()
        ),
    }


def _check(said: str, folder: Path) -> None:
    expected = behaviour.totals(SHARE)
    assert _number(said, "People") == expected.people
    assert _number(said, "Events") == expected.events
    assert f"the daily counts say {expected.events:,}" in said
    assert _number(said, "Rejected") == 0
    assert {name: _number(said, name) for name in _counted(folder)} == _counted(folder)
    assert _number(said, "Sent") > 0
    assert _number(said, "Mails") == _number(said, "Sent")


def test_FM21_with_every_wake_up_lost_beat_alone_completes_it():
    """In a home that never was, and of the last days alone: Beat comes by once a second."""
    folder = new_home()
    with Run(folder, days=4, CAIRN_WAKE_UPS="off") as run:
        said = run.ended()
    _check(said, folder)
    assert "Lived through the last 4 days" in said


def test_killed_at_random_it_ends_with_the_same_counts_and_goes_on_when_run_again(another_home: Callable[[], Path]):
    chance, folder = random.Random(1), another_home()
    with Run(folder) as run:
        killed = 0
        while killed < KILLS and run.process.poll() is None and not run.has_said("Lived through"):
            time.sleep(2)
            if run.has_said("Started Cairn") and (victims := run.victims()):
                os.kill(chance.choice(victims).pid, signal.SIGKILL)
                killed += 1
        said = run.ended()
    assert killed >= KILLS / 2, "they were killed in the midst of their work"
    assert "Lived through the last 14 days" in said
    expected = behaviour.totals(SHARE)
    assert _number(said, "People") == expected.people
    assert _number(said, "Events") == expected.events
    assert {name: _number(said, name) for name in _counted(folder)} == _counted(folder)
    # A worker that died while sending leaves a message of which nobody knows; it is never sent twice.
    sent, mails = _number(said, "Sent"), _number(said, "Mails")
    unknown = _number(said, "Unknown") if re.search(r"\bUnknown\b", said) else 0
    assert sent <= mails <= sent + unknown
    with Run(folder) as again:
        later = again.ended()
    assert "nothing is sent twice" in later
    assert _number(later, "Events") == expected.events
