"""A yes may run out, and a topic may be for people of some age only: until when, by what, and since when they live."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("consent", "0012_limits_by_kind"),
        ("profiles", "0010_events_in_order"),
    ]

    operations = [
        migrations.AddField(
            model_name="consentrecord",
            name="expires_at",
            field=models.DateTimeField(blank=True, help_text="Until when a yes counts; for ever if empty.", null=True),
        ),
        migrations.AddField(
            model_name="consentrecord",
            name="implied",
            field=models.CharField(
                blank=True,
                choices=[("purchase", "A purchase"), ("inquiry", "An inquiry")],
                db_default="",
                default="",
                help_text="By what, if nobody said it.",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="consentstate",
            name="expires_at",
            field=models.DateTimeField(blank=True, help_text="Until when a yes counts; for ever if empty.", null=True),
        ),
        migrations.AddField(
            model_name="preference",
            name="born_on",
            field=models.DateField(
                blank=True, help_text="What they said themselves, to be let into a topic.", null=True
            ),
        ),
        migrations.AddField(
            model_name="topic",
            name="min_age",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="From what age on; empty: for everybody. Whose age is unknown gets nothing.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="topic",
            name="valid_months",
            field=models.PositiveSmallIntegerField(
                blank=True, help_text="How long a yes counts; empty: until it is taken back.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="consentrecord",
            name="source",
            field=models.CharField(
                choices=[
                    ("page", "Preference page"),
                    ("api", "API"),
                    ("import", "Import"),
                    ("double_opt_in", "Double opt-in"),
                    ("one_click", "One-click unsubscribe"),
                    ("staff", "Staff"),
                    ("merge", "Merge of two profiles"),
                    ("complaint", "Complaint"),
                    ("journey", "Journey"),
                    ("reply", "Reply by message"),
                    ("expiry", "Passing of time"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="consentrecord",
            name="state",
            field=models.CharField(
                choices=[("granted", "Agreed"), ("denied", "Declined"), ("expired", "Ran out")], max_length=10
            ),
        ),
        migrations.AlterField(
            model_name="consentstate",
            name="state",
            field=models.CharField(
                choices=[("granted", "Agreed"), ("denied", "Declined"), ("expired", "Ran out")], max_length=10
            ),
        ),
        migrations.AddIndex(
            model_name="consentstate",
            index=models.Index(
                condition=models.Q(("expires_at__isnull", False), ("state", "granted")),
                fields=["expires_at"],
                name="choices_that_run_out",
            ),
        ),
        migrations.AddConstraint(
            model_name="consentrecord",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at", None), ("state", "granted"), _connector="OR"),
                name="only_a_yes_runs_out",
            ),
        ),
        migrations.AddConstraint(
            model_name="consentrecord",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("implied", ""),
                    models.Q(
                        ("expires_at__isnull", False), ("state", "granted"), models.Q(("evidence", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="implied_is_proven_and_runs_out",
            ),
        ),
    ]
