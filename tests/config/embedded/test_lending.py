import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.embedded import home, lending
from tests.crash.running import Process, descendants, environment, eventually

BORROW = """
import sys
import time
from config.embedded import lending
with lending.borrowed():
    print("borrowed", flush=True)
    sys.stdin.readline()
"""


class Borrower:
    """A process that uses the server of `folder` until it is told to stop."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", BORROW],
            cwd=home.BASE,
            env=environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def has_it(self) -> bool:
        assert self.process.stdout is not None
        return self.process.stdout.readline() == "borrowed\n"

    def gives_it_back(self) -> None:
        self.process.communicate("\n", timeout=10)


@pytest.fixture
def borrow(tmp_path: Path) -> Iterator[Callable[[], Borrower]]:
    """Makes borrowers; those that are left when a test fails are ended."""
    made: list[Borrower] = []

    def one_more() -> Borrower:
        made.append(Borrower(tmp_path))
        return made[-1]

    yield one_more
    for borrower in made:
        borrower.process.kill()
        borrower.process.communicate()


def _server_answers(folder: Path) -> bool:
    return (folder / "postgres" / "data" / "postmaster.pid").exists()


@pytest.mark.crash
def test_the_server_runs_for_as_long_as_anybody_uses_it(tmp_path: Path, borrow: Callable[[], Borrower]) -> None:
    first, second = borrow(), borrow()
    assert first.has_it()
    assert second.has_it()
    # Whoever started it may be killed: the other has it still, and a third finds it.
    first.process.kill()
    first.process.wait()
    third = borrow()
    assert third.has_it()
    second.gives_it_back()
    assert _server_answers(tmp_path)
    third.gives_it_back()
    eventually(lambda: not _server_answers(tmp_path), 10, "the server has stopped")
    # And the next starts it again, with what is in it.
    fourth = borrow()
    assert fourth.has_it()
    fourth.gives_it_back()
    eventually(lambda: not _server_answers(tmp_path), 10, "the server has stopped")


@pytest.mark.crash
def test_a_keeper_that_is_killed_takes_the_server_along_and_the_next_user_has_it_started(
    tmp_path: Path, borrow: Callable[[], Borrower]
) -> None:
    first = borrow()
    assert first.has_it()
    (keeper,) = [found for found in descendants(first.process.pid) if "config.embedded.keeper" in found.command]
    (server,) = [found for found in descendants(keeper.pid) if found.parent == keeper.pid]
    os.kill(keeper.pid, signal.SIGKILL)
    eventually(lambda: not server.lives(), 10, "the server has ended with its keeper")
    second = borrow()
    assert second.has_it()


def test_what_needs_no_database_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    for words in ([], ["help"], ["check"], ["up"], ["migrate", "--help"], ["collectstatic", "--noinput"]):
        assert not lending._needs_database(["manage.py", *words]), words
    for words in (["migrate"], ["createkey", "x"], ["check", "--database", "default"]):
        assert lending._needs_database(["manage.py", *words]), words


@pytest.mark.crash
def test_a_server_whose_recovery_is_killed_is_started_anew(tmp_path: Path, borrow: Callable[[], Borrower]) -> None:
    first = borrow()
    assert first.has_it()

    def child(name: str) -> Process | None:
        return next((one for one in descendants(first.process.pid) if name in one.command), None)

    for _ in range(20):  # it may be over before we can kill it
        eventually(lambda: child("postgres: walwriter"), 20, "the server runs")
        victim = child("postgres: walwriter")
        assert victim is not None
        os.kill(victim.pid, signal.SIGKILL)
        until = time.monotonic() + 2
        while (recovery := child("postgres: startup")) is None and time.monotonic() < until:
            pass
        if recovery and recovery.lives():
            os.kill(recovery.pid, signal.SIGKILL)
            break
    eventually(lambda: child("postgres: walwriter"), 60, "the server runs")
    eventually(lambda: _server_answers(tmp_path), 20, "it answers")
