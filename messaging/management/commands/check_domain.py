"""Looks at a domain as receivers of its mail do, and says what it lacks."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from foundation import clock
from foundation.errors import Invalid
from messaging.domains import doctor, keeping
from messaging.domains.asking import Asker
from messaging.domains.doctor import Level, Way
from messaging.domains.models import SenderDomain
from staff import actors

_SIGNS = {Level.FINE: "fine  ", Level.ADVICE: "advice", Level.WRONG: "WRONG ", Level.UNKNOWN: "?     "}


class Command(BaseCommand):
    help = (
        "Looks at a domain as receivers of its mail do: SPF, DKIM, DMARC, where mail comes back to, the server, links."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("domain", help="such as example.com")
        parser.add_argument(
            "--selector", action="append", default=[], help="under which a DKIM key is; may be said again"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        try:
            name, selectors = keeping.check(options["domain"], options["selector"])
        except Invalid as refusal:
            raise CommandError(". ".join(f"{options['domain']} {one.reason}" for one in refusal.problems)) from refusal
        row = SenderDomain.objects.filter(name=name).first()
        if row is not None and not selectors:
            with actors.acting_as("command:check_domain"):
                found = keeping.look(row, now=now)
        else:
            found = doctor.examine(name, selectors, Way.ours(), Asker(), now)
        for one in found:
            self.stdout.write(f"{_SIGNS[one.level]}  {one.says}" + (f"\n        {one.do}" if one.do else ""))
        good = doctor.verdict(found)
        if good is None:
            raise CommandError(f"{name}: not all could be looked up. Try again later.", returncode=2)
        if not good:
            raise CommandError(f"{name}: mail from it is not believed. Mend what is WRONG, and look again.")
        self.stdout.write(f"{name}: mail from it is believed.")
