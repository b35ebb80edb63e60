"""Those who are restricted, and those who object, are found without looking at all limits."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("consent", "0011_evidence_by_age")]
    operations = [
        migrations.AddIndex("limit", models.Index(fields=["kind", "profile"], name="limits_by_kind")),
    ]
