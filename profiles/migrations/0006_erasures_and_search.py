"""Tombstones of erased people, what an import was asked to do, and indexes for the beginnings that staff search by."""

from django.contrib.postgres.indexes import OpClass
from django.db import migrations, models
from django.db.models.functions import Upper


def _beginning(model: str, field: str) -> migrations.AddIndex:
    """Serves `istartswith` on a field."""
    beginning = OpClass(Upper(field), name="text_pattern_ops")
    return migrations.AddIndex(model, models.Index(beginning, name=f"{model}_{field}_beginning"))


class Migration(migrations.Migration):
    dependencies = [("profiles", "0003_events")]
    operations = [
        migrations.CreateModel(
            name="Tombstone",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.AddField(
            model_name="importjob",
            name="mapping",
            field=models.JSONField(
                default=dict, help_text="Names of the file to names of today, as the import was asked."
            ),
        ),
        _beginning("profile", "email"),
        _beginning("profile", "first_name"),
        _beginning("profile", "last_name"),
        _beginning("profile", "external_id"),
        _beginning("account", "name"),
        _beginning("account", "external_id"),
    ]
