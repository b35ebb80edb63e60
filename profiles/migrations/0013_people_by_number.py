"""People are found by their number, however it is spelt: what a text message that says stop must be able to do."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("profiles", "0012_webhooks"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="profile",
            index=models.Index(
                models.Func(
                    "phone",
                    output_field=models.TextField(),
                    template="regexp_replace(regexp_replace(%(expressions)s, '[^0-9+]', '', 'g'), '^([+]|00)', '')",
                ),
                condition=models.Q(("phone__isnull", False)),
                name="profile_phone_digits",
            ),
        ),
    ]
