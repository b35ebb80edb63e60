"""A message remembers whose it was, so that a merge can be taken back."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0006_limits")]

    operations = [
        migrations.AddField(
            model_name="message",
            name="came_by",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.UUIDField(),
                editable=False,
                help_text="Whose it was before, the first owner first: a merge can be taken back.",
                null=True,
                size=None,
            ),
        ),
    ]
