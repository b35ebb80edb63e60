"""Keeps child processes alive: tells what they say, starts again those that die, and ends them when asked to."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.embedded import children

_LONGEST_PAUSE = 30.0  # seconds between the death of a child that dies again and again, and its next start
_SETTLED = 60.0  # seconds that a child must live before its earlier falls are forgotten
_LONGEST_LINE = 64_000

Say = Callable[[str, str], None]


@dataclass(frozen=True)
class Part:
    """A program to be kept running. `last_words` reach it should we die without a word."""

    name: str
    command: Sequence[str | Path]
    env: Mapping[str, str]
    last_words: signal.Signals | None = signal.SIGKILL


class Supervisor:
    """Runs parts. All of it happens inside `turn`, which the caller's loop calls, in the thread that started them."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._children: dict[str, _Child] = {}
        self._selector = selectors.DefaultSelector()

    def start(self, part: Part) -> None:
        child = self._children[part.name] = _Child(part)
        child.run = _Run(part, self._say, self._selector)

    def turn(self, patience: float = 0.1) -> None:
        """Passes on what the children said, for at most `patience` seconds, and starts again those that died."""
        self._listen(patience)
        for child in self._children.values():
            if child.run is not None and not child.run.lives():
                self._bury(child, child.run)
            if child.run is None and time.monotonic() >= child.again_at:
                child.run = _Run(child.part, self._say, self._selector)

    def fell(self, name: str) -> bool:
        """Whether it has died of late."""
        return self._children[name].falls > 0

    def end(self, names: Iterable[str], how: signal.Signals | None, patience: float) -> None:
        """Ends these together: asks with `how`, and after `patience` seconds insists.

        With None it only waits for them, and lets go of what is still there.
        """
        ending = [self._children.pop(name) for name in names if name in self._children]
        runs = [child.run for child in ending if child.run is not None]
        for run in runs:
            if how is not None and run.lives():
                run.process.send_signal(how)
        until = time.monotonic() + patience
        while time.monotonic() < until and any(run.lives() for run in runs):
            self._listen(0.02)
        for run in runs:
            if how is not None:
                children.stop(run.process, signal.SIGKILL, 2)
            run.close()

    def _listen(self, patience: float) -> None:
        for key, _ in self._selector.select(patience):
            key.data.hear()

    def _bury(self, child: "_Child", run: "_Run") -> None:
        children.end_group(run.process)
        run.close()
        child.run = None
        child.falls = 1 if time.monotonic() - run.since > _SETTLED else child.falls + 1
        pause = min(_LONGEST_PAUSE, 0.1 * 2 ** (child.falls - 1))
        child.again_at = time.monotonic() + pause
        ended = _how_it_ended(run.process.returncode)
        self._say("cairn", f"{child.part.name} {ended}; it starts again in {pause:.1f} s.")


class _Run:
    """One life of a part: its process, and the pipe into which it speaks."""

    def __init__(self, part: Part, say: Say, selector: selectors.BaseSelector) -> None:
        self._name, self._say, self._selector = part.name, say, selector
        self._ear, mouth = os.pipe()
        try:
            self.process: subprocess.Popen[bytes] = children.spawn(
                part.command, last_words=part.last_words, env=part.env, stdout=mouth
            )
        finally:
            os.close(mouth)
        self.since = time.monotonic()
        self._unfinished = b""
        os.set_blocking(self._ear, False)
        selector.register(self._ear, selectors.EVENT_READ, self)
        self._listened_to = True

    def lives(self) -> bool:
        return self.process.poll() is None

    def hear(self) -> bool:
        """Passes on the lines that can be read now; whether there were any."""
        try:
            heard = os.read(self._ear, 65_536)
        except BlockingIOError:
            return False
        if not heard:
            self._forget()
            return False
        *lines, self._unfinished = (self._unfinished + heard).split(b"\n")
        if len(self._unfinished) > _LONGEST_LINE:
            lines, self._unfinished = [*lines, self._unfinished], b""
        for line in lines:
            self._say(self._name, line.decode(errors="replace"))
        return True

    def close(self) -> None:
        """Passes on what is left, and lets go of the pipe."""
        while self._listened_to and self.hear():
            pass
        if self._unfinished:
            self._say(self._name, self._unfinished.decode(errors="replace"))
        self._forget()
        os.close(self._ear)

    def _forget(self) -> None:
        if self._listened_to:
            self._selector.unregister(self._ear)
            self._listened_to = False


@dataclass
class _Child:
    part: Part
    run: _Run | None = None
    falls: int = 0
    again_at: float = 0.0


def _how_it_ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
