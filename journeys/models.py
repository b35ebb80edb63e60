"""Journeys, their versions, the people in them, and why each of them moved."""

import uuid
from collections.abc import Collection

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from foundation.sql import statements
from profiles.models import Profile
from staff.models import Team


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
    paused_at = models.DateTimeField(null=True, blank=True, help_text="Since when it is paused.")
    paused_because = models.TextField(blank=True, help_text="Why it paused itself, in a sentence.")
    watched_since = models.DateTimeField(
        null=True, blank=True, help_text="Messages before it do not count against it: when it was published or resumed."
    )
    swept_up_to = models.UUIDField(null=True, blank=True, help_text="The last enrollment asked about time alone.")
    entering_after = models.DateTimeField(
        null=True, blank=True, help_text="Those in the trigger's segment since before this moment are being entered."
    )
    entered_up_to = models.UUIDField(null=True, blank=True, help_text="How far that is: the last person looked at.")
    queues_entries = models.BooleanField(
        default=False, db_default=False, help_text="Whether who comes while it is paused enters after it."
    )
    carrying = models.JSONField(
        null=True, help_text="What becomes of those on the way, of whom not all are where a new version wants them."
    )

    class Meta:
        permissions = [("publish_journey", "Can publish, pause, resume and stop journeys")]

    def __str__(self) -> str:
        return self.name


class JourneyVersion(models.Model):
    """A document. One draft at most; a published one is frozen by the database."""

    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    program = models.JSONField(null=True, help_text="The flat program: step key to step, next and arms.")
    author = models.CharField(max_length=150)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["journey", "number"], name="one_journey_version_a_number"),
            models.UniqueConstraint(fields=["journey"], condition=Q(published_at=None), name="one_draft_a_journey"),
        ]

    def __str__(self) -> str:
        return f"Version {self.number}"


class EnrollmentState(models.TextChoices):
    ACTIVE = "active", "On the way"
    COMPLETED = "completed", "Completed"
    EXITED = "exited", "Left"
    FAILED = "failed", "Failed"


class Ending(models.TextChoices):
    """What ended an enrollment. What the journey itself led to leaves its messages alone; the others call them off."""

    COURSE = "course", "Came to the end"
    STEP = "step", "An exit step"
    GOAL = "goal", "Reached the goal"
    EXIT = "exit", "The exit condition"
    STOPPED = "stopped", "The journey was stopped"
    MERGED = "merged", "A merge of two people"
    STAFF = "staff", "Taken off by staff"
    ERROR = "error", "An error"


CALLED_OFF = (Ending.GOAL, Ending.EXIT, Ending.STOPPED, Ending.MERGED, Ending.STAFF)


