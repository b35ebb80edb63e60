"""When each loop last ran, and what the schedule last wrote about it into Beat's table."""

from django.db import migrations

LOOPS = """
CREATE TABLE foundation_loop (
    name text PRIMARY KEY,
    ran_at timestamptz,
    scheduled jsonb
) WITH (fillfactor = 50);
"""


class Migration(migrations.Migration):
    dependencies = [("foundation", "0001_ground")]
    operations = [migrations.RunSQL(LOOPS, "DROP TABLE foundation_loop;")]
