"""People, companies, what they did, and what is known of the names and values that arrive."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models.functions import Upper


def _beginning(model: str, field: str) -> models.Index:
    """Serves `istartswith` on a field: what staff search by."""
    return models.Index(OpClass(Upper(field), name="text_pattern_ops"), name=f"{model}_{field}_beginning")


def digits_of_phone() -> models.Func:
    """A person's number as its digits alone, without the `+` or `00` before them: the same however it is spelt."""
    return models.Func(
        "phone",
        template="regexp_replace(regexp_replace(%(expressions)s, '[^0-9+]', '', 'g'), '^([+]|00)', '')",
        output_field=models.TextField(),
    )


class Account(models.Model):
    """A company. Segment's `group` call fills it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    external_id = models.TextField(unique=True)
    name = models.TextField(null=True, blank=True)
    attributes = models.JSONField(default=dict)
    attribute_times = models.JSONField(default=dict, help_text="When each value came about, for last-write-wins.")
    created_at = models.DateTimeField()

    class Meta:
        verbose_name, verbose_name_plural = "company", "companies"
        indexes = [
            models.Index(fields=["name", "external_id"], name="account_in_order"),
            _beginning("account", "name"),
            _beginning("account", "external_id"),
        ]

    def __str__(self) -> str:
        return self.name or self.external_id


class Profile(models.Model):
    """A person. `external_id` is the integrator's own id, absent while the person is anonymous."""

    COLUMNS = ("email", "phone", "first_name", "last_name", "timezone", "locale", "created_at")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    external_id = models.TextField(unique=True, null=True, blank=True)
    email = models.TextField(null=True, blank=True)
    phone = models.TextField(null=True, blank=True)
    first_name = models.TextField(null=True, blank=True)
    last_name = models.TextField(null=True, blank=True)
    timezone = models.TextField(null=True, blank=True)
    locale = models.TextField(null=True, blank=True)
    created_at = models.DateTimeField(null=True, blank=True, help_text="The trait createdAt.")
    attributes = models.JSONField(default=dict)
    attribute_times = models.JSONField(default=dict, help_text="When each value came about, for last-write-wins.")
    account = models.ForeignKey(Account, null=True, blank=True, on_delete=models.SET_NULL, related_name="people")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        verbose_name, verbose_name_plural = "person", "people"
        indexes = [
            models.Index(fields=["email"]),
            models.Index(fields=["last_seen_at"]),
            *(_beginning("profile", field) for field in ("email", "first_name", "last_name", "external_id")),
            models.Index(digits_of_phone(), condition=models.Q(phone__isnull=False), name="profile_phone_digits"),
        ]

    def __str__(self) -> str:
        name = " ".join(part for part in (self.first_name, self.last_name) if part)
        return name or self.email or self.external_id or "Someone anonymous"


class Identifier(models.Model):
    """A name under which a profile is known to the world outside."""

    class Kind(models.TextChoices):
        USER = "user_id", "User id"
        ANONYMOUS = "anonymous_id", "Anonymous id"

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=20, choices=Kind)
    value = models.TextField()
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="identifiers")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "value"], name="one_profile_an_identifier")]


class IdentityConflict(models.Model):
    """Two known people that a call wanted to be one. Staff decide; nothing merges on its own."""

    id = models.BigAutoField(primary_key=True)
    first = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="+")
    second = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="+")
    reason = models.TextField()
    seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["first", "second"], condition=models.Q(resolved_at=None), name="one_open_conflict_a_pair"
            )
        ]


class Merge(models.Model):
    """One profile that became part of another, with what it takes to part them again for 30 days."""

    id = models.BigAutoField(primary_key=True)
    survivor_id = models.UUIDField(db_index=True)
    absorbed_id = models.UUIDField(db_index=True)
    at = models.DateTimeField()
    reason = models.TextField()
    undo = models.JSONField(
        null=True, help_text="The absorbed profile's row, identifiers and events; dropped after 30 days."
    )

    class Meta:
        indexes = [
            models.Index(fields=["at"], name="merge_at"),
            # What can be taken back, for its end after 30 days.
            models.Index(fields=["at"], condition=models.Q(undo__isnull=False), name="merge_undoable"),
        ]


