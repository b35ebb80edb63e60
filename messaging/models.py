"""Templates, the brand they speak with, and the outbox: every message, its state and its reason."""

import uuid
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from consent.models import Topic
from messaging.snippets import inside
from profiles.models import Profile


class Brand(models.Model):
    """How we look and sound, and who stands behind it."""

    name = models.CharField(max_length=100, default="Cairn")
    logo_url = models.URLField(blank=True)
    colour = models.CharField(max_length=7, default="#0f766e")
    voice = models.TextField(blank=True, help_text="Notes for those who write.")
    sender_name = models.CharField(max_length=100, blank=True)
    sender_address = models.EmailField(blank=True)
    postal_address = models.TextField(blank=True, help_text="By law part of every marketing mail.")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="only_one_brand")]

    def __str__(self) -> str:
        return self.name


class Template(models.Model):
    """A message to be said, in versions."""

    slug = models.SlugField(unique=True, max_length=100)
    name = models.CharField(max_length=200)
    channel = models.CharField(max_length=20)
    topic = models.ForeignKey(Topic, on_delete=models.PROTECT, related_name="templates")
    version = models.ForeignKey("TemplateVersion", null=True, on_delete=models.PROTECT, related_name="+")
    archived = models.BooleanField(default=False, help_text="Out of use; what was said with it stays on record.")
    one_off = models.BooleanField(default=False, help_text="What somebody sent without a template, kept as one.")

    class Meta:
        permissions = [("write_mjml", "Can write MJML")]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(models.Model):
    """What was published: frozen by the database, compiled once."""

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    subject = models.TextField()
    blocks = models.JSONField()
    options = models.JSONField(
        default=dict, db_default={}, help_text="What was chosen among what the channel offers, such as how it is shown."
    )
    translations = models.JSONField(
        default=dict, db_default={}, help_text="By language: subject, blocks, and what they are compiled to."
    )
    snippets = models.JSONField(
        default=dict,
        db_default={},
        help_text="What the snippets said that its blocks include, by slug, when it was made.",
    )
    html = models.TextField(help_text="Compiled from the blocks, Liquid still in it.")
    text = models.TextField()
    author = models.CharField(max_length=150)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["template", "number"], name="one_template_version_a_number")]

    @property
    def rows(self) -> list[Any]:
        """All rows of blocks that it is made of, in all languages and with what its snippets say."""
        of_snippets = [blocks for one in self.snippets.values() for blocks in inside.written(one)]
        return [self.blocks, *(said["blocks"] for said in self.translations.values()), *of_snippets]

    @property
    def said_in_others(self) -> dict[str, dict[str, Any]]:
        """What its author wrote in other languages, without what that was compiled to."""
        return {
            language: {"subject": said["subject"], "blocks": said["blocks"]}
            for language, said in self.translations.items()
        }


class MessageState(models.TextChoices):
    QUEUED = "queued", "Queued"
    DEFERRED = "deferred", "Put off"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    DELIVERED = "delivered", "Delivered"
    OPENED = "opened", "Opened"
    CLICKED = "clicked", "Clicked"
    BOUNCED = "bounced", "Bounced"
    COMPLAINED = "complained", "Marked as spam"
    SUPPRESSED = "suppressed", "Stopped"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Unknown"
    EXPIRED = "expired", "Expired"


TEST = "$test:"
"""How the keys of messages begin with which staff try a template on somebody."""


