"""Domains that mail may come from, with what was found out about them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class SenderDomain(models.Model):
    """A domain that mail may come from. Only `messaging.domains.keeping` writes it."""

    class Status(models.TextChoices):
        NEW = "new", "Not verified"
        VERIFIED = "verified", "Verified"
        FAILED = "failed", "Not in order"

    name = models.CharField(max_length=253, unique=True, help_text="In small letters, as the DNS has it.")
    selectors = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        help_text="Under which DKIM keys are published; empty: the usual ones are tried.",
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.NEW)
    since = models.DateTimeField(help_text="Since when its status is so.")
    checked_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(help_text="When it is looked at again.")
    wanting = models.PositiveSmallIntegerField(
        default=0, help_text="How often in a row something it needs was found missing: once may be a mishap."
    )
    findings = models.JSONField(default=list, help_text="What the last look found: about, level, what and what to do.")

    class Meta:
        verbose_name = "sender domain"
        indexes = [models.Index(fields=["next_at"], name="domains_to_look_at")]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="new") | Q(checked_at__isnull=False), name="a_status_rests_on_a_look"
            )
        ]

    def __str__(self) -> str:
        return self.name


class MailDay(models.Model):
    """How many mails a receiver took on a day of the project's clock; counted as they go."""

    id = models.BigAutoField(primary_key=True)
    day = models.DateField()
    place = models.CharField(max_length=255, help_text="The mailbox provider, as the way out is known by.")
    sent = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "place"], name="one_count_a_day_and_place")]