class Tombstone(models.Model):
    """A keyed hash of an id whose person was erased: for 90 days what comes late under it is refused."""

    digest = models.CharField(primary_key=True, max_length=64)
    at = models.DateTimeField(db_index=True)
    late = models.PositiveIntegerField(default=0, db_default=0, help_text="How much came late under it.")


class Erasure(models.Model):
    """That somebody was erased, told by what names nobody, so that it can be done again where a backup has them still.

    Only `profiles.erasing` and `profiles.journal` write it.
    """

    id = models.UUIDField(primary_key=True, editable=False, help_text="The opaque id that they had.")
    others = ArrayField(models.UUIDField(), default=list, help_text="Opaque ids of profiles that had become theirs.")
    digests = ArrayField(models.CharField(max_length=64), default=list, help_text="Keyed hashes of the ids they had.")
    kept = models.JSONField(default=dict, help_text="What the apps above must remember, by name.")
    at = models.DateTimeField()
    noted_at = models.DateTimeField(null=True, help_text="When it was written into the journal outside the database.")
    cleaned_at = models.DateTimeField(null=True, help_text="When dead rows and samples of the planner had gone, too.")

    class Meta:
        indexes = [
            models.Index(fields=["at"], condition=models.Q(noted_at=None), name="erasures_to_note"),
            models.Index(fields=["at"], name="erasures_by_age"),
        ]


class EventType(models.Model):
    """An event's name in the data catalogue; `id` is what events store in place of the name."""

    class Status(models.TextChoices):
        NEW = "new", "New"
        APPROVED = "approved", "Approved"
        BLOCKED = "blocked", "Blocked"

    id = models.AutoField(primary_key=True)
    name = models.TextField(unique=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.NEW)
    description = models.TextField(blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    required = ArrayField(
        models.TextField(), default=list, blank=True, help_text="Properties without which it is refused."
    )
    renamed_to = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, help_text="Its name today.")
    properties = models.JSONField(default=dict, help_text="Per property: the types seen and sample values.")
    volume = models.BigIntegerField(default=0)
    volume_30_days = models.BigIntegerField(default=0)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        verbose_name, verbose_name_plural = "thing that people do", "things that people do"

    def __str__(self) -> str:
        return self.name


