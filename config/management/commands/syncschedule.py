"""Writes the schedule into Beat's table, leaving alone what operators changed there."""

from typing import Any

from django.core.management.base import BaseCommand

from config import schedule


class Command(BaseCommand):
    help = "Writes the schedule into Beat's table, but no field that an operator changed there."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        schedule.sync()
        self.stdout.write(f"{len(schedule.SCHEDULE)} loops are scheduled.")
