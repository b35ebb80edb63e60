"""`manage.py roles`: prints which role may do what, as docs/roles.md has it."""

from typing import Any

from django.core.management.base import BaseCommand

from staff import roles


class Command(BaseCommand):
    help = "Prints which role may do what; docs/roles.md is this."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(roles.as_markdown(), ending="")
