"""Child processes that never outlive us, nor their own children them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from config.embedded import bound


def spawn(
    command: Sequence[str | Path],
    *,
    last_words: signal.Signals | None = signal.SIGTERM,
    env: Mapping[str, str] | None = None,
    stdout: IO[bytes] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Starts `command` in a session of its own; where Linux allows, `last_words` reaches it should we die.

    A session of its own, so that Ctrl-C in a terminal reaches only us and we end the children in order. The thread
    that calls this must live as long as the child: the kernel takes its end for ours.
    """
    words = [str(part) for part in command]
    if last_words is not None:
        words = [sys.executable, "-I", "-S", bound.__file__, str(int(last_words)), str(os.getpid()), *words]
    return subprocess.Popen(
        words,
        env=dict(env) if env is not None else None,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT if stdout is not None else None,
        start_new_session=True,
    )


def stop(child: subprocess.Popen[bytes], how: signal.Signals, patience: float) -> None:
    """Ends `child` and all that it started: asks with `how`, and after `patience` seconds insists."""
    if child.poll() is None:
        child.send_signal(how)
        try:
            child.wait(max(patience, 0))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    end_group(child)


def end_group(child: subprocess.Popen[bytes]) -> None:
    """Kills what a dead child left behind: its own children are in the group that it led."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def wait_for(ready: Callable[[], bool], child: subprocess.Popen[bytes], patience: float) -> bool:
    """Whether `ready` came true within `patience` seconds while `child` lived."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if ready():
            return True
        if child.poll() is not None:
            return False
        time.sleep(0.02)
    return ready()


def bind_to_parent() -> None:
    """For processes that a child of ours forks: they die with it, should it be killed."""
    if os.environ.get("CAIRN_SUPERVISED"):
        bound.bind(signal.SIGKILL, os.getppid())
