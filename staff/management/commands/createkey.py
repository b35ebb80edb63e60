"""`manage.py createkey NAME`: makes a key and prints it, once and alone."""

import sys
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError

from foundation import clock
from foundation.errors import Invalid
from staff import keys, scopes
from staff.actors import acting_as
from staff.models import Key


class Command(BaseCommand):
    help = (
        "Makes a key for a program and prints it on standard output, alone. It is shown this once; only a digest is"
        " kept. With --scopes an API key, with --write a write key for servers, with --browser too one for browsers."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="What people know it by, such as Website.")
        parser.add_argument(
            "--scopes",
            nargs="+",
            default=[],
            metavar="SCOPE",
            help=f"all, or read or write of {', '.join(scopes.RESOURCES)}",
        )
        parser.add_argument("--write", action="store_true", help="A key that sends behaviour and reads nothing.")
        parser.add_argument("--browser", action="store_true", help="With --write: a key that may stand in a page.")
        parser.add_argument("--rate", type=int, metavar="N", help="At most N items a minute.")
        parser.add_argument("--days", type=int, metavar="N", help="Expires after N days.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        try:
            with acting_as("command:createkey"):
                key, secret = keys.create(
                    options["name"],
                    kind=_kind(options),
                    scopes=[scope for given in options["scopes"] for scope in given.split(",") if scope],
                    rate_per_minute=options["rate"],
                    expires_at=now + timedelta(days=_days(options["days"])) if options["days"] is not None else None,
                    now=now,
                )
        except ProgrammingError as error:
            raise CommandError("The database has no tables for keys yet; run manage.py migrate first.") from error
        except Invalid as refusal:
            raise CommandError(" ".join(problem.reason for problem in refusal.problems)) from refusal
        self.stdout.write(secret)
        if sys.stderr.isatty():
            self.stderr.write(f"{key.get_kind_display()}. This is the only time that it is shown.")


def _kind(options: dict[str, Any]) -> Key.Kind:
    if options["write"] and options["scopes"]:
        raise CommandError("Choose one: --scopes for an API key, or --write for a key that sends behaviour.")
    if options["browser"] and not options["write"]:
        raise CommandError("--browser goes with --write: a key in a page may send behaviour and nothing else.")
    if options["write"]:
        return Key.Kind.BROWSER if options["browser"] else Key.Kind.SERVER
    return Key.Kind.SECRET


def _days(days: int) -> int:
    if not 1 <= days <= 36_500:
        raise CommandError("--days is 1 to 36500.")
    return days
