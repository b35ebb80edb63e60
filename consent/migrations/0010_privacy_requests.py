"""Requests under the GDPR with their log, and the limits that follow from them."""

import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("consent", "0009_signup_forms"),
        ("profiles", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="PrivacyRequest",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("access", "See their data"),
                            ("portability", "Take their data along"),
                            ("rectification", "Correct their data"),
                            ("restriction", "Restrict what is done with it"),
                            ("objection", "Object to all marketing"),
                            ("erasure", "Erase their data"),
                        ],
                        max_length=15,
                    ),
                ),
                (
                    "via",
                    models.CharField(
                        choices=[("page", "Their page"), ("staff", "Staff"), ("api", "API")], max_length=10
                    ),
                ),
                ("said", models.TextField(blank=True, help_text="In their words; erased with them.")),
                ("raised_at", models.DateTimeField()),
                ("due_on", models.DateField()),
                ("extended", models.TextField(blank=True, help_text="Why it takes longer; told to the person.")),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "outcome",
                    models.CharField(blank=True, choices=[("done", "Done"), ("refused", "Refused")], max_length=10),
                ),
                ("answer", models.TextField(blank=True)),
                (
                    "profile",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="privacy_requests",
                        to="profiles.profile",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PrivacyStep",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("actor", models.CharField(max_length=150)),
                ("what", models.TextField()),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="steps", to="consent.privacyrequest"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Limit",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("restricted", "Restricted (article 18)"),
                            ("objected", "Objects to all marketing (article 21)"),
                        ],
                        max_length=12,
                    ),
                ),
                ("since", models.DateTimeField()),
                (
                    "profile",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="limits", to="profiles.profile"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("profile", "kind"), name="one_limit_a_kind")],
            },
        ),
        migrations.AddIndex(
            model_name="privacyrequest",
            index=models.Index(fields=["due_on", "id"], name="requests_by_due_day"),
        ),
        migrations.AddConstraint(
            model_name="privacyrequest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at", None)), fields=("profile", "kind"), name="one_open_request_a_kind"
            ),
        ),
    ]