class Message(models.Model):
    """One message to one person: the outbox. Only `messaging.outbox` and `messaging.dispatch` write it.

    `enrollment` and `step` are set by journeys; it is no foreign key, as relations point down only.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    idempotency_key = models.CharField(max_length=200, unique=True)
    # NULL once the person is erased: that something was sent stays known, to whom and what does not.
    profile = models.ForeignKey(Profile, null=True, on_delete=models.SET_NULL, related_name="messages")
    came_by = ArrayField(
        models.UUIDField(),
        null=True,
        editable=False,
        help_text="Whose it was before, the first owner first: a merge can be taken back.",
    )
    channel = models.CharField(max_length=20)
    topic = models.ForeignKey(Topic, on_delete=models.PROTECT)
    template = models.ForeignKey(Template, on_delete=models.PROTECT)
    version = models.ForeignKey(
        TemplateVersion, null=True, on_delete=models.PROTECT, help_text="Set when it is rendered."
    )
    journey = models.CharField(max_length=100, blank=True)
    enrollment = models.UUIDField(null=True, blank=True, db_index=True)
    step = models.CharField(max_length=100, blank=True)
    variant = models.CharField(max_length=100, blank=True)
    context = models.JSONField(
        default=dict, help_text="What the template may use beside the person, such as the event."
    )
    state = models.CharField(max_length=12, choices=MessageState, default=MessageState.QUEUED)
    reason = models.TextField(blank=True, help_text="Why it is in this state, in a sentence.")
    evidence = models.JSONField(default=dict)
    guardrail = models.CharField(max_length=30, blank=True, help_text="Key of the guardrail that judged last.")
    address = models.TextField(blank=True, help_text="Where it went.")
    sender = models.TextField(blank=True, help_text="From whom.")
    message_id = models.TextField(blank=True, help_text="Its Message-ID, the same however often it is tried.")
    subject = models.TextField(blank=True)
    html = models.TextField(blank=True)
    text = models.TextField(blank=True)
    provider_id = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How often it was taken up to be sent.")
    claims = models.PositiveSmallIntegerField(
        default=0,
        help_text="How often it was taken up since anything came of it: so a message that kills its worker is found.",
    )
    fence = models.PositiveIntegerField(
        default=0, help_text="Raised at each claim: a late worker's word no longer counts."
    )
    priority = models.SmallIntegerField(
        default=0, db_default=0, help_text="Who goes first where there is room for one: the higher."
    )
    urgent = models.BooleanField(default=False, help_text="Transactional when it was queued: goes before the others.")
    due_at = models.DateTimeField(help_text="When to try next.")
    expires_at = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField()
    sending_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            # What dispatch looks for, and nothing else: the rest of the outbox grows for ever.
            models.Index(
                fields=["urgent", "due_at"], condition=Q(state__in=["queued", "deferred"]), name="messages_due_by_lane"
            ),
            models.Index(fields=["sending_at"], condition=Q(state="sending"), name="messages_sending"),
            models.Index(
                fields=["profile", "sending_at"], include=["channel", "topic", "template"], name="messages_of_a_person"
            ),
            models.Index(fields=["-queued_at", "-id"], name="messages_newest_first"),
            # Few, and asked for again and again: how many of a day's mails were marked as spam.
            models.Index(fields=["sent_at"], condition=Q(state="complained"), name="messages_complained_of"),
            # How a provider's reports name a message, where they do not say our own name for it.
            models.Index(fields=["provider_id"], condition=~Q(provider_id=""), name="messages_by_providers_name"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["message_id"], condition=~Q(message_id=""), name="one_message_a_message_id"
            ),
            # What is being sent is found again by when that began, should its worker die.
            models.CheckConstraint(condition=~Q(state="sending") | Q(sending_at__isnull=False), name="sending_since"),
        ]

    @property
    def is_test(self) -> bool:
        """Whether staff tried a template with it: it tells of nothing and counts nowhere."""
        return self.idempotency_key.startswith(TEST)

    @property
    def told_by(self) -> dict[str, str]:
        """What every event about it says of it."""
        return {
            "message": str(self.id),
            "journey": self.journey,
            "step": self.step,
            "template": self.template.slug,
            "topic": self.topic.slug,
            "channel": self.channel,
            "variant": self.variant,
        }


class Link(models.Model):
    """Where a tracked link of a message led when we committed to sending it; its address says (message, place)."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="links")
    place = models.PositiveSmallIntegerField()
    destination = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "place"], name="one_link_a_place")]


class Hit(models.Model):
    """That a link was followed: the raw facts, and who it was, as far as they tell. No address of anybody is kept."""

    class Kind(models.TextChoices):
        HUMAN = "human", "A person"
        BOT = "bot", "A program"

    link = models.ForeignKey(Link, on_delete=models.CASCADE, related_name="hits")
    at = models.DateTimeField()
    method = models.CharField(max_length=10)
    agent = models.CharField(max_length=300, blank=True)
    network = models.CharField(
        max_length=100, blank=True, default="", db_default="", help_text="Of scanners, if it came from one."
    )
    kind = models.CharField(max_length=10, choices=Kind, blank=True, help_text="Empty until it was judged.")

    class Meta:
        indexes = [models.Index(fields=["at"], condition=Q(kind=""), name="hits_to_judge")]


class Limits(models.Model):
    """When enough is enough, for all that can wait: one row, and out of the box it limits nothing."""

    topic_cooldown = models.PositiveSmallIntegerField(default=0, help_text="Hours between two of a topic; 0: none.")
    template_cooldown = models.PositiveSmallIntegerField(
        default=0, help_text="Hours between two of a template; 0: none."
    )
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_to = models.TimeField(null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = "limits", "limits"
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="only_one_row_of_limits"),
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_to=None)
                | (Q(quiet_from__isnull=False, quiet_to__isnull=False) & ~Q(quiet_from=models.F("quiet_to"))),
                name="quiet_hours_have_two_ends",
            ),
        ]

    def __str__(self) -> str:
        return "Limits"