class Enrollment(models.Model):
    """A person on a journey. Only the engine writes it.

    An active one always has a due time: when it goes on by itself. What it waits for meanwhile stands in `awaits`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="enrollments", db_index=False)
    version = models.ForeignKey(JourneyVersion, on_delete=models.PROTECT, related_name="enrollments", db_index=False)
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="enrollments")
    step = models.CharField(max_length=100, help_text="Key of the step they stand at.")
    state = models.CharField(max_length=10, choices=EnrollmentState, default=EnrollmentState.ACTIVE)
    due_at = models.DateTimeField(null=True, blank=True)
    awaits = ArrayField(
        models.TextField(), default=list, help_text="Names of the events that wake it before it is due."
    )
    entered_at = models.DateTimeField()
    step_entered_at = models.DateTimeField()
    entry_key = models.CharField(max_length=300, help_text="What makes an entry the same entry.")
    exclusive = models.BooleanField(default=True, help_text="Whether the rule allows one active enrollment a person.")
    context = models.JSONField(default=dict)
    passed = ArrayField(
        models.CharField(max_length=100), default=list, help_text="Steps passed before it followed to a new version."
    )
    reason = models.TextField(blank=True, help_text="Why it ended, in a sentence.")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=10, choices=Ending, blank=True)
    converted_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["journey", "profile", "entry_key"], name="an_entry_happens_once"),
            models.UniqueConstraint(
                fields=["journey", "profile"], condition=Q(state="active", exclusive=True), name="one_active_enrollment"
            ),
            models.CheckConstraint(
                condition=Q(state="active", due_at__isnull=False, ended_at=None, ended_by="")
                | Q(~Q(state="active"), ~Q(ended_by=""), due_at=None, ended_at__isnull=False, awaits=[]),
                name="active_enrollments_are_due_and_ended_ones_say_why",
            ),
        ]
        indexes = [
            # By journey first: the engine takes a share of each, and those of a paused one are not walked over.
            models.Index(fields=["journey", "due_at"], condition=Q(state="active"), name="enrollments_due"),
            models.Index(fields=["version", "step"], condition=Q(state="active"), name="enrollments_at_a_step"),
        ]

    def __str__(self) -> str:
        return f"{self.profile} on {self.journey}"


class Transition(models.Model):
    """A step that somebody took: when, which arm, and why. Nothing changes one."""

    class Answer(models.TextChoices):
        ENTERED = "entered", "Entered"
        WAIT = "wait", "Waits"
        ADVANCE = "advance", "Went on"
        LEAVE = "leave", "Left"
        ENDED = "ended", "Was taken off"
        RETRY = "retry", "Will be tried again"
        FAILED = "failed", "Failed"
        FOLLOW = "follow", "Followed to a new version"
        MOVED = "moved", "Was put here"

    id = models.BigAutoField(primary_key=True)
    # No constraints: who writes a line holds the enrollment, and who deletes that takes hold of it first.
    enrollment = models.ForeignKey(
        Enrollment, on_delete=models.CASCADE, related_name="transitions", db_index=False, db_constraint=False
    )
    version = models.ForeignKey(JourneyVersion, on_delete=models.PROTECT, db_index=False, db_constraint=False)
    step = models.CharField(max_length=100)
    kind = models.CharField(max_length=20)
    answer = models.CharField(max_length=12, choices=Answer)
    arm = models.CharField(max_length=100, blank=True)
    at = models.DateTimeField()
    reason = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["enrollment", "id"], name="transitions_of_an_enrollment")]


class Refusal(models.Model):
    """Somebody who did not enter: why, when last, and how often. One row a cause, or every event would add one."""

    class Cause(models.TextChoices):
        TOOK_PART = "took_part", "Took part already"
        ON_THE_WAY = "on_the_way", "Is on the way"
        TOO_SOON = "too_soon", "Took part too recently"
        SAME_KEY = "same_key", "Entered for the same thing"
        NO_KEY = "no_key", "The event lacks the key"
        FILTER = "filter", "The filter was not met"
        PAUSED = "paused", "The journey was paused"
        NOT_LIVE = "not_live", "The journey was not live"

    id = models.BigAutoField(primary_key=True)
    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="refusals", db_index=False)
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="+", db_index=False)
    cause = models.CharField(max_length=12, choices=Cause)
    at = models.DateTimeField()
    entry_key = models.CharField(max_length=300)
    times = models.PositiveIntegerField(default=1)
    reason = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["journey", "at"]), models.Index(fields=["profile", "at"])]
        constraints = [models.UniqueConstraint(fields=["journey", "profile", "cause"], name="one_refusal_a_cause")]


class Assignment(models.Model):
    """The arm of a split that was drawn for somebody: kept, so that no change of weights moves them."""

    id = models.BigAutoField(primary_key=True)
    journey = models.SlugField(max_length=100, db_index=False, help_text="Slug of the journey.")
    step = models.CharField(max_length=100)
    profile = models.ForeignKey(
        Profile, null=True, on_delete=models.CASCADE, related_name="+", help_text="Nobody: they were erased, and count."
    )
    arm = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["journey", "step", "profile"], name="one_assignment_a_person")]

    @classmethod
    def of(cls, journey: str, step: str, profile_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
        """The arms of these people at a split, of those who have one."""
        params = {"journey": journey, "step": step, "profiles": list(profile_ids)}
        return dict(statements("journeys", "engine").rows("assigned", params))


class Task(models.Model):
    """Work for a team, which a journey gave, or a message that went to it. Only `journeys.work` writes it."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"
        EXPIRED = "expired", "Nobody did it in time"
        CALLED_OFF = "called_off", "Called off"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    enrollment = models.ForeignKey(
        Enrollment, null=True, on_delete=models.CASCADE, related_name="tasks", db_index=False
    )
    message = models.UUIDField(null=True, unique=True, editable=False, help_text="The message that it came as.")
    step = models.CharField(max_length=100)
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="+")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+", db_index=False)
    title = models.CharField(max_length=500)
    details = models.TextField(blank=True, db_default="", help_text="What is to be known beside.")
    outcomes = models.JSONField(default=list, help_text="What may come of it: a list of key and label.")
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    outcome = models.CharField(max_length=100, blank=True)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["enrollment", "step"], name="one_task_a_step"),
            models.CheckConstraint(
                condition=Q(state="open", ended_at=None) | (~Q(state="open") & Q(ended_at__isnull=False)),
                name="tasks_that_are_over_say_when",
            ),
            models.CheckConstraint(
                condition=Q(enrollment__isnull=False) | Q(message__isnull=False), name="tasks_come_from_somewhere"
            ),
        ]
        indexes = [models.Index(fields=["team", "state", "created_at"], name="tasks_of_a_team")]

    def __str__(self) -> str:
        return self.title

    @property
    def outcome_label(self) -> str:
        """The outcome for people; "Done" where there are none to choose from."""
        return next((str(one["label"]) for one in self.outcomes if one["key"] == self.outcome), "Done")


