"""The clock's one row, and the trigger that makes a table append-only."""

from django.db import migrations

GROUND = """
CREATE TABLE foundation_clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    at timestamptz
);

CREATE FUNCTION foundation_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies: list[tuple[str, str]] = []
    operations = [
        migrations.RunSQL(GROUND, "DROP FUNCTION foundation_append_only(); DROP TABLE foundation_clock;"),
    ]
