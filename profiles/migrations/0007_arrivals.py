"""Word of what arrived, for the data catalogue's numbers: added with the events, taken by deleting it."""

from django.db import migrations

ARRIVALS = """
CREATE TABLE profiles_arrival (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name_id integer NOT NULL,
    day date, -- none for what had happened long before it came
    n integer NOT NULL,
    last_at timestamptz NOT NULL,
    profiles uuid[] NOT NULL, -- whose events, and when, to look at a few of them
    times timestamptz[] NOT NULL
);
CREATE TABLE profiles_eventcount (
    name_id integer NOT NULL,
    day date NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (name_id, day)
);

-- A trigger, so that no way of storing events can forget it; once a statement, so that a batch adds few rows.
CREATE FUNCTION profiles_note_arrivals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO profiles_arrival (name_id, day, n, last_at, profiles, times)
    SELECT name_id, day, count(*), max(occurred_at), (array_agg(profile_id))[1:3], (array_agg(occurred_at))[1:3]
    FROM (
        SELECT name_id, profile_id, occurred_at,
            CASE WHEN occurred_at > received_at - interval '31 days'
                THEN (occurred_at AT TIME ZONE 'UTC')::date END AS day
        FROM fresh
    ) AS f
    GROUP BY name_id, day;
    RETURN NULL;
END $$;
CREATE TRIGGER profiles_event_arrived AFTER INSERT ON profiles_event
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION profiles_note_arrivals();
"""
BACK = """
DROP TRIGGER profiles_event_arrived ON profiles_event;
DROP FUNCTION profiles_note_arrivals();
DROP TABLE profiles_arrival;
DROP TABLE profiles_eventcount;
"""


class Migration(migrations.Migration):
    dependencies = [("profiles", "0006_erasures_and_search")]
    operations = [migrations.RunSQL(ARRIVALS, BACK)]
