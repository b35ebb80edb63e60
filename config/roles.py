"""What the app role may do: everything with rows, but nothing with tables, and only add to what is append-only."""

from django.db.backends.base.base import BaseDatabaseWrapper

_APPEND_ONLY = """
    SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.proname = 'foundation_append_only'
"""


def foresee(connection: BaseDatabaseWrapper, app_role: str) -> None:
    """Gives `app_role` its rights on whatever the owner makes from now on, at once; to be run before migrations.

    Triggers write into tables of a later migration as soon as it is committed, while the app is at work.
    """
    app = connection.ops.quote_name(app_role)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        if cursor.fetchone()[0] != app_role:
            cursor.execute(
                f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app};"
                f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {app};"
            )


def grant(connection: BaseDatabaseWrapper, app_role: str) -> None:
    """Grants `app_role` its rights on all that the owner has made; to be run after each migration."""
    quote = connection.ops.quote_name
    app = quote(app_role)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        if cursor.fetchone()[0] == app_role:
            return  # one role for everything: `manage.py check` warns of it (cairn.W001)
        cursor.execute(
            f"GRANT USAGE ON SCHEMA public TO {app};"
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {app};"
            f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {app};"
        )
        cursor.execute(_APPEND_ONLY)
        for (table,) in cursor.fetchall():
            cursor.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {quote(table)} FROM {app}")
