"""A time zone and a language that the person chose, beside those that the product sends about them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("consent", "0004_one_current_subject")]
    operations = [
        migrations.AddField("preference", "time_zone", models.CharField(max_length=64, blank=True, default="")),
        migrations.AddField("preference", "language", models.CharField(max_length=20, blank=True, default="")),
        # Hours are a window or none; half of one says nothing.
        migrations.AddConstraint(
            "preference",
            models.CheckConstraint(
                condition=models.Q(hours_from=None, hours_to=None)
                | models.Q(hours_from__isnull=False, hours_to__isnull=False),
                name="hours_have_both_ends",
            ),
        ),
    ]