class AttributeType(models.Model):
    """An attribute's name in the data catalogue."""

    class Of(models.TextChoices):
        PROFILE = "profile", "Person"
        ACCOUNT = "account", "Account"

    id = models.AutoField(primary_key=True)
    of = models.CharField(max_length=10, choices=Of)
    name = models.TextField()
    status = models.CharField(max_length=10, choices=EventType.Status, default=EventType.Status.NEW)
    description = models.TextField(blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    types = models.JSONField(default=list)
    samples = models.JSONField(default=list)
    volume = models.BigIntegerField(default=0, help_text="How many have it.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        verbose_name, verbose_name_plural = "thing that we know", "things that we know"
        constraints = [models.UniqueConstraint(fields=["of", "name"], name="one_attribute_a_name")]

    def __str__(self) -> str:
        return self.name


class Event(models.Model):
    """Something that a person did, at a moment. Partitioned by its month; only `profiles.ingest` adds to it.

    No foreign keys: rows are many, and a merge or an erasure moves or deletes them by name.
    """

    id = models.BigIntegerField(primary_key=True)  # unique by its sequence; there is no index on it
    message_id = models.TextField()
    profile = models.ForeignKey(Profile, db_constraint=False, db_index=False, on_delete=models.DO_NOTHING)
    type = models.ForeignKey(
        EventType, db_column="name_id", db_constraint=False, db_index=False, on_delete=models.DO_NOTHING
    )
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    properties = models.JSONField()

    class Meta:
        managed = False
        db_table = "profiles_event"


class EventDay(models.Model):
    """The rollup: how often a person did something on a day (UTC), and when first and last.

    Kept in the transaction that stores the events, so that counts and recency need no raw events but at the edges
    of a window.
    """

    pk = models.CompositePrimaryKey("profile_id", "type_id", "day")
    profile = models.ForeignKey(Profile, db_constraint=False, db_index=False, on_delete=models.DO_NOTHING)
    type = models.ForeignKey(
        EventType, db_column="name_id", db_constraint=False, db_index=False, on_delete=models.DO_NOTHING
    )
    day = models.DateField()
    n = models.IntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "profiles_eventday"


class Claim(models.Model):
    """A message id that was taken, as the first 16 bytes of its SHA-256; kept for at least 90 days."""

    id = models.UUIDField(primary_key=True)
    received_at = models.DateTimeField(db_index=True)


class Pulse(models.Model):
    """Word that a person must be looked at again: append-only, taken by deleting it (`profiles.pulses`).

    `events` are the ids of those that may trigger something, all within [`first_at`, `last_at`].
    """

    class Cause(models.TextChoices):
        EVENT = "event", "Something they did"
        ATTRIBUTE = "attribute", "A value that changed"
        TIME = "time", "Time that passed"
        MERGE = "merge", "A merge"
        HISTORY = "history", "Old or late data"

    id = models.BigAutoField(primary_key=True)
    profile_id = models.UUIDField()
    at = models.DateTimeField()
    cause = models.CharField(max_length=10, choices=Cause)
    names = ArrayField(models.IntegerField(), default=list, help_text="EventType ids of what was done.")
    attributes = ArrayField(models.TextField(), default=list, help_text="Names of the values that changed.")
    events = ArrayField(models.BigIntegerField(), default=list)
    first_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    crowd = models.BooleanField(db_default=False, help_text="Whether it came with many, and waits in their queue.")

    class Meta:
        indexes = [
            models.Index(fields=["profile_id"]),
            # Each queue from its beginning, however long the other one is.
            models.Index(fields=["crowd", "id"], name="pulses_by_queue"),
        ]


class RejectedEvent(models.Model):
    """A call that could not be taken, kept as it came so that it can be replayed after a fix."""

    id = models.BigAutoField(primary_key=True)
    received_at = models.DateTimeField(db_index=True)
    source = models.TextField(help_text="The key or the file it came by.")
    position = models.IntegerField(help_text="Its index in the batch, or its row.")
    type = models.TextField(blank=True)
    name = models.TextField(blank=True)
    reason = models.TextField()
    payload = models.TextField(
        help_text="JSON with every character beyond ASCII escaped, so that nothing is unstorable."
    )
    replayed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = "refused call", "refused calls"
        indexes = [
            models.Index(fields=["replayed_at"], condition=models.Q(replayed_at__isnull=False), name="refused_replayed")
        ]


class ImportJob(models.Model):
    """An import of a file: how far it is, and what became of it. The same file goes on where it stopped."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=10, help_text="events or profiles")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the file.")
    path = models.TextField()
    mapping = models.JSONField(default=dict, help_text="Names of the file to names of today, as the import was asked.")
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    rows = models.BigIntegerField(default=0, help_text="Rows dealt with so far; the import goes on behind them.")
    stored = models.BigIntegerField(default=0)
    repeated = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    reasons = models.JSONField(default=dict, help_text="Reason to number of rows.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "import"
        constraints = [models.UniqueConstraint(fields=["kind", "digest"], name="one_import_a_file")]


class Endpoint(models.Model):
    """An address of yours that is told what happens here. Only `profiles.endpoints` writes it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    url = models.TextField()
    description = models.CharField(max_length=200, blank=True)
    kinds = ArrayField(models.CharField(max_length=50), default=list, help_text="What it is told; empty: all.")
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "webhook"

    def __str__(self) -> str:
        return self.description or self.url


class Delivery(models.Model):
    """Something that an endpoint is told, until it took it. Only `profiles.telling` writes it."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DONE = "done", "Taken"
        FAILED = "failed", "Given up"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="deliveries")
    kind = models.CharField(max_length=50)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    reason = models.TextField(blank=True, help_text="What was answered last, in a sentence.")
    at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="waiting", due_at__isnull=False, ended_at=None)
                | (~models.Q(state="waiting") & models.Q(due_at=None, ended_at__isnull=False)),
                name="delivery_waits_or_has_ended",
            )
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(state="waiting"), name="deliveries_due"),
            models.Index(fields=["ended_at"], name="deliveries_by_age"),
            models.Index(fields=["-at"], name="deliveries_newest_first"),
        ]
