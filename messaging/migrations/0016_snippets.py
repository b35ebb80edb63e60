"""What several templates say alike, in frozen versions of its own; and a permission for those who write MJML."""

import django.db.models.deletion
from django.db import migrations, models

from foundation.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("messaging", "0015_networks_of_scanners"), ("foundation", "0001_ground")]

    operations = [
        migrations.AlterModelOptions(
            name="template",
            options={"permissions": [("write_mjml", "Can write MJML")]},
        ),
        migrations.AddField(
            model_name="templateversion",
            name="snippets",
            field=models.JSONField(
                db_default={},
                default=dict,
                help_text="What the snippets said that its blocks include, by slug, when it was made.",
            ),
        ),
        migrations.CreateModel(
            name="Snippet",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.SlugField(max_length=100, unique=True)),
                ("name", models.CharField(max_length=200)),
                (
                    "archived",
                    models.BooleanField(default=False, help_text="Out of use; what was said with it stays on record."),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SnippetVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("blocks", models.JSONField()),
                ("translations", models.JSONField(default=dict, help_text="By language: blocks.")),
                ("author", models.CharField(max_length=150)),
                ("reason", models.TextField(blank=True)),
                ("created_at", models.DateTimeField()),
                (
                    "snippet",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="messaging.snippet"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("snippet", "number"), name="one_snippet_version_a_number")
                ],
            },
        ),
        migrations.AddField(
            model_name="snippet",
            name="version",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="messaging.snippetversion"
            ),
        ),
        append_only("messaging_snippetversion"),
    ]