class Cap(models.Model):
    """At most so many messages in so many hours, of those it is about."""

    class Counts(models.TextChoices):
        PERSON = "person", "A person"
        ACCOUNT = "account", "A company, all its people together"

    limits = models.ForeignKey(Limits, on_delete=models.CASCADE, related_name="caps")
    counts = models.CharField(max_length=10, choices=Counts, default=Counts.PERSON)
    channel = models.CharField(max_length=20, blank=True, help_text="Empty: all channels together.")
    topic = models.ForeignKey(Topic, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    most = models.PositiveSmallIntegerField()
    hours = models.PositiveSmallIntegerField()

    class Meta:
        verbose_name = "cap"
        constraints = [
            models.CheckConstraint(condition=Q(most__gte=1), name="a_cap_leaves_one"),
            models.CheckConstraint(condition=Q(hours__gte=1, hours__lte=2160), name="a_cap_looks_back_90_days"),
        ]


class ChannelSettings(models.Model):
    """How a channel reaches the other side. Only `messaging.wiring` writes it; without a row all is as usual."""

    channel = models.CharField(max_length=20, unique=True)
    enabled = models.BooleanField(default=True)
    values = models.JSONField(default=dict, help_text="What may be shown.")
    sealed = models.TextField(blank=True, help_text="What may not, as `messaging.sealing` keeps it.")
    tested_at = models.DateTimeField(null=True, blank=True)
    test_failed = models.TextField(blank=True, help_text="Why the last test did not go through; empty: it did.")

    class Meta:
        verbose_name, verbose_name_plural = "channel", "channels"

    def __str__(self) -> str:
        return self.channel


class InboxMessage(models.Model):
    """A message in somebody's inbox on a customer's site, and what they did with it. What it says is the message's."""

    message = models.OneToOneField(Message, primary_key=True, on_delete=models.CASCADE, related_name="in_inbox")
    look = models.CharField(max_length=10, help_text="How it is shown: inbox, banner or modal.")
    placed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    clicked_at = models.DateTimeField(null=True, blank=True)
    dismissed_at = models.DateTimeField(null=True, blank=True)


class InboxPace(models.Model):
    """How often somebody's page asked for the inbox in this minute."""

    profile = models.OneToOneField(Profile, primary_key=True, on_delete=models.CASCADE, related_name="+")
    minute = models.DateTimeField()
    asked = models.PositiveIntegerField()


class PushSubscription(models.Model):
    """A browser that its user lets us notify. Whoever signed in there last is who it belongs to."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="push_subscriptions")
    external_id = models.TextField(help_text="As whom they were signed in.")
    endpoint = models.TextField(help_text="Where its maker takes notifications for it.")
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the endpoint.")
    p256dh = models.CharField(max_length=100)
    auth = models.CharField(max_length=50)
    agent = models.CharField(max_length=300, blank=True)
    registered_at = models.DateTimeField()


class Pace(models.Model):
    """How fast a way out may be used: so many messages a minute and, while it is new, so many a day."""

    channel = models.CharField(max_length=20)
    place = models.CharField(
        max_length=255, blank=True, help_text="Where to, as the channel tells places apart; empty: all of the channel."
    )
    per_minute = models.PositiveIntegerField()
    warm_up = ArrayField(
        models.PositiveIntegerField(), default=list, blank=True, help_text="At most so many on each of the first days."
    )
    warm_up_from = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "place"], name="one_pace_a_place"),
            models.CheckConstraint(condition=Q(per_minute__gte=1), name="a_pace_lets_one_go"),
            models.CheckConstraint(condition=Q(warm_up=[]) | Q(warm_up_from__isnull=False), name="warm_up_begins"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.place}".strip()


class Lane(models.Model):
    """A way out as it stands; a row only for those with a pace, and those that made trouble. See `messaging.lanes`."""

    id = models.BigAutoField(primary_key=True)
    channel = models.CharField(max_length=20)
    place = models.CharField(max_length=255, blank=True)
    urgent = models.BooleanField(default=False, help_text="The lane of what people need: it has trouble of its own.")
    free_at = models.DateTimeField(null=True, help_text="When its pace lets the next one go.")
    turn_at = models.DateTimeField(null=True, help_text="The last turn that was given to one that had to wait.")
    day = models.DateField(null=True)
    sent = models.PositiveIntegerField(default=0, help_text="On that day.")
    failures = models.PositiveIntegerField(default=0, help_text="Since the last one that was taken.")
    times_shut = models.PositiveSmallIntegerField(default=0, help_text="In a row, with nothing taken between.")
    shut_until = models.DateTimeField(null=True)
    reason = models.TextField(blank=True, help_text="What the other side said.")
    stopped_at = models.DateTimeField(null=True, help_text="Since when nothing goes until somebody opens it by hand.")
    stopped_for = models.TextField(blank=True, default="", db_default="", help_text="Why, in a sentence.")
    reopened_at = models.DateTimeField(null=True, help_text="When somebody last did.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "place", "urgent"], name="one_lane_a_place"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.place}".strip()


# Rooms of their own, whose models are the app's.
from messaging.broadcasts import models as _broadcasts  # noqa: E402, F401
from messaging.domains import models as _domains  # noqa: E402, F401
from messaging.holdouts import models as _holdouts  # noqa: E402, F401
from messaging.returns import models as _returns  # noqa: E402, F401
from messaging.snippets import models as _snippets  # noqa: E402, F401