class Round(models.Model):
    """A trigger of a live journey that time alone pulls: when next, and how far the work of now has come."""

    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="rounds")
    trigger = models.JSONField(help_text="As the document has it.")
    since = models.DateTimeField(help_text="Dates that lie before it let nobody enter.")
    next_at = models.DateTimeField(null=True, help_text="When it is to be looked at next.")
    moment = models.DateTimeField(null=True, help_text="The moment for which people are being entered.")
    up_to = models.UUIDField(null=True, help_text="How far that, or the planning, is: the last person looked at.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["journey", "trigger"], name="one_round_a_trigger")]
        indexes = [models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="rounds_due")]


class Appointment(models.Model):
    """When somebody is to enter a journey by a date of theirs."""

    id = models.BigAutoField(primary_key=True)
    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="appointments", db_index=False)
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["round", "profile"], name="one_appointment_a_person")]


class QueuedEntry(models.Model):
    """Somebody who came while a journey was paused, and enters when it is resumed, if they may then."""

    id = models.BigAutoField(primary_key=True)
    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="queued", db_index=False)
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=300, help_text="What makes an entry the same entry.")
    at = models.DateTimeField(help_text="When that happened which lets them in.")
    due_at = models.DateTimeField(null=True, help_text="When they enter, once the journey was resumed.")
    reason = models.TextField()
    context = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["journey", "profile", "key"], name="an_entry_waits_once")]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="entries_due")]


