"""`manage.py verify_ledger`: proves that no decision was changed, and that the states are what follows from them."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from consent import anchoring, verification
from foundation import clock
from foundation.wording import plural
from staff import actors, audit

_SHOWN = 100


class Command(BaseCommand):
    help = (
        "Verifies the chains of the consent ledger and compares the states with it; exit code 1 if anything is wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rebuild",
            action="store_true",
            help="Writes states that differ anew, except those of people whose chain is broken.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        tally = verification.Tally()
        broken, unlike, found = set(), {}, 0
        for finding in verification.verify(tally):
            found += 1
            if found <= _SHOWN:
                self.stderr.write(str(finding))
            if finding.seq is not None:
                broken.add(finding.subject)
            else:
                unlike[finding.profile_id] = finding.subject
        cut = list(anchoring.wrong())
        for said in cut:
            self.stderr.write(said)
        found += len(cut)
        if found > _SHOWN:
            self.stderr.write(f"and {found - _SHOWN} more")
        looked = f"{plural(tally.rows, 'row')} of {plural(tally.subjects, 'chain')}, {plural(tally.states, 'state')}"
        if not found:
            self.stdout.write(f"All is well: {looked}.")
            return
        self.stderr.write(f"{plural(found, 'finding')} in {looked}.")
        if options["rebuild"]:
            self._rebuild([person for person, subject in unlike.items() if person and subject not in broken])
        sys.exit(1 if broken or cut or not options["rebuild"] else 0)

    def _rebuild(self, people: list[Any]) -> None:
        with actors.acting_as("command:verify_ledger"):
            rebuilt = verification.rebuild(people, now=clock.now())
            summary = f"Wrote the consent states of {plural(rebuilt, 'person', 'people')} anew from the ledger."
            audit.record("rebuild", "consent", "states", summary)
        self.stdout.write(summary)
