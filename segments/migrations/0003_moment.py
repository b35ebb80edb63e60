"""What of stored text is a moment: RFC 3339 or a bare date, and never what a database would guess from words."""

from django.db import migrations

# `segments.moments.read` says the same in Python. Without a zone, `zone` counts; of a local time that there was twice,
# the first. The clock's digits beyond the microsecond are cut off.
MOMENT = r"""
CREATE FUNCTION segments_moment(value text, zone text) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE STRICT AS $$
DECLARE
    found text[];
    local timestamp;
    shift interval;
BEGIN
    IF length(value) < 10 OR substr(value, 5, 1) <> '-' THEN
        RETURN NULL;
    END IF;
    found := regexp_match(value,
        '^([0-9]{4}-[0-9]{2}-[0-9]{2})([Tt](([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])(\.([0-9]+))?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?)?$');
    IF found IS NULL OR right(value, 1) = E'\n' OR NOT pg_input_is_valid(found[1], 'date') THEN
        RETURN NULL;
    END IF;
    local := (found[1] || ' ' || coalesce(found[3], '00:00:00') || '.'
        || rpad(left(coalesce(found[6], ''), 6), 6, '0'))::timestamp;
    IF found[7] IS NULL THEN
        RETURN least(local AT TIME ZONE zone, (local - interval '1 hour') AT TIME ZONE zone + interval '1 hour');
    END IF;
    IF found[7] IN ('Z', 'z') THEN
        RETURN local AT TIME ZONE 'UTC';
    END IF;
    shift := make_interval(hours => substr(found[7], 2, 2)::int, mins => substr(found[7], 5, 2)::int);
    RETURN (local AT TIME ZONE 'UTC') + CASE WHEN left(found[7], 1) = '-' THEN shift ELSE -shift END;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("segments", "0002_initial")]
    operations = [migrations.RunSQL(MOMENT, "DROP FUNCTION segments_moment(text, text);")]
