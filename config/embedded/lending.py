"""Who runs the embedded database: `up` for all, or a single command for its own time."""

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from config.embedded import home, postgres

# Commands that ask nothing of the database, and `up`, which starts its own.
WITHOUT = {
    "up",
    "help",
    "version",
    "--help",
    "--version",
    "collectstatic",
    "startapp",
    "compilemessages",
    "makemessages",
}


def is_embedded() -> bool:
    return not os.environ.get("DATABASE_URL")


@contextmanager
def services_for(argv: Sequence[str]) -> Iterator[None]:
    """For the time of a command: the embedded database of this CAIRN_HOME, found running or started."""
    if not is_embedded() or len(argv) < 2 or argv[1] in WITHOUT:
        yield
        return
    with borrowed():
        yield


@contextmanager
def borrowed() -> Iterator[None]:
    """Holds a share in the running server; whoever started it stops it only when nobody else holds one.

    Two locks: `starting` lets one process at a time find out whether to start; `users` is held shared by all who
    use the server, so that the one that started it can wait for the others before it stops it.
    """
    server = postgres.server()
    with open(home.sockets() / "starting.lock", "w") as starting, open(home.sockets() / "users.lock", "w") as users:
        fcntl.flock(starting, fcntl.LOCK_EX)
        mine = not server.answers()
        if mine:
            server.start()
            server.ensure_database()
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(starting, fcntl.LOCK_UN)
        try:
            yield
        finally:
            if mine:
                _last_one_out(server, users.fileno(), starting.fileno())


def _last_one_out(server: postgres.Server, users: int, starting: int) -> None:
    while True:
        # Nobody may begin to use the server between our look and its stop.
        fcntl.flock(starting, fcntl.LOCK_EX)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(starting, fcntl.LOCK_UN)
            time.sleep(0.1)
            continue
        server.stop()
        return
