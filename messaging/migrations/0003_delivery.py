"""What it takes to send each message once, and to forget people without forgetting that something was sent."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("consent", "0002_initial"),
        ("messaging", "0002_initial"),
        ("profiles", "0003_events"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="message",
            name="messages_due",
        ),
        migrations.AddField(
            model_name="message",
            name="claims",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text=(
                    "How often it was taken up since anything came of it: so a message that kills its worker is found."
                ),
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="message_id",
            field=models.TextField(blank=True, help_text="Its Message-ID, the same however often it is tried."),
        ),
        migrations.AddField(
            model_name="message",
            name="sender",
            field=models.TextField(blank=True, help_text="From whom."),
        ),
        migrations.AddField(
            model_name="message",
            name="urgent",
            field=models.BooleanField(
                default=False, help_text="Transactional when it was queued: goes before the others."
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="attempts",
            field=models.PositiveSmallIntegerField(default=0, help_text="How often it was taken up to be sent."),
        ),
        migrations.AlterField(
            model_name="message",
            name="profile",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="messages", to="profiles.profile"
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("state__in", ["queued", "deferred"])),
                fields=["urgent", "due_at"],
                name="messages_due_by_lane",
            ),
        ),
        migrations.AddConstraint(
            model_name="brand",
            constraint=models.CheckConstraint(condition=models.Q(("id", 1)), name="only_one_brand"),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(
                condition=models.Q(("message_id", ""), _negated=True),
                fields=("message_id",),
                name="one_message_a_message_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "sending"), _negated=True), ("sending_at__isnull", False), _connector="OR"
                ),
                name="sending_since",
            ),
        ),
    ]
