"""Word of arrivals tells when the earliest happened; and what staff call the things here."""

from django.db import migrations

FUNCTION = """
CREATE OR REPLACE FUNCTION profiles_note_arrivals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO profiles_arrival (name_id, day, n, first_at, last_at, profiles, times)
    SELECT name_id, day, count(*), min(occurred_at), max(occurred_at),
        (array_agg(profile_id))[1:3], (array_agg(occurred_at))[1:3]
    FROM (
        SELECT name_id, profile_id, occurred_at,
            CASE WHEN occurred_at > received_at - interval '31 days'
                THEN (occurred_at AT TIME ZONE 'UTC')::date END AS day
        FROM fresh
    ) AS f
    GROUP BY name_id, day;
    RETURN NULL;
END $$;
"""
WORDS = {
    "account": {"verbose_name": "company", "verbose_name_plural": "companies"},
    "profile": {"verbose_name": "person", "verbose_name_plural": "people"},
    "eventtype": {"verbose_name": "thing that people do", "verbose_name_plural": "things that people do"},
    "attributetype": {"verbose_name": "thing that we know", "verbose_name_plural": "things that we know"},
    "rejectedevent": {"verbose_name": "refused call", "verbose_name_plural": "refused calls"},
    "importjob": {"verbose_name": "import"},
}


class Migration(migrations.Migration):
    dependencies = [("profiles", "0008_lists_in_order")]
    operations = [
        migrations.RunSQL(
            f"ALTER TABLE profiles_arrival ADD first_at timestamptz; {FUNCTION}",
            f"{FUNCTION.replace('first_at, ', '', 1).replace('min(occurred_at), ', '')}"
            "ALTER TABLE profiles_arrival DROP first_at;",
        ),
        *(migrations.AlterModelOptions(model, options) for model, options in WORDS.items()),
    ]
