"""Events in the order of their time, and by when they came: lists of everybody's events, and one event by its id."""

from django.db import migrations

INDEXES = """
CREATE INDEX profiles_event_in_order ON profiles_event (occurred_at, id);
-- Events lie in the order of their arrival: a summary of each stretch is enough, and costs ingest next to nothing.
CREATE INDEX profiles_event_by_arrival ON profiles_event USING brin (received_at) WITH (autosummarize = on);
"""
BACK = "DROP INDEX profiles_event_in_order; DROP INDEX profiles_event_by_arrival;"


class Migration(migrations.Migration):
    dependencies = [("profiles", "0009_first_times_and_words")]
    operations = [migrations.RunSQL(INDEXES, BACK)]
