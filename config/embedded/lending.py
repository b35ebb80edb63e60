"""Who may use the embedded database: whoever holds a share in it. A keeper runs it while anybody does."""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from config.embedded import broker, children, home, postgres

# Commands that ask nothing of the database, and `up` and `demo`, which run their own.
WITHOUT = {
    "up",
    "demo",
    "help",
    "version",
    "--help",
    "--version",
    "check",
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "makemessages",
    "startapp",
}
_PATIENCE = 90  # seconds: a first start on a slow disk, or the recovery after a power cut


def is_embedded() -> bool:
    return not os.environ.get("DATABASE_URL")


@contextmanager
def services_for(argv: Sequence[str]) -> Iterator[None]:
    """For the time of a command: the embedded database of this CAIRN_HOME, found running or started."""
    if not is_embedded() or not _needs_database(argv):
        yield
        return
    if not os.environ.get("CELERY_BROKER_URL") and not broker.answers():
        os.environ["CAIRN_WAKE_UPS"] = "off"  # no workers here: the next `up` finds the work by its rounds
    with borrowed():
        yield


def _needs_database(argv: Sequence[str]) -> bool:
    if len(argv) < 2 or "--help" in argv or "-h" in argv:
        return False
    return argv[1] not in WITHOUT or "--database" in argv


@contextmanager
def share() -> Iterator[None]:
    """Holds a share in the server: the keeper does not stop it while anybody does. Waits for a stop under way."""
    with home.lock("users") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        yield


@contextmanager
def borrowed() -> Iterator[None]:
    """Holds a share in the server, and has it started where it does not run."""
    with share():
        if not is_ready():
            _have_it_started()
        yield


def is_ready() -> bool:
    """Whether the app role can enter the database, which is made last."""
    try:
        postgres.server().connect(postgres.DATABASE, postgres.APP).close()
    except postgres.Unreachable:
        return False
    return True


def keeper() -> list[str]:
    """The command of the process that runs the server."""
    return [sys.executable, "-m", "config.embedded.keeper"]


def keeper_log() -> Path:
    return home.folder("postgres") / "keeper.log"


def _have_it_started() -> None:
    with home.lock("starting") as starting:
        # Two commands at once: the second waits here, and then finds the server that the first had started.
        fcntl.flock(starting, fcntl.LOCK_EX)
        if is_ready():
            return
        # The keeper is nobody's child: it outlives a starter that is killed while others use the server.
        with keeper_log().open("wb") as log:
            process = children.spawn(keeper(), last_words=None, env=keeper_env(), stdout=log)
        wait_until_ready(process)


def keeper_env() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(home.BASE), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "CAIRN_HOME": str(home.home())}


def wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    """Returns once the server can be used; raises with the keeper's last words if that does not come about."""
    until = time.monotonic() + _PATIENCE
    while not is_ready():
        if process.poll() not in (None, 0) or time.monotonic() > until:
            raise RuntimeError(f"The embedded PostgreSQL did not start. {_last_words()}")
        time.sleep(0.03)


def _last_words() -> str:
    try:
        lines = keeper_log().read_text(errors="replace").strip().splitlines()
    except FileNotFoundError:
        lines = []
    return lines[-1] if lines else f"{home.home() / 'postgres'} has its log."
