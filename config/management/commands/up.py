"""Everything under one parent: what is not configured elsewhere is started here, prepared, and kept alive."""

import fcntl
import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection, connections

from config import checks, gate, migrating, recovering, schedule, statics
from config.embedded import broker, home, lending
from config.supervisor import Part, Supervisor

PARTS = ("web", "worker", "beat", "maintenance")
_WIDTH = max(len(name) for name in PARTS)
_TO_START = 60.0  # seconds that the database, the broker and another installation's migrations get
_TO_END = 9.0  # seconds that all of it may take to end


class _Ended(Exception):
    """Somebody asked us to end while we were preparing."""


class Command(BaseCommand):
    help = "Starts Cairn: the database and the broker where none are configured, web, worker, beat and maintenance."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--only",
            metavar="PART,…",
            help=f"these parts alone, of {', '.join(PARTS)}; for several machines with real servers",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._asked_to_end = self._preparing = False
        self._supervisor = Supervisor(self._say)
        self._began = time.monotonic()
        parts = _parts(options["only"])
        with ExitStack() as held:
            for part in parts:
                held.enter_context(_only_one(part))
            if "web" in parts:
                _check_port()
            for asked in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(asked, self._end)
            self._run(parts)

    def _run(self, parts: list[str]) -> None:
        with ExitStack() as share:
            try:
                with self._interruptible():
                    self._start_services(share)
                    self._prepare(parts)
                for name in parts:
                    self._supervisor.start(_part(name))
                self._watch(parts)
            except _Ended:
                pass
            finally:
                self._end_all(share)

    # ── What is needed before the parts can start ────────────────────────────────────────────────────────────────────

    def _start_services(self, share: ExitStack) -> None:
        if lending.is_embedded():
            self._tell("Starting the database.")
            share.enter_context(lending.share())
            self._supervisor.start(Part("database", lending.keeper(), lending.keeper_env(), last_words=None))
        if not os.environ.get("CELERY_BROKER_URL"):
            self._tell("Starting the broker.")
            self._supervisor.start(Part("broker", broker.command(), dict(os.environ), last_words=signal.SIGTERM))
            self._await("broker", broker.answers)
        if lending.is_embedded():
            self._await("database", lending.is_ready)

    def _await(self, name: str, ready: Any) -> None:
        until = time.monotonic() + _TO_START
        while not ready():
            self._supervisor.turn(0.03)
            if self._supervisor.fell(name) or time.monotonic() > until:
                raise CommandError(f"The embedded {name} did not start; {home.home()} holds its log.")

    def _prepare(self, parts: list[str]) -> None:
        self._await_database()
        if "owner" in connections:
            if waiting := migrating.unapplied(connections["owner"]):
                self._tell(f"Applying {waiting} migrations.")
            call_command("migrate", verbosity=0, interactive=False, skip_checks=True)
        else:
            self._await_migrations()
        if sentence := gate.closed():
            raise CommandError(sentence)
        if sentence := recovering.look():
            self._tell(sentence)
        if "web" in parts and statics.collect():
            self._tell("Collected the static files.")
        if "beat" in parts:
            schedule.sync()
        for error in checks.all_is_read_where_it_is_written():
            raise CommandError(f"{error.msg} {error.hint}")
        for warning in checks.app_role_is_no_owner(["default"]):
            self._tell(f"{warning.msg} {warning.hint}")
        connections.close_all()

    def _await_database(self) -> None:
        until, told = time.monotonic() + _TO_START, False
        while True:
            try:
                connection.ensure_connection()
            except OperationalError as error:
                if time.monotonic() > until:
                    raise CommandError(f"The database does not let us in: {str(error).strip()}") from None
                if not told:
                    self._tell("Waiting for the database.")
                told = True
                time.sleep(0.3)
            else:
                return

    def _await_migrations(self) -> None:
        """Somebody else migrates: whoever has DATABASE_OWNER_URL."""
        until, told = time.monotonic() + _TO_START, ""
        while awaited := migrating.what_is_awaited(connection):
            if time.monotonic() > until:
                raise CommandError(f"Still {awaited}: run `manage.py migrate` with DATABASE_OWNER_URL set.")
            if awaited != told:
                self._tell(f"Waiting: {awaited}.")
            told = awaited
            connection.close()
            time.sleep(0.5)

    # ── While it runs, and its end ───────────────────────────────────────────────────────────────────────────────────

    def _watch(self, parts: list[str]) -> None:
        ready, asked, told = "web" not in parts, 0.0, time.monotonic()
        if ready:
            self._tell(f"Running: {', '.join(parts)}.")
        while not self._asked_to_end:
            self._supervisor.turn()
            if ready or time.monotonic() - asked < 0.25:
                continue
            asked = time.monotonic()
            ready, missing = _ask_readyz()
            if ready:
                took = time.monotonic() - self._began
                self._tell(f"Cairn is ready at {settings.ADMIN_URL or settings.BASE_URL} ({took:.1f} s).")
            elif time.monotonic() - told > 10:
                told = time.monotonic()
                self._tell(f"Not ready yet. {missing}")

    def _end_all(self, share: ExitStack) -> None:
        self._tell("Ending.")
        end, latest = self._supervisor.end, time.monotonic() + _TO_END
        end(PARTS, signal.SIGTERM, 4)  # together: what one leaves undone, the next start finds
        end(["broker"], signal.SIGTERM, 1)
        share.close()  # the keeper ends the server when nobody else has a share in it
        end(["database"], None, max(1, latest - time.monotonic()))
        self._tell("Ended.")

    def _end(self, signum: int, frame: FrameType | None) -> None:
        already, self._asked_to_end = self._asked_to_end, True
        if self._preparing and not already:
            raise _Ended

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """While this lasts, a signal to end cuts short whatever runs."""
        self._preparing = True
        try:
            if self._asked_to_end:
                raise _Ended
            yield
        finally:
            self._preparing = False

    def _tell(self, sentence: str) -> None:
        self._say("cairn", sentence)

    def _say(self, who: str, line: str) -> None:
        try:
            self.stdout.write(f"{who:<{_WIDTH}} | {line}")
            self.stdout.flush()
        except OSError:
            pass  # nobody reads us any more, which is no reason to fall