class Call(models.Model):
    """A webhook of a step: what is to be sent, and what became of it. Only `journeys.calling` writes it.

    Several enrollments may share one by a key; all but the first name it in `same_as`, and get what it gets.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Waits to be sent"
        CALLING = "calling", "Is being sent"
        DONE = "done", "Was taken"
        REFUSED = "refused", "Was not taken"
        EXPIRED = "expired", "Was not taken in time"
        CALLED_OFF = "called_off", "Called off"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="calls", db_index=False)
    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="+", db_index=False)
    step = models.CharField(max_length=100)
    key = models.CharField(max_length=300, blank=True, help_text="What makes calls of several people the same.")
    same_as = models.UUIDField(null=True)
    url = models.CharField(max_length=2_000)
    host = models.CharField(max_length=300)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0, help_text="Rises with each claim: only the last one may write.")
    leased_until = models.DateTimeField(null=True, help_text="Until when its worker has it, in real time.")
    due_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True, help_text="What was answered last.")
    answer = models.JSONField(default=dict, help_text="What the answer said, of what is short and flat.")
    reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["enrollment", "step"], name="one_call_a_step"),
            models.UniqueConstraint(
                fields=["journey", "step", "key"],
                condition=Q(same_as=None, state__in=["queued", "calling", "done"]) & ~Q(key=""),
                name="one_call_a_key",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "calling"], ended_at=None, due_at__isnull=False)
                | (~Q(state__in=["queued", "calling"]) & Q(ended_at__isnull=False, due_at=None)),
                name="calls_under_way_are_due",
            ),
        ]
        indexes = [
            models.Index(fields=["host", "due_at"], condition=Q(state="queued"), name="calls_due"),
            models.Index(fields=["leased_until"], condition=Q(state="calling"), name="calls_under_way"),
            models.Index(fields=["same_as"], condition=Q(same_as__isnull=False), name="calls_that_share"),
        ]


class Tally(models.Model):
    """Counts of journeys, as they come and summed up. Triggers of the database write it, `journeys.numbers` reads it.

    By the version, and by the day (UTC) on which the people entered who are counted.
    """

    id = models.BigAutoField(primary_key=True)
    journey_id = models.BigIntegerField()
    version_id = models.BigIntegerField()
    day = models.DateField()
    step = models.CharField(max_length=100, help_text="Empty where the whole journey is meant.")
    arm = models.CharField(max_length=100)
    what = models.CharField(max_length=12)
    n = models.BigIntegerField()
    settled = models.BooleanField(help_text="Whether it is the sum, or on its way there.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["journey_id", "version_id", "day", "step", "arm", "what"],
                condition=Q(settled=True),
                include=["n"],
                name="one_sum_a_count",
            )
        ]
        indexes = [models.Index(fields=["journey_id"], condition=Q(settled=False), name="counts_on_their_way")]


class Bygone(models.Model):
    """What those who were erased count for, under the names of `Tally`: numbers stay, and nobody is named."""

    id = models.BigAutoField(primary_key=True)
    journey_id = models.BigIntegerField()
    version_id = models.BigIntegerField()
    day = models.DateField()
    step = models.CharField(max_length=100)
    arm = models.CharField(max_length=100)
    what = models.CharField(max_length=12)
    n = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["journey_id", "version_id", "day", "step", "arm", "what"], name="one_sum_of_the_erased"
            )
        ]


class Attempt(models.Model):
    """People whom a worker has in hand, so that a dead one leaves word of whom it had. See `journeys.attempts`."""

    class Kind(models.TextChoices):
        ADVANCE = "advance", "Moves people on"
        REACT = "react", "Looks at what is new"

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=10, choices=Kind)
    enrollments = ArrayField(models.UUIDField(), default=list)
    tried = models.BooleanField(default=True, help_text="Whether it was begun since it was split off.")
    times = models.PositiveSmallIntegerField(default=1)
    at = models.DateTimeField()


class Revision(models.Model):
    """The draft as it was at some moment while it was drawn: undo, redo and merging go by these. The newest stay."""

    class Kind(models.TextChoices):
        FOUND = "found", "As it was found"  # begun, published or changed by something other than the editor
        EDIT = "edit", "Edited"
        UNDO = "undo", "Taken back"
        REDO = "redo", "Done again"

    id = models.BigAutoField(primary_key=True)
    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="revisions", db_index=False)
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=5, choices=Kind, default=Kind.EDIT)
    document = models.JSONField()
    author = models.CharField(max_length=150)
    at = models.DateTimeField()
    what = models.TextField(help_text="What was done, in a sentence.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["journey", "number"], name="one_revision_a_number")]

    def __str__(self) -> str:
        return f"{self.number}: {self.what}"


class Presence(models.Model):
    """Who has a journey open in the editor: when last heard of, and at which step."""

    id = models.BigAutoField(primary_key=True)
    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="+", db_index=False)
    who = models.CharField(max_length=150)
    step = models.CharField(max_length=100, blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["journey", "who"], name="one_presence_a_journey")]


from journeys.testing import models as _testing  # noqa: E402, F401
