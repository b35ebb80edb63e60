"""Hosted sign-up forms, and how often strangers may send them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("consent", "0008_double_opt_in")]
    operations = [
        migrations.CreateModel(
            "SignupForm",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.SlugField(unique=True)),
                ("name", models.CharField(max_length=100)),
                (
                    "topics",
                    models.JSONField(default=list, help_text="Slugs of the topics that it offers, in order."),
                ),
                ("wordings", models.JSONField(default=dict, help_text="By language: title, text and button.")),
                (
                    "embed_on",
                    models.JSONField(default=list, help_text="Origins whose pages may show it in a frame."),
                ),
                ("active", models.BooleanField(default=True)),
            ],
            options={"verbose_name": "sign-up form", "verbose_name_plural": "sign-up forms"},
        ),
        migrations.CreateModel(
            "Attempt",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64)),
                ("at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["digest", "at"], name="attempts_of_one"),
                    models.Index(fields=["at"], name="attempts_by_age"),
                ]
            },
        ),
    ]
