import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.embedded import home
from config.supervisor import Part, Supervisor
from tests.crash.running import descendants, eventually


class Stage:
    """A supervisor, what was said, and a way to wait."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.supervisor = Supervisor(lambda who, line: self.said.append((who, line)))

    def start(self, name: str, code: str, **how: object) -> None:
        self.supervisor.start(Part(name, [sys.executable, "-c", code], {}, **how))  # type: ignore[arg-type]

    def turn_until(self, true: Callable[[], object], patience: float = 10) -> None:
        until = time.monotonic() + patience
        while not true():
            assert time.monotonic() < until, self.said
            self.supervisor.turn(0.05)

    def lines(self, who: str) -> list[str]:
        return [line for name, line in self.said if name == who]


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.supervisor.end(["a", "b"], signal.SIGKILL, 1)


STAYS = "import time; print('here', flush=True); time.sleep(60)"


def test_what_children_say_is_passed_on_line_by_line(stage: Stage) -> None:
    stage.start("a", "import os; os.write(1, b'one\\ntwo\\nth'); os.write(2, b'ree\\n'); os.write(1, b'\\xff end')")
    stage.turn_until(lambda: "cairn" in dict(stage.said))
    assert stage.lines("a") == ["one", "two", "three", "\ufffd end"]
    assert stage.lines("cairn") == ["a ended with 0; it starts again in 0.1 s."]


def test_a_line_without_an_end_does_not_fill_the_memory(stage: Stage) -> None:
    stage.start("a", "import sys; sys.stdout.write('x' * 200_000); sys.stdout.flush()")
    stage.turn_until(lambda: len(stage.lines("cairn")) >= 1)
    assert sum(map(len, stage.lines("a"))) == 200_000
    assert len(stage.lines("a")) > 1


def test_who_dies_starts_again_each_time_later(stage: Stage) -> None:
    stage.start("a", "print('here')")
    stage.turn_until(lambda: len(stage.lines("cairn")) == 4)
    assert [line.rpartition(" in ")[2] for line in stage.lines("cairn")] == ["0.1 s.", "0.2 s.", "0.4 s.", "0.8 s."]
    assert stage.lines("a") == ["here"] * 4
    assert stage.supervisor.fell("a")


def test_who_lived_for_long_starts_again_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.supervisor._SETTLED", 0.0)
    stage.start("a", "print('here')")
    stage.turn_until(lambda: len(stage.lines("cairn")) == 3)
    assert {line.rpartition(" in ")[2] for line in stage.lines("cairn")} == {"0.1 s."}


def test_the_signal_that_killed_it_is_named(stage: Stage) -> None:
    stage.start("a", "import os; os.abort()")
    stage.turn_until(lambda: stage.lines("cairn"))
    assert stage.lines("cairn")[0].startswith("a was ended by SIGABRT;")


def test_nothing_is_left_of_a_dead_childs_own_children(stage: Stage) -> None:
    code = "import subprocess as s, sys; print(s.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid)"
    stage.start("a", code)
    stage.turn_until(lambda: stage.lines("cairn") and stage.lines("a"))
    grandchild = int(stage.lines("a")[0])
    eventually(lambda: not Path(f"/proc/{grandchild}").exists(), 5, "it is gone")


def test_who_is_asked_to_end_has_its_time_and_its_last_words(stage: Stage) -> None:
    code = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print('goodbye'), sys.exit(0)))
print('here', flush=True)
time.sleep(60)
"""
    stage.start("a", code)
    stage.turn_until(lambda: stage.lines("a"))
    stage.supervisor.end(["a"], signal.SIGTERM, 5)
    assert stage.lines("a") == ["here", "goodbye"]
    assert stage.lines("cairn") == []


def test_who_does_not_listen_is_ended_after_its_time(stage: Stage) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
    )
    stage.start("a", deaf)
    stage.start("b", deaf)
    stage.turn_until(lambda: stage.lines("a") and stage.lines("b"))
    began = time.monotonic()
    stage.supervisor.end(["a", "b", "nobody"], signal.SIGTERM, 0.5)
    assert 0.5 <= time.monotonic() - began < 3, "they are waited for together"


def test_who_is_only_waited_for_is_let_go(stage: Stage) -> None:
    stage.start("a", STAYS)
    stage.turn_until(lambda: stage.lines("a"))
    run = stage.supervisor._children["a"].run
    assert run is not None
    stage.supervisor.end(["a"], None, 0.1)
    assert run.lives()
    run.process.kill()
    run.process.wait()


def test_last_words_reach_the_child_of_a_parent_that_was_killed() -> None:
    parent = f"""
import signal, sys, time
from config.supervisor import Part, Supervisor
supervisor = Supervisor(lambda who, line: print(line, flush=True))
supervisor.start(Part("a", [sys.executable, "-c", {STAYS!r}], {{}}))
while True:
    supervisor.turn()
"""
    process = subprocess.Popen([sys.executable, "-c", parent], cwd=home.BASE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "here\n"
        family = descendants(process.pid)
        assert family
        process.kill()
        process.wait()
    eventually(lambda: not [found for found in family if found.lives()], 5, "its child is gone too")
