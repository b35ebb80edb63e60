"""What people write back is kept until somebody has read it."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("consent", "0014_requests_told_and_retention"),
    ]

    operations = [
        migrations.AlterField(
            model_name="suppression",
            name="reason",
            field=models.CharField(
                choices=[
                    ("hard_bounce", "The address does not exist"),
                    ("soft_bounce", "Out of reach again and again"),
                    ("provider", "Kept from us by the mail provider"),
                    ("complaint", "Marked as spam"),
                    ("manual", "By hand"),
                    ("erased", "Erased"),
                    ("review", "An answer of theirs is to be read"),
                ],
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="Reply",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("channel", models.CharField(max_length=20)),
                ("sender", models.CharField(help_text="As it says, which for a mail proves nothing.", max_length=320)),
                ("said", models.TextField()),
                ("received_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[("stopped", "Taken as a no"), ("nothing", "Asked for nothing")],
                        max_length=10,
                    ),
                ),
            ],
            options={
                "verbose_name": "answer to read",
                "verbose_name_plural": "answers to read",
                "indexes": [
                    models.Index(fields=["-received_at"], name="replies_newest_first"),
                    models.Index(fields=["channel", "sender"], name="replies_of_an_address"),
                ],
            },
        ),
    ]
