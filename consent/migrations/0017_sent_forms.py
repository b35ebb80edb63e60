"""What is sent by a form waits for the loop, so that the time of the answer tells nothing of the address."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("consent", "0016_ends_of_chains")]
    operations = [
        migrations.CreateModel(
            "SentForm",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("address", models.CharField(max_length=254)),
                ("shown", models.JSONField(help_text="By topic, the words that they agreed to.")),
                ("button", models.TextField()),
                ("locale", models.CharField(max_length=20)),
                ("born_on", models.DateField(null=True)),
                ("sent_at", models.DateTimeField()),
                (
                    "form",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="sent", to="consent.signupform"
                    ),
                ),
            ],
        ),
    ]
