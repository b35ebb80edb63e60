"""One that runs, for all tests that leave it well; and homes to start others from."""

import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.running import Ended, Up, new_home


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for processes comes first: the rest of the tests fills the time."""
    items.sort(key=lambda item: item.get_closest_marker("crash") is None)


@dataclass(frozen=True)
class FirstStart:
    """A start in an empty home, and how it ended when it was asked to."""

    home: Path
    ended: Ended


@pytest.fixture(scope="session")
def first_start() -> Iterator[FirstStart]:
    """It makes the database, migrates it and collects the files: once, for all the tests that are not about that."""
    running = Up(new_home())
    try:
        running.await_ready()
        yield FirstStart(running.folder, running.asked_to_end(signal.SIGINT))
    finally:
        running.make_sure_it_is_gone()


@pytest.fixture(scope="session")
def another_home(first_start: FirstStart) -> Callable[[], Path]:
    """Makes homes in which Cairn has been started before."""

    def make() -> Path:
        folder = new_home()
        shutil.copytree(first_start.home, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("run"))
        return folder

    return make


@pytest.fixture(scope="session")
def up(another_home: Callable[[], Path]) -> Iterator[Up]:
    """One that every test leaves running and well. Its clock is manual, and goes with real time until it is moved."""
    running = Up(another_home(), CAIRN_CLOCK="manual")
    try:
        running.await_ready()
        yield running
    finally:
        running.make_sure_it_is_gone()


@pytest.fixture
def short_lived(another_home: Callable[[], Path]) -> Iterator[Up]:
    """One for a test that ends it."""
    running = Up(another_home())
    try:
        running.await_ready()
        yield running
    finally:
        running.make_sure_it_is_gone()
