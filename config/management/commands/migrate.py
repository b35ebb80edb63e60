"""`migrate` as the owner of the tables; the app role gets just the rights that it needs, at each step of the way."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import connections

from config import migrating, roles
from profiles import partitions


class Command(migrate.Command):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] not in settings.DATABASES:
            raise CommandError("Set DATABASE_OWNER_URL: the tables belong to the owner role, and only it may migrate.")
        connection = connections[options["database"]]
        with migrating.taking_turns(connection):
            looks_only = options["plan"] or options["check_unapplied"]
            app_role = settings.DATABASES["default"]["USER"]
            if not looks_only:
                roles.foresee(connection, app_role)
            super().handle(*args, **options)
            if not looks_only:
                partitions.ensure(connection)
                roles.grant(connection, app_role)
