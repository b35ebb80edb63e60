"""Whether it is known when a segment changes with time; sizes that follow each change of members."""

from django.db import migrations, models

COUNT = """
CREATE FUNCTION segments_count_members() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO segments_sizechange (segment_id, n) SELECT segment_id, count(*) FROM changed GROUP BY 1;
    ELSE
        INSERT INTO segments_sizechange (segment_id, n) SELECT segment_id, -count(*) FROM changed GROUP BY 1;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER members_come AFTER INSERT ON segments_membership REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION segments_count_members();
CREATE TRIGGER members_go AFTER DELETE ON segments_membership REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION segments_count_members();
UPDATE segments_segment s SET counted = (SELECT count(*) FROM segments_membership m WHERE m.segment_id = s.id);
-- The sweep has looked until then; what changes after is worked out at its next round.
UPDATE segments_segment SET unforeseen_since = coalesce(swept_at, refreshed_at, created_at) WHERE status = 'live';
"""
UNDO = """
DROP TRIGGER members_come ON segments_membership;
DROP TRIGGER members_go ON segments_membership;
DROP FUNCTION segments_count_members();
"""


class Migration(migrations.Migration):
    dependencies = [("segments", "0005_asked_as_of")]
    operations = [
        migrations.RenameField(model_name="segment", old_name="size", new_name="counted"),
        migrations.AlterField(
            model_name="segment",
            name="counted",
            field=models.IntegerField(
                default=0, help_text="Its size, without the changes that still stand by themselves."
            ),
        ),
        migrations.AddField(
            model_name="segment",
            name="unforeseen_since",
            field=models.DateTimeField(
                help_text="As of when everybody was asked, while it is not known yet when that changes with time.",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="SizeChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("segment_id", models.BigIntegerField(db_index=True)),
                ("n", models.IntegerField()),
            ],
        ),
        migrations.RunSQL(COUNT, UNDO),
    ]
