"""Events by name: what a question looks at of one name costs what was done under it, and not what was done at all."""

from django.db import migrations

# With the person, so that who did it when is read from the index alone.
INDEX = "CREATE INDEX profiles_event_by_name ON profiles_event (name_id, occurred_at) INCLUDE (profile_id);"


class Migration(migrations.Migration):
    dependencies = [("profiles", "0014_a_queue_for_crowds")]
    operations = [migrations.RunSQL(INDEX, "DROP INDEX profiles_event_by_name;")]
