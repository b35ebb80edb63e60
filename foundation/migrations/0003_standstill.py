"""Whether nothing may leave the house, since when, and why: at most one row."""

from django.db import migrations

STANDSTILL = """
CREATE TABLE foundation_standstill (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    since timestamptz NOT NULL,
    why text NOT NULL
);
"""


class Migration(migrations.Migration):
    dependencies = [("foundation", "0002_loops")]
    operations = [migrations.RunSQL(STANDSTILL, "DROP TABLE foundation_standstill;")]
