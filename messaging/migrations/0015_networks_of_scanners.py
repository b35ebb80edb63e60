"""From which network of scanners a visit came; no address is kept."""

from django.db import migrations, models


def _network() -> models.CharField:
    return models.CharField(
        blank=True, default="", db_default="", help_text="Of scanners, if it came from one.", max_length=100
    )


class Migration(migrations.Migration):
    dependencies = [("messaging", "0014_sides_outlive_people")]

    operations = [
        migrations.AddField(model_name="hit", name="network", field=_network()),
        migrations.AddField(model_name="opening", name="network", field=_network()),
    ]
