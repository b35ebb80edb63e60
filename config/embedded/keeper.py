"""Runs the embedded PostgreSQL for as long as anybody holds a share in it, and starts it again when it dies.

`python -m config.embedded.keeper`. There may be several; one runs the server, the others stand by.
"""

import fcntl
import signal
import sys
import time
from typing import IO

from config.embedded import home, postgres

_LOOK = 0.1  # seconds between two looks
_STUCK = 5.0  # seconds that a server which cannot get up again may stand there


def main() -> int:
    # Only the end of all shares ends us: whoever tells a whole group to stop may not be the last user.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    with home.lock("users") as users, home.lock("keeper") as keeping:
        while not _try(keeping):
            if _try(users):
                return 0
            time.sleep(_LOOK)
        try:
            _keep(postgres.server(), users)
        except Exception as error:
            print(error, file=sys.stderr)
            return 1
    return 0


def _keep(server: postgres.Server, users: IO[str]) -> None:
    falls, since = 0, time.monotonic()
    server.start()
    server.ensure_database()
    stands = time.monotonic()
    while not _try(users):
        if server.lives():
            time.sleep(_LOOK)
            if not server.is_stuck():
                stands = time.monotonic()
            elif time.monotonic() - stands > _STUCK:
                print("PostgreSQL lost its recovery and waits for ever; it is started anew.", file=sys.stderr)
                server.stop()
            continue
        falls = falls + 1 if time.monotonic() - since < 60 else 0
        time.sleep(min(10, 0.1 * 2**falls))
        since = time.monotonic()
        server.start()
    # Nobody can get a share until we are gone: `users` is ours alone now.
    server.stop()


def _try(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
