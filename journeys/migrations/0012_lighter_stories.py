"""What is written with every step costs less: lines of a story are counted together, and hold no keys of their own.

Three lines a person were looked up twice each when their transaction committed, a third of all that moving somebody
on took. Who writes them holds the enrollment, and who deletes it takes hold of it first, so that none is left behind;
`manage.py audit` looks.
"""

import django.db.models.deletion
from django.db import migrations, models

COUNT = """
CREATE OR REPLACE FUNCTION journeys_count_transitions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO journeys_tally (journey_id, version_id, day, step, arm, what, n, settled)
    SELECT c.journey_id, c.version_id, c.day, c.step, c.arm, w.what,
           CASE TG_OP WHEN 'INSERT' THEN sum(c.n) ELSE -sum(c.n) END, false
    FROM (
        SELECT e.journey_id, t.version_id, (e.entered_at AT TIME ZONE 'UTC')::date AS day, t.step, t.arm, t.answer,
               coalesce(t.at <= e.converted_at, false) AS before_goal, count(*) AS n
        FROM changed t
        JOIN journeys_enrollment e ON e.id = t.enrollment_id
        GROUP BY 1, 2, 3, 4, 5, 6, 7
    ) AS c
    CROSS JOIN LATERAL journeys_counted(c.answer, c.before_goal) AS w(what)
    GROUP BY c.journey_id, c.version_id, c.day, c.step, c.arm, w.what;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("journeys", "0011_what_staff_do")]

    operations = [
        migrations.AlterField(
            "transition",
            "enrollment",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="transitions",
                to="journeys.enrollment",
            ),
        ),
        migrations.AlterField(
            "transition",
            "version",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                to="journeys.journeyversion",
            ),
        ),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
    ]
