"""A segment says whether it serves marketing; what staff learnt is kept; limits are a cause of changes."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("segments", "0006_foreseen_and_counted"),
    ]

    operations = [
        migrations.AddField(
            model_name="segment",
            name="marketing",
            field=models.BooleanField(
                default=True,
                db_default=True,
                help_text="Whether it serves marketing, so that who objects to that is not in it.",
            ),
        ),
        migrations.AlterField(
            model_name="late",
            name="cause",
            field=models.CharField(
                choices=[
                    ("event", "Something they did"),
                    ("attribute", "A value that changed"),
                    ("time", "Time that passed"),
                    ("definition", "A new definition"),
                    ("build", "The first build"),
                    ("history", "Old or late data"),
                    ("merge", "A merge"),
                    ("hand", "By hand"),
                    ("limit", "What they asked for about their data"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="membership",
            name="cause",
            field=models.CharField(
                choices=[
                    ("event", "Something they did"),
                    ("attribute", "A value that changed"),
                    ("time", "Time that passed"),
                    ("definition", "A new definition"),
                    ("build", "The first build"),
                    ("history", "Old or late data"),
                    ("merge", "A merge"),
                    ("hand", "By hand"),
                    ("limit", "What they asked for about their data"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="membershipchange",
            name="cause",
            field=models.CharField(
                choices=[
                    ("event", "Something they did"),
                    ("attribute", "A value that changed"),
                    ("time", "Time that passed"),
                    ("definition", "A new definition"),
                    ("build", "The first build"),
                    ("history", "Old or late data"),
                    ("merge", "A merge"),
                    ("hand", "By hand"),
                    ("limit", "What they asked for about their data"),
                ],
                max_length=12,
            ),
        ),
        migrations.CreateModel(
            name="Learning",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField()),
                ("author", models.CharField(max_length=150)),
                ("created_at", models.DateTimeField()),
                (
                    "segment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="learnings", to="segments.segment"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["segment", "-created_at"], name="learnings_newest_first")],
            },
        ),
    ]
