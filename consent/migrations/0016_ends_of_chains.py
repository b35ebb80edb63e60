"""What the ends of all chains were, night by night; it only grows."""

from django.db import migrations, models

from foundation.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("consent", "0015_answers_to_read"), ("foundation", "0001_ground")]
    operations = [
        migrations.CreateModel(
            "Anchor",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("covers", models.DateTimeField(help_text="What was written down until then is in it.")),
                ("chains", models.PositiveBigIntegerField()),
                ("root", models.CharField(max_length=64)),
            ],
        ),
        append_only("consent_anchor"),
    ]
