"""What keys have spent of their rate limits, and what holds of every key."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("staff", "0002_append_only")]
    operations = [
        migrations.CreateModel(
            name="KeySpending",
            fields=[
                (
                    "key",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="spending",
                        serialize=False,
                        to="staff.key",
                    ),
                ),
                ("paid_until", models.DateTimeField()),
            ],
        ),
        migrations.AddConstraint(
            model_name="key",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind", "secret"), ("scopes", []), _connector="OR"),
                name="write_keys_have_no_scopes",
            ),
        ),
        migrations.AddConstraint(
            model_name="key",
            constraint=models.CheckConstraint(
                condition=models.Q(("rate_per_minute", None), ("rate_per_minute__gt", 0), _connector="OR"),
                name="a_rate_lets_something_pass",
            ),
        ),
    ]
