"""Who works here, the keys that programs use, and the trail of who did what."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models


class User(AbstractUser):
    """A member of staff. What they may do comes from their groups."""

    time_zone = models.CharField(max_length=64, default="UTC")


class Team(models.Model):
    """A group of staff that owns segments and journeys and is given tasks."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    members = models.ManyToManyField(User, blank=True, related_name="teams")

    def __str__(self) -> str:
        return self.name


class Key(models.Model):
    """A credential of a program. Only a SHA-256 of it is kept; `prefix` is what people recognise it by."""

    class Kind(models.TextChoices):
        SECRET = "secret", "API key (secret)"
        SERVER = "server", "Write key for servers (secret)"
        BROWSER = "browser", "Write key for browsers (publishable)"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=Kind)
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    rate_per_minute = models.PositiveIntegerField(null=True, blank=True, help_text="Items a minute; empty: no limit.")
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="secret") | models.Q(scopes=[]), name="write_keys_have_no_scopes"
            ),
            models.CheckConstraint(
                condition=models.Q(rate_per_minute=None) | models.Q(rate_per_minute__gt=0),
                name="a_rate_lets_something_pass",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class KeySpending(models.Model):
    """How far a key has used up its rate limit: the moment up to which its items are paid for (`staff.keys.spend`)."""

    key = models.OneToOneField(Key, primary_key=True, on_delete=models.CASCADE, related_name="spending")
    paid_until = models.DateTimeField()


class AuditEntry(models.Model):
    """One thing that somebody did. Append-only in the database."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=150, help_text="user:ada, key:Website, command:import_events, system")
    verb = models.CharField(max_length=60, help_text="publish, create, pause …")
    kind = models.CharField(max_length=60, help_text="What it was done to: journey, segment, profile …")
    target = models.CharField(max_length=200, help_text="Which one: a slug or an id.")
    summary = models.TextField(help_text="One sentence for people.")
    details = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "audit trail"
        indexes = [models.Index(fields=["kind", "target", "at"]), models.Index(fields=["at"])]

    def __str__(self) -> str:
        return self.summary


class IdempotentAnswer(models.Model):
    """What a write with an `Idempotency-Key` was answered, so that its repetition gets the same and does nothing."""

    key = models.CharField(max_length=300)
    owner = models.UUIDField()
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.TextField(
        null=True, help_text="As it was sent, to the letter: jsonb would put its names in another order."
    )
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="one_answer_a_key")]
