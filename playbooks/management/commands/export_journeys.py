"""Writes journeys with all that they need as one file, to be kept, compared and applied elsewhere."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from foundation.errors import Invalid
from playbooks import exporting, files


class Command(BaseCommand):
    help = "Writes journeys with the segments, templates, topics and teams that they need as YAML."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="+", metavar="JOURNEY", help="slug of a journey")
        parser.add_argument("--out", metavar="FILE", help="where to write it; without it, it is printed")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            text = files.written(exporting.of_journeys(options["slugs"]))
        except Invalid as invalid:
            raise CommandError(str(invalid)) from None
        if options["out"]:
            Path(options["out"]).write_text(text, encoding="utf-8")
            self.stdout.write(f"Wrote {options['out']}.")
        else:
            self.stdout.write(text, ending="")
