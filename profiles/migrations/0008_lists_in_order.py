"""Indexes in the order of staff's lists, and for the end of what is kept for a time."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("profiles", "0007_arrivals")]
    operations = [
        migrations.AddIndex("account", models.Index(fields=["name", "external_id"], name="account_in_order")),
        migrations.AddIndex("merge", models.Index(fields=["at"], name="merge_at")),
        migrations.AddIndex(
            "merge",
            models.Index(fields=["at"], condition=models.Q(undo__isnull=False), name="merge_undoable"),
        ),
        migrations.AddIndex(
            "rejectedevent",
            models.Index(
                fields=["replayed_at"], condition=models.Q(replayed_at__isnull=False), name="refused_replayed"
            ),
        ),
    ]
