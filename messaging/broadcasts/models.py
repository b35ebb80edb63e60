"""Broadcasts, and whom each of them goes to."""

import uuid

from django.db import models
from django.db.models import Q

from profiles.models import Profile
from segments.models import Segment


class Broadcast(models.Model):
    """One message to a segment, once. Only `messaging.broadcasts.running` writes it."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        RUNNING = "running", "Under way"
        PAUSED = "paused", "Paused"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="broadcasts")
    template = models.ForeignKey("messaging.Template", on_delete=models.PROTECT, related_name="broadcasts")
    send_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Not before; empty: at once. With `local`, its reading on clocks where people are.",
    )
    local = models.BooleanField(default=False, help_text="At that time of day where each person is.")
    rate = models.PositiveIntegerField(null=True, blank=True, help_text="At most so many an hour; empty: no limit.")
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    audience = models.PositiveIntegerField(default=0, help_text="How many people it goes to, fixed when it started.")
    definition = models.JSONField(null=True, help_text="Of the segment, when the audience was fixed.")
    note = models.TextField(blank=True, help_text="Why it paused on its own.")
    author = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        permissions = [("start_broadcast", "Can start, pause and cancel broadcasts")]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="broadcasts_newest_first"),
            models.Index(fields=["state"], condition=Q(state="running"), name="broadcasts_under_way"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(rate=None) | Q(rate__gte=60), name="a_broadcast_moves"),
            models.CheckConstraint(condition=Q(local=False) | Q(send_at__isnull=False), name="local_time_needs_a_time"),
            models.CheckConstraint(
                condition=Q(state="draft", started_at=None) | (~Q(state="draft") & Q(started_at__isnull=False)),
                name="what_started_is_no_draft",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Recipient(models.Model):
    """Somebody whom a broadcast goes to, and whether their message was queued: what it goes on from."""

    id = models.BigAutoField(primary_key=True)
    broadcast = models.ForeignKey(Broadcast, on_delete=models.CASCADE, related_name="recipients")
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="+")
    due_at = models.DateTimeField(help_text="When their message is to be queued.")
    queued_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["broadcast", "profile"], name="one_message_of_a_broadcast")]
        indexes = [
            models.Index(fields=["broadcast", "due_at", "id"], condition=Q(queued_at=None), name="recipients_to_queue"),
            models.Index(fields=["broadcast", "queued_at"], name="recipients_by_pace"),
        ]
