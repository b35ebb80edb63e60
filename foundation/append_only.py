"""Tables that only grow: the triggers that refuse UPDATE, DELETE and TRUNCATE, whoever asks."""

from django.db.migrations.operations import RunSQL


def append_only(table: str) -> RunSQL:
    """The migration step that makes `table` append-only.

    `ENABLE ALWAYS`, since plain triggers sleep under `session_replication_role = replica`; a statement trigger for
    TRUNCATE, which no row trigger sees. The app role is granted INSERT and SELECT alone on what bears these triggers
    (`config.roles`).
    """
    return RunSQL(
        f"""
        CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION foundation_append_only();
        CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION foundation_append_only();
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_rows;
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_truncate;
        """,
        f"DROP TRIGGER {table}_rows ON {table}; DROP TRIGGER {table}_truncate ON {table};",
    )
