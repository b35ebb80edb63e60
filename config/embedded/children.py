"""Child processes that never outlive us."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1


@cache
def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def spawn(
    command: Sequence[str | Path],
    *,
    last_words: signal.Signals = signal.SIGTERM,
    env: Mapping[str, str] | None = None,
    stdout: IO[bytes] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Starts `command` in a session of its own; where Linux allows, `last_words` reaches it should we die.

    A session of its own, so that Ctrl-C in a terminal reaches only us and we end the children in order.
    """
    libc, parent = _libc(), os.getpid()

    def bind() -> None:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, last_words)
            if os.getppid() != parent:  # the parent died between fork and prctl
                os._exit(1)

    return subprocess.Popen(
        [str(part) for part in command],
        env=dict(env) if env is not None else None,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT if stdout is not None else None,
        start_new_session=True,
        preexec_fn=bind,
    )


def stop(child: subprocess.Popen[bytes], how: signal.Signals, patience: float) -> None:
    """Ends `child`: asks with `how`, and after `patience` seconds insists."""
    if child.poll() is None:
        child.send_signal(how)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


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
