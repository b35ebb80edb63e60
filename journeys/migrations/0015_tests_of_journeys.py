"""Tests that belong to a journey."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("journeys", "0014_numbers_outlive_people")]
    operations = [
        migrations.CreateModel(
            name="JourneyTest",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=200)),
                ("script", models.JSONField(help_text="Somebody made up, and what happens.")),
                ("expect", models.JSONField(help_text="What is to come of it.")),
                ("created_at", models.DateTimeField()),
                (
                    "result",
                    models.CharField(
                        blank=True,
                        choices=[("passed", "Passed"), ("failed", "Failed")],
                        help_text="Empty: it did not run yet.",
                        max_length=6,
                    ),
                ),
                ("ran_at", models.DateTimeField(blank=True, null=True)),
                ("why", models.TextField(blank=True, help_text="What differed when it ran last, a line each.")),
                (
                    "journey",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.CASCADE,
                        related_name="tests",
                        to="journeys.journey",
                    ),
                ),
            ],
            options={
                "verbose_name": "test of a journey",
                "verbose_name_plural": "tests of journeys",
                "constraints": [
                    models.UniqueConstraint(fields=["journey", "name"], name="one_test_a_name"),
                    models.CheckConstraint(
                        condition=Q(result="", ran_at=None) | (~Q(result="") & Q(ran_at__isnull=False)),
                        name="tests_that_ran_say_when",
                    ),
                ],
            },
        ),
    ]
