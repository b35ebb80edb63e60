"""Evidence that is past its time is found without looking at all of it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("consent", "0010_privacy_requests")]
    operations = [
        migrations.AddIndex("consentevidence", models.Index(fields=["recorded_at"], name="evidence_by_age")),
    ]
