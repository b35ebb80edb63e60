"""Who comes with many waits apart, and holds up nobody."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("profiles", "0013_people_by_number"),
    ]

    operations = [
        migrations.AddField(
            model_name="pulse",
            name="crowd",
            field=models.BooleanField(
                db_default=False, help_text="Whether it came with many, and waits in their queue."
            ),
        ),
        migrations.AddIndex(
            model_name="pulse",
            index=models.Index(fields=["crowd", "id"], name="pulses_by_queue"),
        ),
    ]
