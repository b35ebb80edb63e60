"""Judges anew who followed links and opened mails: after the list of programs has grown."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from foundation import clock
from messaging import rescoring
from staff import actors


class Command(BaseCommand):
    help = "Judges anew which clicks and openings were people's, from the facts that are kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=90, help="how far back (90)")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        with actors.acting_as("command"):
            found = rescoring.rescore(now - timedelta(days=max(options["days"], 1)), now=now)
        self.stdout.write(
            f"{found.looked_at} looked at: {found.now_people} are people's now that were not,"
            f" {found.now_programs} are not any more."
        )
