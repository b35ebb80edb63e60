"""Templates go out of use, one-off content is kept as one, and the outbox lists the newest first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("consent", "0002_initial"),
        ("messaging", "0004_versions_are_immutable"),
        ("profiles", "0003_events"),
    ]

    operations = [
        migrations.AddField(
            model_name="template",
            name="archived",
            field=models.BooleanField(default=False, help_text="Out of use; what was said with it stays on record."),
        ),
        migrations.AddField(
            model_name="template",
            name="one_off",
            field=models.BooleanField(default=False, help_text="What somebody sent without a template, kept as one."),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["-queued_at", "-id"], name="messages_newest_first"),
        ),
    ]