def _parts(only: str | None) -> list[str]:
    if only is None:
        return [part for part in PARTS if part != "maintenance" or "owner" in connections]
    chosen = [part.strip() for part in only.split(",") if part.strip()]
    for part in chosen:
        if part not in PARTS:
            raise CommandError(f"There is no part {part!r}: choose of {', '.join(PARTS)}.")
    if not chosen:
        raise CommandError(f"--only names no part: choose of {', '.join(PARTS)}.")
    if lending.is_embedded() or not os.environ.get("CELERY_BROKER_URL"):
        raise CommandError(
            "--only is for real servers, which several machines share: set DATABASE_URL and CELERY_BROKER_URL."
        )
    if "maintenance" in chosen and "owner" not in connections:
        raise CommandError("The part maintenance needs DATABASE_OWNER_URL: only the owner makes and drops tables.")
    return [part for part in PARTS if part in chosen]


@contextmanager
def _only_one(part: str) -> Iterator[None]:
    """Holds the lock of `part` in this CAIRN_HOME; refuses where another `up` has it."""
    with home.lock(f"up-{part}") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CommandError(
                f"Cairn already runs with this CAIRN_HOME ({home.home()}, process {lock.read() or 'unknown'})."
                " End it first, or choose another CAIRN_HOME and PORT."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _check_port() -> None:
    with socket.socket(socket.AF_INET6 if ":" in settings.HOST else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.HOST, settings.PORT))
        except OSError as error:
            raise CommandError(
                f"Web cannot listen on {settings.HOST}:{settings.PORT} ({error.strerror}): set PORT, or HOST."
            ) from None


def _part(name: str) -> Part:
    celery: list[str | Path] = [sys.executable, *_NO_ROOT_WARNING, "-m", "celery", "--quiet", "-A", "config.celery"]
    manage: list[str | Path] = [sys.executable, home.BASE / "manage.py"]
    level = ["--loglevel", settings.LOG_LEVEL]
    commands: dict[str, list[str | Path]] = {
        "web": _web(),
        "worker": [*celery, "worker", *level, "--concurrency", str(settings.WORKER_PROCESSES), *_LONELY],
        "beat": [*celery, "beat", *level, "--pidfile="],
        "maintenance": [*manage, "maintain", "--every", "3600"],
    }
    return Part(name, commands[name], _env(name))


_NO_ROOT_WARNING = ["-W", "ignore:You're running the worker with superuser privileges"]
_LONELY = ["--without-gossip", "--without-mingle", "--without-heartbeat"]  # our workers have nothing to say to others


def _web() -> list[str | Path]:
    command: list[str | Path] = [sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws"]
    command += ["--host", settings.HOST, "--port", str(settings.PORT), "--log-level", "error"]
    command += ["--workers", str(settings.WEB_PROCESSES), "--blocking-threads", str(settings.WEB_THREADS)]
    return [*command, "config.wsgi:application"]


def _env(name: str) -> dict[str, str]:
    """A child's environment: only maintenance learns how to become the owner of the tables."""
    env = {**lending.keeper_env(), "PYTHONUNBUFFERED": "1", "CAIRN_SUPERVISED": "app"}
    if name == "maintenance":
        return {**env, "CAIRN_SUPERVISED": "maintenance"}
    env.pop("DATABASE_OWNER_URL", None)
    return env


def _ask_readyz() -> tuple[bool, str]:
    host = "127.0.0.1" if settings.HOST in ("0.0.0.0", "::", "") else settings.HOST  # noqa: S104 (compared, not bound)
    request = urllib.request.Request(f"http://{host}:{settings.PORT}/readyz", headers={"Host": "127.0.0.1"})
    try:
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310 (http, at our own address)
            return True, ""
    except urllib.error.HTTPError as error:
        try:
            missing = json.load(error).get("missing", {})
        except ValueError:
            return False, f"The web process answers {error.code}."
        return False, " ".join(f"{what}: {why}." for what, why in missing.items())
    except OSError:
        return False, "The web process does not answer."
