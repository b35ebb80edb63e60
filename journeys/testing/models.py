"""A test of a journey: whom it is played with, what happens to them, and what is to come of it."""

from django.db import models

from journeys.models import Journey


class JourneyTest(models.Model):
    """A script and what is expected of it (`journeys.testing.scripts`), with what came of it when it ran last.

    Only `journeys.testing.keeping` writes what it says.
    """

    class Result(models.TextChoices):
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"

    id = models.BigAutoField(primary_key=True)
    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="tests", db_index=False)
    name = models.CharField(max_length=200)
    script = models.JSONField(help_text="Somebody made up, and what happens.")
    expect = models.JSONField(help_text="What is to come of it.")
    created_at = models.DateTimeField()
    result = models.CharField(max_length=6, choices=Result, blank=True, help_text="Empty: it did not run yet.")
    ran_at = models.DateTimeField(null=True, blank=True)
    why = models.TextField(blank=True, help_text="What differed when it ran last, a line each.")

    class Meta:
        verbose_name, verbose_name_plural = "test of a journey", "tests of journeys"
        constraints = [
            models.UniqueConstraint(fields=["journey", "name"], name="one_test_a_name"),
            models.CheckConstraint(
                condition=models.Q(result="", ran_at=None) | (~models.Q(result="") & models.Q(ran_at__isnull=False)),
                name="tests_that_ran_say_when",
            ),
        ]

    def __str__(self) -> str:
        return self.name
