"""Who migrates when several start at once, and how the others know that it is done."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import ProgrammingError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

_MIGRATING = 0x0CA1_0002  # an advisory lock


@contextmanager
def taking_turns(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Two that start at once on one database migrate one after the other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATING])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATING])


def unapplied(connection: BaseDatabaseWrapper) -> int:
    """How many migrations wait to be applied."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def what_is_awaited(connection: BaseDatabaseWrapper) -> str:
    """What must happen before this version can work here, in words; "" when nothing."""
    with connection.cursor() as cursor:
        # The rights of the app role are granted last, so to look at the migrations alone is not enough.
        cursor.execute("SELECT pg_try_advisory_lock_shared(%s)", [_MIGRATING])
        if not cursor.fetchone()[0]:
            return "somebody applies migrations"
        cursor.execute("SELECT pg_advisory_unlock_shared(%s)", [_MIGRATING])
    try:
        waiting = unapplied(connection)
    except ProgrammingError:  # the table of migrations is there, and its owner has not let us in
        return "migrations were applied, but this role was given no rights"
    return f"{waiting} migrations are to be applied" if waiting else ""
