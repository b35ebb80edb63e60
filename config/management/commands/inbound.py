"""`manage.py inbound`: takes one mail from a mail server, as a program that the server pipes it into."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, transaction

from foundation import clock, inbound
from foundation.errors import Invalid
from staff import actors

# Of sysexits.h, which mail servers understand: try again later; the mail itself is at fault.
_LATER, _BAD_MAIL = 75, 65


class Command(BaseCommand):
    help = "Reads one mail from standard input and has done what it asks for: to unsubscribe, or to say what came back."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", default="", metavar="ADDRESS", help="whom it was sent to, as the server knows it")
        parser.add_argument("--sender", default="", metavar="ADDRESS", help="who sent it, as the server knows it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            mail = inbound.parse(sys.stdin.buffer.read(), to=options["to"], sender=options["sender"])
            with actors.acting_as("command:inbound"), transaction.atomic():
                done = inbound.receive(mail, now=clock.now())
        except Invalid as refusal:
            self.stderr.write(str(refusal))
            sys.exit(_BAD_MAIL)
        except (OperationalError, InterfaceError) as error:
            self.stderr.write(f"The database did not answer ({type(error).__name__}); the mail is to be tried again.")
            sys.exit(_LATER)
        for said in done or ["Nobody here reads such a mail."]:
            self.stdout.write(said)
