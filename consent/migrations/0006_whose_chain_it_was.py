"""Whose chain it was when it began, so that it can go back to them when a merge is undone."""

from django.db import migrations, models

_MINE = models.UUIDField(editable=False, help_text="Whose chain it was at first: a merge can be taken back.")


class Migration(migrations.Migration):
    dependencies = [("consent", "0005_wishes_of_their_own")]
    operations = [
        migrations.AddField("subject", "began_with", models.UUIDField(null=True)),
        migrations.RunSQL("UPDATE consent_subject SET began_with = profile_id", migrations.RunSQL.noop),
        migrations.AlterField("subject", "began_with", _MINE),
    ]
