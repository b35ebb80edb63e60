"""Prints the secret by which receivers verify the webhooks of journeys."""

from typing import Any

from django.core.management.base import BaseCommand

from foundation import outgoing


class Command(BaseCommand):
    help = "Prints the secret of this installation's webhooks, as whsec_…, for whoever is to verify them."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(outgoing.secrets()[-1])
