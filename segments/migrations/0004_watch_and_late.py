"""When answers may next change, and who must be asked again for one segment."""

import django.db.models.deletion
from django.db import migrations, models

CAUSES = [
    ("event", "Something they did"),
    ("attribute", "A value that changed"),
    ("time", "Time that passed"),
    ("definition", "A new definition"),
    ("build", "The first build"),
    ("history", "Old or late data"),
    ("merge", "A merge"),
    ("hand", "By hand"),
]


class Migration(migrations.Migration):
    dependencies = [("segments", "0003_moment")]
    operations = [
        migrations.CreateModel(
            name="Watch",
            fields=[
                ("profile_id", models.UUIDField(primary_key=True, serialize=False)),
                ("next_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_at__isnull", False)), fields=["next_at"], name="segments_watch_due"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Late",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("profile_id", models.UUIDField()),
                ("cause", models.CharField(choices=CAUSES, max_length=12)),
                ("entered", models.BooleanField(null=True)),
                ("at", models.DateTimeField()),
                (
                    "segment",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="segments.segment"
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["profile_id"], name="segments_la_profile_4dd5e0_idx")]},
        ),
    ]
