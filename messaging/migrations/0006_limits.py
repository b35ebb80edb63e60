"""Limits: caps, cooldowns, quiet hours; messages have a priority; what a person got is found by the intent."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [
        ("consent", "0002_initial"),
        ("messaging", "0005_one_off_and_archived"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="priority",
            field=models.SmallIntegerField(
                db_default=0, default=0, help_text="Who goes first where there is room for one: the higher."
            ),
        ),
        migrations.RemoveIndex(model_name="message", name="messages_of_a_person"),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                fields=["profile", "sending_at"], include=["channel", "topic", "template"], name="messages_of_a_person"
            ),
        ),
        migrations.CreateModel(
            name="Limits",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "topic_cooldown",
                    models.PositiveSmallIntegerField(default=0, help_text="Hours between two of a topic; 0: none."),
                ),
                (
                    "template_cooldown",
                    models.PositiveSmallIntegerField(default=0, help_text="Hours between two of a template; 0: none."),
                ),
                ("quiet_from", models.TimeField(blank=True, null=True)),
                ("quiet_to", models.TimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "limits",
                "verbose_name_plural": "limits",
                "constraints": [
                    models.CheckConstraint(condition=Q(id=1), name="only_one_row_of_limits"),
                    models.CheckConstraint(
                        condition=Q(quiet_from=None, quiet_to=None)
                        | (Q(quiet_from__isnull=False, quiet_to__isnull=False) & ~Q(quiet_from=F("quiet_to"))),
                        name="quiet_hours_have_two_ends",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Cap",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "counts",
                    models.CharField(
                        choices=[("person", "A person"), ("account", "A company, all its people together")],
                        default="person",
                        max_length=10,
                    ),
                ),
                (
                    "channel",
                    models.CharField(blank=True, help_text="Empty: all channels together.", max_length=20),
                ),
                ("most", models.PositiveSmallIntegerField()),
                ("hours", models.PositiveSmallIntegerField()),
                (
                    "limits",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="caps", to="messaging.limits"
                    ),
                ),
                (
                    "topic",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="consent.topic",
                    ),
                ),
            ],
            options={
                "verbose_name": "cap",
                "constraints": [
                    models.CheckConstraint(condition=Q(most__gte=1), name="a_cap_leaves_one"),
                    models.CheckConstraint(condition=Q(hours__gte=1, hours__lte=2160), name="a_cap_looks_back_90_days"),
                ],
            },
        ),
    ]
