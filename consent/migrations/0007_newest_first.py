"""Lists of the ledger and of choices open at once, however long they are."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("consent", "0006_whose_chain_it_was")]
    operations = [
        migrations.AlterModelOptions("consentrecord", {"verbose_name": "decision"}),
        migrations.AlterModelOptions("consentstate", {"verbose_name": "choice"}),
        migrations.AlterModelOptions(
            "suppression", {"verbose_name": "blocked address", "verbose_name_plural": "blocked addresses"}
        ),
        migrations.AddIndex("consentrecord", models.Index(fields=["-recorded_at"], name="decisions_newest_first")),
        migrations.AddIndex("consentstate", models.Index(fields=["-since"], name="choices_newest_first")),
        migrations.AddIndex("consentstate", models.Index(fields=["topic", "channel", "state"], name="who_chose_what")),
    ]
