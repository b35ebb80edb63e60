"""What was told about messages, as it came; and which addresses mail came through to."""

from django.db import models
from django.db.models import Q


class Meaning(models.TextChoices):
    """What a report means: a closed set (`messaging.returns.meaning` says which)."""

    SENT = "sent", "On its way"
    DELAYED = "delayed", "Delayed"
    DELIVERED = "delivered", "Delivered"
    OPENED = "opened", "Opened"
    CLICKED = "clicked", "A link was followed"
    NO_ADDRESS = "no_address", "No such address"
    FULL = "full", "Could not be taken just now"
    SENDER = "sender", "We were turned away"
    SLOWED = "slowed", "We are held up"
    CONTENT = "content", "The message itself was not taken"
    LISTED = "listed", "The provider does not send there"
    COMPLAINED = "complained", "Marked as spam"
    UNSUBSCRIBED = "unsubscribed", "Asked for no more"
    REPLIED = "replied", "A program replied"
    NOTHING = "nothing", "Nothing to be done"
    UNKNOWN = "unknown", "Not understood"


class Report(models.Model):
    """Something that was told about a message. Only `messaging.returns.reports` and `applying` write it."""

    class State(models.TextChoices):
        WAITING = "waiting", "To be looked at"
        APPLIED = "applied", "Acted on"
        IGNORED = "ignored", "Needs nothing"
        QUARANTINED = "quarantined", "Not acted on"

    id = models.BigAutoField(primary_key=True)
    key = models.CharField(
        max_length=64, unique=True, help_text="The same for the same report, however often it comes."
    )
    source = models.CharField(max_length=30, help_text="The provider, or the kind of mail that told it.")
    kind = models.CharField(max_length=30, help_text="What they call it.")
    meaning = models.CharField(max_length=15, choices=Meaning)
    # What it says it is about; no foreign keys, since it may be about nothing of ours.
    named = models.UUIDField(null=True, help_text="The message that it names.")
    proven = models.BooleanField(default=False, help_text="It came to an address that we signed for this message.")
    provider_id = models.TextField(blank=True)
    header_id = models.TextField(blank=True, help_text="The Message-ID that it names.")
    recipient = models.TextField(blank=True)
    reason = models.CharField(max_length=30, blank=True, help_text="Why the provider did not send it, in its word.")
    url = models.TextField(blank=True)
    agent = models.CharField(max_length=300, blank=True)
    said = models.TextField(blank=True, help_text="The code and the words of whoever turned it away.")
    raw = models.TextField(blank=True, help_text="As it came; goes after a while.")
    at = models.DateTimeField(null=True, help_text="When it happened, by their word.")
    received_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="When to look at it, while it waits.")
    state = models.CharField(max_length=12, choices=State, default=State.WAITING)
    why = models.TextField(blank=True, help_text="Why it was acted on or not, in a sentence.")
    message = models.ForeignKey("messaging.Message", null=True, on_delete=models.CASCADE, related_name="reports")

    class Meta:
        verbose_name, verbose_name_plural = "report", "reports"
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="waiting"), name="reports_to_look_at"),
            models.Index(fields=["-received_at", "-id"], name="reports_newest_first"),
            # Whoever is erased is looked for among what we could not place, too.
            models.Index(fields=["recipient"], condition=Q(message=None), name="reports_without_a_message"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="applied") | Q(message__isnull=False), name="applied_to_a_message"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind.capitalize()}, by {self.source}"


class Reached(models.Model):
    """That mail to an address came through, or could not be taken just now: what counting soft bounces rests on.

    One row a message and way, with the last moment that it came through, or the first that it did not. The address is
    kept as its keyed hash.
    """

    id = models.BigAutoField(primary_key=True)
    channel = models.CharField(max_length=20)
    address_hash = models.CharField(max_length=64)
    message = models.UUIDField()
    came = models.BooleanField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "came"], name="one_word_a_message_and_way")]
        indexes = [
            models.Index(fields=["address_hash", "channel", "came", "at"], name="reached_of_an_address"),
            models.Index(fields=["at"], name="reached_by_age"),
        ]


class Opening(models.Model):
    """That the picture in a message was fetched: the raw facts, and who it was, as far as they tell."""

    class Kind(models.TextChoices):
        HUMAN = "human", "A person"
        PROXY = "proxy", "A mail service, on its own"
        BOT = "bot", "A program"
        UNKNOWN = "unknown", "Nobody knows"

    message = models.ForeignKey("messaging.Message", on_delete=models.CASCADE, related_name="openings")
    at = models.DateTimeField()
    method = models.CharField(max_length=10)
    agent = models.CharField(max_length=300, blank=True)
    network = models.CharField(
        max_length=100, blank=True, default="", db_default="", help_text="Of scanners, if it came from one."
    )
    kind = models.CharField(max_length=10, choices=Kind, blank=True, help_text="Empty until it was judged.")

    class Meta:
        indexes = [models.Index(fields=["at"], condition=Q(kind=""), name="openings_to_judge")]
