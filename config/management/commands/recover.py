"""After a restored backup: what leaves the house stands still, until somebody who has looked says that it may go on."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from foundation import clock, standstill, wording
from insights import backlog
from staff import actors, audit


class Command(BaseCommand):
    help = "Says whether sending stands still, as after a restored backup; has it stand still, or go on."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        way = parser.add_mutually_exclusive_group()
        way.add_argument(
            "--hold",
            action="store_true",
            help="nothing leaves; a backup restored over it does not know",
        )
        way.add_argument("--go-on", action="store_true", help="what waits may leave")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        with actors.acting_as("command:recover"), transaction.atomic():
            if options["hold"] and not standstill.holds():
                standstill.begin("An operator had it stand still.", now=now)
                audit.record("recover", "sending", "all", "Had all sending stand still.")
            if options["go_on"] and standstill.end():
                audit.record("recover", "sending", "all", "Let sending go on.")
        found = standstill.current()
        if found is None:
            self.stdout.write("Sending goes on.")
            return
        waiting = wording.plural(backlog.waiting(now).messages, "message waits", "messages wait")
        self.stdout.write(f"Sending stands still since {found.since:%Y-%m-%d %H:%M} UTC. {found.why} {waiting} to go.")
