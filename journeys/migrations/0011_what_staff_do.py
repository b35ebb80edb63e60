"""What staff do with people on journeys, calls to the outside, entries that wait, and a change under way."""

import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("journeys", "0010_revisions"),
        ("profiles", "0009_first_times_and_words"),
    ]

    operations = [
        migrations.AddField(
            model_name="journey",
            name="carrying",
            field=models.JSONField(
                help_text="What becomes of those on the way, of whom not all are where a new version wants them.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="journey",
            name="queues_entries",
            field=models.BooleanField(
                default=False, db_default=False, help_text="Whether who comes while it is paused enters after it."
            ),
        ),
        migrations.AlterField(
            model_name="enrollment",
            name="ended_by",
            field=models.CharField(
                blank=True,
                choices=[
                    ("course", "Came to the end"),
                    ("step", "An exit step"),
                    ("goal", "Reached the goal"),
                    ("exit", "The exit condition"),
                    ("stopped", "The journey was stopped"),
                    ("merged", "A merge of two people"),
                    ("staff", "Taken off by staff"),
                    ("error", "An error"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="transition",
            name="answer",
            field=models.CharField(
                choices=[
                    ("entered", "Entered"),
                    ("wait", "Waits"),
                    ("advance", "Went on"),
                    ("leave", "Left"),
                    ("ended", "Was taken off"),
                    ("retry", "Will be tried again"),
                    ("failed", "Failed"),
                    ("follow", "Followed to a new version"),
                    ("moved", "Was put here"),
                ],
                max_length=12,
            ),
        ),
        migrations.CreateModel(
            name="Call",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("step", models.CharField(max_length=100)),
                (
                    "key",
                    models.CharField(
                        blank=True, help_text="What makes calls of several people the same.", max_length=300
                    ),
                ),
                ("same_as", models.UUIDField(null=True)),
                ("url", models.CharField(max_length=2000)),
                ("host", models.CharField(max_length=300)),
                ("body", models.TextField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Waits to be sent"),
                            ("calling", "Is being sent"),
                            ("done", "Was taken"),
                            ("refused", "Was not taken"),
                            ("expired", "Was not taken in time"),
                            ("called_off", "Called off"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                (
                    "fence",
                    models.PositiveIntegerField(
                        default=0, help_text="Rises with each claim: only the last one may write."
                    ),
                ),
                (
                    "leased_until",
                    models.DateTimeField(help_text="Until when its worker has it, in real time.", null=True),
                ),
                ("due_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("status", models.PositiveSmallIntegerField(help_text="What was answered last.", null=True)),
                (
                    "answer",
                    models.JSONField(default=dict, help_text="What the answer said, of what is short and flat."),
                ),
                ("reason", models.TextField(blank=True)),
                (
                    "enrollment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="calls",
                        to="journeys.enrollment",
                    ),
                ),
                (
                    "journey",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="journeys.journey",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("state", "queued")), fields=["host", "due_at"], name="calls_due"),
                    models.Index(
                        condition=models.Q(("state", "calling")), fields=["leased_until"], name="calls_under_way"
                    ),
                    models.Index(
                        condition=models.Q(("same_as__isnull", False)), fields=["same_as"], name="calls_that_share"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("enrollment", "step"), name="one_call_a_step"),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("same_as", None),
                            ("state__in", ["queued", "calling", "done"]),
                            models.Q(("key", ""), _negated=True),
                        ),
                        fields=("journey", "step", "key"),
                        name="one_call_a_key",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("due_at__isnull", False), ("ended_at", None), ("state__in", ["queued", "calling"])
                            ),
                            models.Q(
                                models.Q(("state__in", ["queued", "calling"]), _negated=True),
                                ("due_at", None),
                                ("ended_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="calls_under_way_are_due",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="QueuedEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("key", models.CharField(help_text="What makes an entry the same entry.", max_length=300)),
                ("at", models.DateTimeField(help_text="When that happened which lets them in.")),
                (
                    "due_at",
                    models.DateTimeField(help_text="When they enter, once the journey was resumed.", null=True),
                ),
                ("reason", models.TextField()),
                ("context", models.JSONField(default=dict)),
                (
                    "journey",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="queued",
                        to="journeys.journey",
                    ),
                ),
                (
                    "profile",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="profiles.profile"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("due_at__isnull", False)), fields=["due_at"], name="entries_due")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("journey", "profile", "key"), name="an_entry_waits_once")
                ],
            },
        ),
    ]
