"""Looks for anything in journeys that should not be: people who got lost, strayed, or missed a message."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from foundation import clock
from journeys import audit


class Command(BaseCommand):
    help = "Checks what must always hold of journeys; lists what does not, and then ends with status 1."

    def handle(self, *args: Any, **options: Any) -> None:
        found = audit.breaches(clock.now())
        for sentence in found:
            self.stderr.write(sentence)
        if found:
            sys.exit(1)
        self.stdout.write("All is well: nobody is lost, held up or left without what they were to get.")
