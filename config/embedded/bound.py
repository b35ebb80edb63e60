"""Becomes another program that dies when its parent does: `python bound.py SIGNAL PARENT COMMAND…`.

A program and no function between fork and exec, since who starts us may have threads, and a fork of a process with
threads may run no Python safely.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def bind(how: int, parent: int) -> None:
    """Has the kernel send us the signal `how` when the thread that started us ends; Linux alone can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, how)
    if os.getppid() != parent:  # it died before we were bound
        os._exit(1)


if __name__ == "__main__":
    bind(int(sys.argv[1]), int(sys.argv[2]))
    os.execvp(sys.argv[3], sys.argv[3:])  # noqa: S606 (an argument list, no shell)
