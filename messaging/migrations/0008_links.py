"""Where tracked links lead, and that they were followed."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("messaging", "0007_merges_can_be_taken_back")]

    operations = [
        migrations.CreateModel(
            name="Link",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("place", models.PositiveSmallIntegerField()),
                ("destination", models.TextField()),
                (
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="links", to="messaging.message"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("message", "place"), name="one_link_a_place")],
            },
        ),
        migrations.CreateModel(
            name="Hit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("method", models.CharField(max_length=10)),
                ("agent", models.CharField(blank=True, max_length=300)),
                (
                    "kind",
                    models.CharField(
                        blank=True,
                        choices=[("human", "A person"), ("bot", "A program")],
                        help_text="Empty until it was judged.",
                        max_length=10,
                    ),
                ),
                (
                    "link",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="hits", to="messaging.link"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(condition=Q(kind=""), fields=["at"], name="hits_to_judge")],
            },
        ),
    ]
