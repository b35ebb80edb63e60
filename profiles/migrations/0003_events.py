"""Events, partitioned by month, and their daily rollup."""

from django.db import migrations

EVENTS = """
CREATE SEQUENCE profiles_event_id;
CREATE TABLE profiles_event (
    id bigint NOT NULL DEFAULT nextval('profiles_event_id'),
    message_id text NOT NULL,
    profile_id uuid NOT NULL,
    name_id integer NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    properties jsonb NOT NULL
) PARTITION BY RANGE (occurred_at);
ALTER SEQUENCE profiles_event_id OWNED BY profiles_event.id;
-- Serves "what did this person do", and the edges of windows for those a batch asks about.
CREATE INDEX profiles_event_person ON profiles_event (profile_id, name_id, occurred_at);

CREATE TABLE profiles_eventday (
    profile_id uuid NOT NULL,
    name_id integer NOT NULL,
    day date NOT NULL,
    n integer NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (profile_id, name_id, day)
) WITH (fillfactor = 90);
-- Serves questions over everybody: index-only, so it carries the count.
CREATE INDEX profiles_eventday_all ON profiles_eventday (name_id, day) INCLUDE (profile_id, n, first_at, last_at);
"""


class Migration(migrations.Migration):
    dependencies = [("profiles", "0002_initial"), ("foundation", "0001_ground")]
    operations = [migrations.RunSQL(EVENTS, "DROP TABLE profiles_event; DROP TABLE profiles_eventday;")]
