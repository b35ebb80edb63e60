"""As of when a person was asked last, so that nobody asks as of before it, and whether everything is asked anew."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("segments", "0004_watch_and_late")]
    operations = [
        migrations.AddField(
            model_name="watch",
            name="asked_at",
            field=models.DateTimeField(help_text="No answer is ever asked as of before it.", null=True),
        ),
        migrations.AddField(
            model_name="watch", name="anew", field=models.BooleanField(db_default=False, default=False)
        ),
        # Asked people are updated at each asking: room on the page keeps that off the indexes.
        migrations.RunSQL("ALTER TABLE segments_watch SET (fillfactor = 70)", migrations.RunSQL.noop),
    ]
