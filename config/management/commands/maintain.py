"""What only the owner of the tables may do, once an hour: the months of the event table, and what the erased leave."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from foundation import clock
from profiles import cleaning, partitions


class Command(BaseCommand):
    help = (
        "Makes the months of the event table ahead of time, drops those past EVENT_RETENTION_DAYS,"
        " and clears what PostgreSQL still holds of the erased."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--every", type=float, metavar="SECONDS", help="again and again; without it, once")

    def handle(self, *args: Any, **options: Any) -> None:
        if "owner" not in connections:
            raise CommandError("Set DATABASE_OWNER_URL: only the owner of the tables may make and drop months.")
        while True:
            self._once()
            if options["every"] is None:
                return
            time.sleep(options["every"])

    def _once(self) -> None:
        owner = connections["owner"]
        made, dropped = partitions.ensure(owner), partitions.drop_expired(owner)
        cleaned = cleaning.clean(owner, clock.now())
        owner.close()  # an hour is long for a connection that does nothing
        if made or dropped:
            self.stdout.write(f"{made} months made, {len(dropped)} dropped: {', '.join(dropped) or 'none'}")
        if cleaned:
            self.stdout.write(f"Dead rows and samples of the planner are gone: {cleaned} erasures are complete.")
