"""What was published never changes, whoever asks; and tables that many rows pass through are vacuumed early."""

from django.db import migrations

FROZEN = """
CREATE FUNCTION journeys_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a published version of a journey never changes: % is refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER journeys_version_frozen BEFORE UPDATE OR DELETE ON journeys_journeyversion
    FOR EACH ROW WHEN (OLD.published_at IS NOT NULL) EXECUTE FUNCTION journeys_frozen();
CREATE TRIGGER journeys_version_truncate BEFORE TRUNCATE ON journeys_journeyversion
    FOR EACH STATEMENT EXECUTE FUNCTION journeys_frozen();
-- Plain triggers sleep under session_replication_role = replica.
ALTER TABLE journeys_journeyversion ENABLE ALWAYS TRIGGER journeys_version_frozen;
ALTER TABLE journeys_journeyversion ENABLE ALWAYS TRIGGER journeys_version_truncate;
-- Every step of everybody updates a row: without vacuum, claims slow down by a quarter in a few rounds.
ALTER TABLE journeys_enrollment SET (
    fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000
);
"""
BACK = """
ALTER TABLE journeys_enrollment RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
DROP TRIGGER journeys_version_truncate ON journeys_journeyversion;
DROP TRIGGER journeys_version_frozen ON journeys_journeyversion;
DROP FUNCTION journeys_frozen();
"""


class Migration(migrations.Migration):
    dependencies = [("journeys", "0003_why_it_ended")]
    operations = [migrations.RunSQL(FROZEN, BACK)]
