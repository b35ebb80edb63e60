"""Counts of journeys that follow each change, so that nobody has to count the people again."""

from django.db import migrations, models
from django.db.models import Q

COUNT = """
-- Where people stand, on the way or parked, and how it ended for the others.
CREATE FUNCTION journeys_count_enrollments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO journeys_tally (journey_id, version_id, day, step, arm, what, n, settled)
        SELECT c.journey_id, c.version_id, c.day, c.step, '', c.what, sum(c.n), false
        FROM (
            SELECT journey_id, version_id, (entered_at AT TIME ZONE 'UTC')::date AS day,
                   CASE WHEN state IN ('active', 'failed') THEN step ELSE '' END AS step, state AS what, 1 AS n
            FROM fresh
            UNION ALL
            SELECT journey_id, version_id, (entered_at AT TIME ZONE 'UTC')::date,
                   CASE WHEN state IN ('active', 'failed') THEN step ELSE '' END, state, -1 FROM gone
            UNION ALL
            SELECT journey_id, version_id, (entered_at AT TIME ZONE 'UTC')::date, '', 'converted', 1
            FROM fresh WHERE converted_at IS NOT NULL
            UNION ALL
            SELECT journey_id, version_id, (entered_at AT TIME ZONE 'UTC')::date, '', 'converted', -1
            FROM gone WHERE converted_at IS NOT NULL
        ) AS c
        GROUP BY c.journey_id, c.version_id, c.day, c.step, c.what
        HAVING sum(c.n) <> 0;
        -- The goal counts for each step that was passed before it.
        IF EXISTS (SELECT FROM fresh WHERE converted_at IS NOT NULL) THEN
            INSERT INTO journeys_tally (journey_id, version_id, day, step, arm, what, n, settled)
            SELECT e.journey_id, t.version_id, (e.entered_at AT TIME ZONE 'UTC')::date, t.step, t.arm, 'converted',
                   count(*), false
            FROM fresh e
            JOIN gone g ON g.id = e.id AND g.converted_at IS NULL
            JOIN journeys_transition t
              ON t.enrollment_id = e.id AND t.answer = 'advance' AND t.at <= e.converted_at
            WHERE e.converted_at IS NOT NULL
            GROUP BY e.journey_id, t.version_id, 3, t.step, t.arm;
        END IF;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO journeys_tally (journey_id, version_id, day, step, arm, what, n, settled)
        SELECT journey_id, version_id, (entered_at AT TIME ZONE 'UTC')::date,
               CASE WHEN state IN ('active', 'failed') THEN step ELSE '' END, '', state, count(*), false
        FROM fresh GROUP BY journey_id, version_id, 3, 4, state
        UNION ALL
        SELECT journey_id, version_id, (entered_at AT TIME ZONE 'UTC')::date, '', '', 'converted', count(*), false
        FROM fresh WHERE converted_at IS NOT NULL GROUP BY journey_id, version_id, 3;
    ELSE
        INSERT INTO journeys_tally (journey_id, version_id, day, step, arm, what, n, settled)
        SELECT journey_id, version_id, (entered_at AT TIME ZONE 'UTC')::date,
               CASE WHEN state IN ('active', 'failed') THEN step ELSE '' END, '', state, -count(*), false
        FROM gone GROUP BY journey_id, version_id, 3, 4, state
        UNION ALL
        SELECT journey_id, version_id, (entered_at AT TIME ZONE 'UTC')::date, '', '', 'converted', -count(*), false
        FROM gone WHERE converted_at IS NOT NULL GROUP BY journey_id, version_id, 3;
    END IF;
    RETURN NULL;
END $$;

-- What of one transition is counted: the step was passed by an arm, before the goal or not, or it was the last.
CREATE FUNCTION journeys_counted(answer text, before_goal boolean) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
    SELECT w.what FROM (VALUES
        ('entered', answer = 'entered'), ('passed', answer = 'advance'), ('left', answer IN ('leave', 'ended')),
        ('converted', answer = 'advance' AND before_goal)
    ) AS w(what, counts) WHERE w.counts
$$;
CREATE FUNCTION journeys_count_transitions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO journeys_tally (journey_id, version_id, day, step, arm, what, n, settled)
    SELECT e.journey_id, t.version_id, (e.entered_at AT TIME ZONE 'UTC')::date, t.step, t.arm, w.what,
           CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END, false
    FROM changed t
    JOIN journeys_enrollment e ON e.id = t.enrollment_id
    CROSS JOIN LATERAL journeys_counted(t.answer, coalesce(t.at <= e.converted_at, false)) AS w(what)
    GROUP BY e.journey_id, t.version_id, 3, t.step, t.arm, w.what;
    RETURN NULL;
END $$;

CREATE TRIGGER enrollments_come AFTER INSERT ON journeys_enrollment REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION journeys_count_enrollments();
CREATE TRIGGER enrollments_change AFTER UPDATE ON journeys_enrollment
    REFERENCING OLD TABLE AS gone NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION journeys_count_enrollments();
CREATE TRIGGER enrollments_go AFTER DELETE ON journeys_enrollment REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION journeys_count_enrollments();
CREATE TRIGGER transitions_come AFTER INSERT ON journeys_transition REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION journeys_count_transitions();
CREATE TRIGGER transitions_go AFTER DELETE ON journeys_transition REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION journeys_count_transitions();
-- Rows come and are summed up all the time.
ALTER TABLE journeys_tally SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

INSERT INTO journeys_tally (journey_id, version_id, day, step, arm, what, n, settled)
SELECT journey_id, version_id, (entered_at AT TIME ZONE 'UTC')::date,
       CASE WHEN state IN ('active', 'failed') THEN step ELSE '' END, '', state, count(*), true
FROM journeys_enrollment GROUP BY journey_id, version_id, 3, 4, state
UNION ALL
SELECT journey_id, version_id, (entered_at AT TIME ZONE 'UTC')::date, '', '', 'converted', count(*), true
FROM journeys_enrollment WHERE converted_at IS NOT NULL GROUP BY journey_id, version_id, 3
UNION ALL
SELECT e.journey_id, t.version_id, (e.entered_at AT TIME ZONE 'UTC')::date, t.step, t.arm, w.what, count(*), true
FROM journeys_transition t
JOIN journeys_enrollment e ON e.id = t.enrollment_id
CROSS JOIN LATERAL journeys_counted(t.answer, coalesce(t.at <= e.converted_at, false)) AS w(what)
GROUP BY e.journey_id, t.version_id, 3, t.step, t.arm, w.what;
"""
UNDO = """
DROP TRIGGER transitions_go ON journeys_transition;
DROP TRIGGER transitions_come ON journeys_transition;
DROP TRIGGER enrollments_go ON journeys_enrollment;
DROP TRIGGER enrollments_change ON journeys_enrollment;
DROP TRIGGER enrollments_come ON journeys_enrollment;
DROP FUNCTION journeys_count_transitions();
DROP FUNCTION journeys_counted(text, boolean);
DROP FUNCTION journeys_count_enrollments();
"""


class Migration(migrations.Migration):
    dependencies = [("journeys", "0008_looked_after")]
    operations = [
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("journey_id", models.BigIntegerField()),
                ("version_id", models.BigIntegerField()),
                ("day", models.DateField()),
                ("step", models.CharField(help_text="Empty where the whole journey is meant.", max_length=100)),
                ("arm", models.CharField(max_length=100)),
                ("what", models.CharField(max_length=12)),
                ("n", models.BigIntegerField()),
                ("settled", models.BooleanField(help_text="Whether it is the sum, or on its way there.")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["journey_id"], condition=Q(settled=False), name="counts_on_their_way")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=["journey_id", "version_id", "day", "step", "arm", "what"],
                        condition=Q(settled=True),
                        include=["n"],
                        name="one_sum_a_count",
                    )
                ],
            },
        ),
        migrations.RunSQL(COUNT, UNDO),
    ]
