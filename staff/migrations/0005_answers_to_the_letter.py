"""Answers are kept as they were sent."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("staff", "0004_answers_are_whole")]
    operations = [
        migrations.AlterField(
            "idempotentanswer",
            "body",
            models.TextField(
                help_text="As it was sent, to the letter: jsonb would put its names in another order.", null=True
            ),
        )
    ]
