"""Topics whose yes is confirmed by email first, and what was asked for meanwhile."""

import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("consent", "0007_newest_first"), ("profiles", "0001_initial")]
    operations = [
        migrations.AddField(
            "topic",
            "double_opt_in",
            models.BooleanField(
                default=False,
                help_text="A yes on a page, on a form or by a program counts once it was confirmed by email.",
            ),
        ),
        migrations.CreateModel(
            "OptIn",
            [
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("choices", models.JSONField(help_text="Topics and channels, with the words that were shown.")),
                (
                    "by",
                    models.CharField(
                        choices=[("page", "Preference page"), ("api", "API"), ("form", "Sign-up form")], max_length=10
                    ),
                ),
                ("locale", models.CharField(blank=True, max_length=20)),
                ("evidence", models.JSONField(default=dict)),
                (
                    "made_person",
                    models.BooleanField(default=False, help_text="Nobody was known by this address before."),
                ),
                ("mails", models.PositiveSmallIntegerField(default=1)),
                ("asked_at", models.DateTimeField()),
                ("confirmed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "profile",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="opt_ins",
                        to="profiles.profile",
                    ),
                ),
            ],
            options={
                "verbose_name": "opt-in",
                "verbose_name_plural": "opt-ins",
                "indexes": [models.Index(fields=["asked_at"], name="opt_ins_by_age")],
            },
        ),
    ]
