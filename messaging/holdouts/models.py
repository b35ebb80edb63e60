"""A period in which some people are held out, and whom it made a difference to."""

from django.db import models
from django.db.models import Q

from profiles.models import Profile


class Holdout(models.Model):
    """A period in which a share of all people get no marketing. Its share and its salt never change."""

    period = models.SlugField(unique=True, max_length=50, help_text="What the time is called, such as 2026-q4.")
    percent = models.PositiveSmallIntegerField(help_text="Of all people.")
    salt = models.CharField(
        max_length=64, editable=False, help_text="Its own: nobody is held out twice for one reason."
    )
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "holdout"
        constraints = [
            models.UniqueConstraint(
                fields=["ended_at"], condition=Q(ended_at=None), nulls_distinct=False, name="one_holdout_at_a_time"
            ),
            models.CheckConstraint(condition=Q(percent__gte=1, percent__lte=50), name="a_holdout_leaves_most"),
        ]

    def __str__(self) -> str:
        return self.period


class Exposure(models.Model):
    """Somebody to whom a holdout made a difference: they were to get marketing, and got it, or were held out.

    Kept from the first time on, so that nobody ever changes sides. Insights reads it.
    """

    id = models.BigAutoField(primary_key=True)
    holdout = models.ForeignKey(Holdout, on_delete=models.CASCADE, related_name="exposures")
    profile = models.ForeignKey(
        Profile, null=True, on_delete=models.CASCADE, related_name="+", help_text="Nobody: they were erased, and count."
    )
    held = models.BooleanField()
    exposed_at = models.DateTimeField()
    crossed = models.BooleanField(
        default=False, help_text="Two people of both sides turned out to be this one: left out of comparisons."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["holdout", "profile"], name="one_side_of_a_holdout")]
        indexes = [models.Index(fields=["holdout", "held", "exposed_at"], name="exposures_by_side")]
