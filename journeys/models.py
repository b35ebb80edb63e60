"""Journeys, their versions, the people in them, and why each of them moved."""

import uuid

from django.db import models
from django.db.models import Q

from profiles.models import Profile


class Journey(models.Model):
    """A way that people are led along, in versions."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        LIVE = "live", "Live"
        PAUSED = "paused", "Paused"
        STOPPED = "stopped", "Stopped"

    slug = models.SlugField(unique=True, max_length=100)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    version = models.ForeignKey("JourneyVersion", null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class JourneyVersion(models.Model):
    """A document. One draft at most; a published one is frozen by the database."""

    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    program = models.JSONField(null=True, help_text="The flat program: step key to step and next.")
    author = models.CharField(max_length=150)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["journey", "number"], name="one_journey_version_a_number"),
            models.UniqueConstraint(fields=["journey"], condition=Q(published_at=None), name="one_draft_a_journey"),
        ]


class EnrollmentState(models.TextChoices):
    ACTIVE = "active", "On the way"
    COMPLETED = "completed", "Completed"
    EXITED = "exited", "Left"
    FAILED = "failed", "Failed"


class Enrollment(models.Model):
    """A person on a journey. Only the engine writes it.

    An active one has exactly one of: a due time, a message it awaits, a human it awaits.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="enrollments")
    version = models.ForeignKey(JourneyVersion, on_delete=models.PROTECT, related_name="enrollments")
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="enrollments")
    step = models.CharField(max_length=100, help_text="Key of the step they stand at.")
    state = models.CharField(max_length=10, choices=EnrollmentState, default=EnrollmentState.ACTIVE)
    due_at = models.DateTimeField(null=True, blank=True)
    entered_at = models.DateTimeField()
    step_entered_at = models.DateTimeField()
    entry_key = models.CharField(max_length=200, help_text="What makes an entry the same entry.")
    exclusive = models.BooleanField(default=True, help_text="Whether the rule allows one active enrollment a person.")
    context = models.JSONField(default=dict)
    reason = models.TextField(blank=True, help_text="Why it ended, in a sentence.")
    ended_at = models.DateTimeField(null=True, blank=True)
    converted_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["journey", "profile", "entry_key"], name="an_entry_happens_once"),
            models.UniqueConstraint(
                fields=["journey", "profile"], condition=Q(state="active", exclusive=True), name="one_active_enrollment"
            ),
            models.CheckConstraint(
                condition=~Q(state="active") | Q(due_at__isnull=False), name="active_enrollments_are_due_some_time"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="active"), name="enrollments_due"),
            models.Index(fields=["profile"], condition=Q(state="active"), name="enrollments_of_a_person"),
            models.Index(fields=["version", "step"], condition=Q(state="active"), name="enrollments_at_a_step"),
        ]


class Transition(models.Model):
    """A step that somebody took: when, which arm, and why. Append-only."""

    id = models.BigAutoField(primary_key=True)
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="transitions")
    version = models.ForeignKey(JourneyVersion, on_delete=models.PROTECT)
    step = models.CharField(max_length=100)
    kind = models.CharField(max_length=20)
    answer = models.CharField(max_length=12, help_text="advance, wait, leave, failed, entered, ended")
    arm = models.CharField(max_length=100, blank=True)
    at = models.DateTimeField()
    reason = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["enrollment", "at"])]


class Refusal(models.Model):
    """Somebody who did not enter: when, and why."""

    id = models.BigAutoField(primary_key=True)
    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="refusals")
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    entry_key = models.CharField(max_length=200)
    reason = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["journey", "at"]), models.Index(fields=["profile", "at"])]
        constraints = [models.UniqueConstraint(fields=["journey", "profile", "entry_key"], name="one_refusal_an_entry")]
