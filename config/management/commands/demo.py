"""Cairn on published behaviour: starts everything, tells two shops' months by the front door, sums up, serves."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from config.embedded import children, home, lending
from foundation import clock
from foundation.errors import Refused
from playbooks.demo import ending, telling
from playbooks.demo.door import Door
from playbooks.demo.memory import Memory
from staff import actors, keys
from staff.models import Key, User

_USER = "demo"
_TO_START = 120.0  # seconds that the first start may take


class Command(BaseCommand):
    help = "Runs Cairn on sample behaviour under CAIRN_HOME. ONCE=1 in the environment: exits when all has been told."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="exit when the journeys have run, as ONCE=1 does")
        parser.add_argument(
            "--share", type=int, default=100, metavar="PERCENT", help="tell of this share of the people"
        )
        parser.add_argument(
            "--days", type=int, default=14, metavar="DAYS", help="live through so many; all before is sent as the past"
        )
        parser.add_argument("--step", type=int, default=12, metavar="HOURS", help="how far the clock moves at a time")

    def handle(self, *args: Any, **options: Any) -> None:
        _under_a_manual_clock()
        if not 1 <= options["share"] <= 100:
            raise CommandError(f"--share is {options['share']}; give a whole number from 1 to 100.")
        if not 1 <= options["days"] <= 60:
            raise CommandError(f"--days is {options['days']}; give a whole number of days from 1 to 60.")
        if not 1 <= options["step"] <= 24:
            raise CommandError(f"--step is {options['step']}; give a whole number of hours from 1 to 24.")
        once = options["once"] or os.environ.get("ONCE", "") not in ("", "0")
        for asked in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(asked, _end)
        cairn = _start()
        try:
            self._say(f"Started Cairn in {_await_ready(cairn):.1f} s; its log is {_log()}.")
            with actors.acting_as("command:demo"):
                self._tell(options["share"], timedelta(days=options["days"]), timedelta(hours=options["step"]))
            if not once:
                self._serve(cairn)
        except _Ended:
            self._say("Ending.")
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        finally:
            _ignore_signals()
            children.stop(cairn, signal.SIGTERM, 15)

    def _tell(self, share: int, lived: timedelta, step: timedelta) -> None:
        began = time.monotonic()
        credentials = telling.persistently(_credentials)
        door = Door(f"http://127.0.0.1:{settings.PORT}", credentials["write_key"])
        memory = Memory.at(home.home() / "demo.json")
        memory.share = memory.share if memory.begins else share
        telling.Demo(door, memory, self._say, lived, step).tell()
        self._say("")
        folder = Path(settings.EMAIL_FILE_PATH) if settings.EMAIL_FILE_PATH else None
        for line in telling.persistently(lambda: list(ending.lines(memory.share, folder))):
            self._say(line)
        self._say("")
        self._say(f"All of it took {time.monotonic() - began:.1f} s.")
        staff = settings.ADMIN_URL or settings.BASE_URL
        self._say(f"Admin       {staff}/admin/   user {_USER}, password {home.secret('DEMO_PASSWORD', 12)}")
        self._say(f"API         {staff}/api/docs/   Bearer {credentials['api_key']}")
        self._say(f"Tracking    {settings.BASE_URL}/v1/batch   write key {credentials['write_key']}")
        self._say(f"A customer  {telling.persistently(telling.somebodys_page)}")

    def _serve(self, cairn: subprocess.Popen[bytes]) -> None:
        self._say("Ctrl-C ends it; the data stays, and the next run goes on with it.")
        while cairn.poll() is None:
            time.sleep(0.2)
        raise CommandError(_fell(cairn))

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


class _Ended(Exception):
    """Somebody asked us to end."""


def _end(signum: int, frame: FrameType | None) -> None:
    raise _Ended


def _ignore_signals() -> None:
    for asked in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(asked, signal.SIG_IGN)


def _under_a_manual_clock() -> None:
    """Makes sure that this process reads the clock that it is going to move: settings are read once, at the start."""
    if not lending.is_embedded():
        raise CommandError("The demo works with the embedded database alone: unset DATABASE_URL.")
    if not clock.is_manual():
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "CAIRN_CLOCK": "manual"})  # noqa: S606


def _start() -> subprocess.Popen[bytes]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.HOST, settings.PORT))
        except OSError:
            raise CommandError(f"Something else listens on port {settings.PORT}: set PORT to a free one.") from None
    with _log().open("ab") as log:
        return children.spawn([sys.executable, home.BASE / "manage.py", "up"], env=os.environ, stdout=log)


def _log() -> Path:
    return home.folder("log") / "up.log"


def _await_ready(cairn: subprocess.Popen[bytes]) -> float:
    began = time.monotonic()
    while not _answers():
        if cairn.poll() is not None:
            raise CommandError(_fell(cairn))
        if time.monotonic() - began > _TO_START:
            raise CommandError(f"Cairn did not get ready within {_TO_START:.0f} seconds; {_log()} says why.")
        time.sleep(0.05)
    return time.monotonic() - began


def _answers() -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.PORT}/readyz", timeout=5):
            return True
    except OSError:
        return False


def _fell(cairn: subprocess.Popen[bytes]) -> str:
    tail = _log().read_text(errors="replace").strip().splitlines()[-3:]
    return "\n".join([f"Cairn ended with {cairn.returncode}. The end of {_log()}:", *tail])


def _credentials() -> dict[str, str]:
    """A member of staff and two keys, made once and kept beside the secrets of this home."""
    path = home.folder("secrets") / "demo.json"
    now = clock.now()
    _staff()
    try:
        found: dict[str, str] = json.loads(path.read_text())
        if all(keys.authenticate(secret, now=now) for secret in found.values()):
            return found
    except FileNotFoundError:
        pass
    with transaction.atomic():
        made = {
            "api_key": keys.create("Demo", kind=Key.Kind.SECRET, scopes=["all"], now=now)[1],
            "write_key": keys.create("Demo shops", kind=Key.Kind.SERVER, now=now)[1],
        }
    path.touch(mode=0o600)
    path.write_text(json.dumps(made))
    return made


@transaction.atomic
def _staff() -> None:
    user, made = User.objects.get_or_create(username=_USER, defaults={"is_staff": True, "email": "demo@example.com"})
    if made:
        user.set_password(home.secret("DEMO_PASSWORD", 12))
        user.save()
        user.groups.set(Group.objects.filter(name="owner"))
