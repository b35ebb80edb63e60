"""A real `manage.py up` in a home of its own: how to start it, look at it, and find its processes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config.embedded import home

_NOT_ITS = ("DATABASE", "CELERY", "CAIRN", "EMAIL", "BASE_URL", "DJANGO", "SECRET", "LINK_KEYS", "HOST", "PYTEST")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Ours without what tests are run with, and a home in `folder`."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_ITS)}
    return {**plain, "CAIRN_HOME": str(folder), "PYTHONUNBUFFERED": "1", **more}


def new_home() -> Path:
    """An empty home. Its path is short, as those of sockets must be; it goes with the run."""
    return Path(tempfile.mkdtemp(prefix="up-", dir=os.environ["CAIRN_TEST_HOME"]))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def eventually(true: Callable[[], object], patience: float, what: str) -> None:
    until = time.monotonic() + patience
    while not true():
        assert time.monotonic() < until, f"not within {patience:.0f} seconds: {what}"
        time.sleep(0.05)


@dataclass(frozen=True)
class Process:
    """A process, told from a later one of the same number by when it started."""

    pid: int
    parent: int
    started: str
    command: str

    def lives(self) -> bool:
        found = _process(self.pid)
        return found is not None and found.started == self.started


def _process(pid: int) -> Process | None:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    if words[0] == "Z":
        return None
    return Process(pid, int(words[1]), words[19], command)


def descendants(pid: int) -> list[Process]:
    """Everything that `pid` started, and what that started, the parents first."""
    numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    alive = [process for number in numbers if (process := _process(number))]
    found: list[Process] = []
    parents = {pid}
    while parents:
        level = [process for process in alive if process.parent in parents]
        found += level
        parents = {process.pid for process in level}
    return found


@dataclass(frozen=True)
class Ended:
    """How one ended that was asked to: the exit code, the seconds it took, who outlived it, and all that it said."""

    code: int
    took: float
    left: list[Process]
    said: str


class Up:
    """`manage.py up`, running."""

    def __init__(self, folder: Path, *words: str, **env: str) -> None:
        self.folder, self.port, self.lines = folder, free_port(), list[str]()
        self.env = environment(folder, **{"PORT": str(self.port), **env})
        self.process = subprocess.Popen(
            [sys.executable, home.BASE / "manage.py", "up", *words],
            env=self.env,
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

    def ask(self, path: str) -> tuple[int, str]:
        """The status and the body; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, repr(error)

    def is_ready(self) -> bool:
        status, body = self.ask("/readyz")
        return status == 200 and json.loads(body)["ready"]

    def await_ready(self, patience: float = 120) -> None:
        try:
            eventually(lambda: self.process.poll() is not None or self.is_ready(), patience, "ready")
            assert self.process.poll() is None, "it ended"
        except AssertionError as error:
            said = "\n".join(self.lines[-40:])
            raise AssertionError(f"{error}; it answers {self.ask('/readyz')}, and said:\n{said}") from None

    def await_run(self, loop: str, patience: float = 30) -> None:
        """Waits until `loop` has run, begun after this call."""
        since = time.monotonic()

        def has_run() -> bool:
            found = re.search(rf'cairn_loop_age_seconds{{loop="{re.escape(loop)}"}} (\S+)', self.ask("/metrics")[1])
            return found is not None and float(found[1]) < time.monotonic() - since

        eventually(has_run, patience, f"{loop} has run since")

    def family(self) -> list[Process]:
        return descendants(self.process.pid)

    def end(self, how: signal.Signals) -> int:
        """Asks it to end; its exit code."""
        self.process.send_signal(how)
        code = self.process.wait(15)
        self._reader.join(5)
        return code

    def asked_to_end(self, how: signal.Signals) -> Ended:
        """Asks one that is ready to end, and looks at what is left of it."""
        eventually(lambda: any("Cairn is ready at" in line for line in self.lines), 5, "it says that it is ready")
        family, began = self.family(), time.monotonic()
        code = self.end(how)
        took = time.monotonic() - began
        return Ended(code, took, [process for process in family if process.lives()], "\n".join(self.lines))

    def make_sure_it_is_gone(self) -> None:
        """Whatever a failing test left: ends it, and it alone."""
        family = self.family()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for process in family:
            if process.lives():
                os.kill(process.pid, signal.SIGKILL)
