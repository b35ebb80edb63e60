"""Fewer indexes on memberships and their history: a build writes each of them for each person."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("segments", "0007_marketing_and_learnings"),
    ]

    operations = [
        migrations.AlterField(
            model_name="membership",
            name="segment",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="memberships",
                to="segments.segment",
            ),
        ),
        migrations.AlterField(
            model_name="membership",
            name="version",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="segments.segmentversion",
            ),
        ),
        migrations.AlterField(
            model_name="membershipchange",
            name="profile",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="profiles.profile"
            ),
        ),
        migrations.AlterField(
            model_name="membershipchange",
            name="segment",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="changes",
                to="segments.segment",
            ),
        ),
        migrations.AlterField(
            model_name="membershipchange",
            name="version",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="segments.segmentversion",
            ),
        ),
    ]
