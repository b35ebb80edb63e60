"""Segments, their versions, who is in them, and who came and went."""

from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Coalesce

from profiles.models import Profile


class Sized(models.Manager["Segment"]):
    """Segments with their sizes of this very moment."""

    def get_queryset(self) -> models.QuerySet["Segment"]:
        come_and_gone = SizeChange.objects.filter(segment_id=models.OuterRef("pk")).values("segment_id")
        since = come_and_gone.annotate(total=models.Sum("n")).values("total")
        return (
            super()
            .get_queryset()
            .annotate(  # type: ignore[no-redef]
                size=models.F("counted") + Coalesce(models.Subquery(since), 0)
            )
        )


class Segment(models.Model):
    """A group of people, described by what they do, with what is known and hoped of them."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        LIVE = "live", "Live"
        ARCHIVED = "archived", "Archived"

    class Kind(models.TextChoices):
        DYNAMIC = "dynamic", "Follows its definition"
        STATIC = "static", "Filled by hand"

    slug = models.SlugField(unique=True, max_length=100)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    family = models.SlugField(blank=True, help_text="The ordered, exclusive set it belongs to, such as lifecycle.")
    position = models.PositiveIntegerField(default=0, help_text="Its place in the family.")
    hypothesis = models.TextField(blank=True)
    needs = models.TextField(blank=True)
    preferred_channels = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    success_metric = models.TextField(blank=True)
    marketing = models.BooleanField(
        default=True,
        db_default=True,
        help_text="Whether it serves marketing, so that who objects to that is not in it.",
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.DYNAMIC)
    definition = models.JSONField(default=dict)
    version = models.ForeignKey("SegmentVersion", null=True, on_delete=models.PROTECT, related_name="+")
    counted = models.IntegerField(default=0, help_text="Its size, without the changes that still stand by themselves.")
    refreshed_at = models.DateTimeField(null=True)
    swept_at = models.DateTimeField(null=True)
    unforeseen_since = models.DateTimeField(
        null=True, help_text="As of when everybody was asked, while it is not known yet when that changes with time."
    )
    flagged = models.TextField(blank=True, help_text="What is wrong with it, for people; empty: nothing.")
    created_at = models.DateTimeField()

    objects = Sized()

    def __str__(self) -> str:
        return self.name

    @property
    def size(self) -> int:
        """How many are in it: as of when it was read by `objects`, else as of now."""
        if "size" not in self.__dict__:
            since = SizeChange.objects.filter(segment_id=self.pk).aggregate(total=models.Sum("n"))["total"]
            return self.counted + int(since or 0)
        return int(self.__dict__["size"])

    @size.setter
    def size(self, size: int) -> None:
        self.__dict__["size"] = size

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        self.__dict__.pop("size", None)
        super().refresh_from_db(*args, **kwargs)


class SizeChange(models.Model):
    """How many more, or fewer, are in a segment since: written by the database itself with each change of members.

    So whoever changes members never waits for the segment's row; the sweep adds these up (`fold`).
    """

    id = models.BigAutoField(primary_key=True)
    segment_id = models.BigIntegerField(db_index=True)  # no foreign key: what is deleted with a segment is counted too
    n = models.IntegerField()


class SegmentVersion(models.Model):
    """A definition as it was saved, by whom and why. Never changed."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    sentence = models.TextField()
    author = models.CharField(max_length=150)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["segment", "number"], name="one_segment_version_a_number")]


class Learning(models.Model):
    """What somebody who works here learnt about a segment, noted for the others. Never changed."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="learnings")
    text = models.TextField()
    author = models.CharField(max_length=150)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["segment", "-created_at"], name="learnings_newest_first")]


class Cause(models.TextChoices):
    EVENT = "event", "Something they did"
    ATTRIBUTE = "attribute", "A value that changed"
    TIME = "time", "Time that passed"
    DEFINITION = "definition", "A new definition"
    BUILD = "build", "The first build"
    HISTORY = "history", "Old or late data"
    MERGE = "merge", "A merge"
    HAND = "hand", "By hand"
    LIMIT = "limit", "What they asked for about their data"


class Membership(models.Model):
    """Who is in a segment now. Only `segments.membership` writes it.

    Builds write hundreds of thousands: nothing is indexed that another index serves, and a version, which is that of
    the segment held and is never deleted, is not looked up once more for each.
    """

    id = models.BigAutoField(primary_key=True)
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="memberships", db_index=False)
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="memberships")
    entered_at = models.DateTimeField()
    cause = models.CharField(max_length=12, choices=Cause)
    version = models.ForeignKey(
        SegmentVersion, null=True, on_delete=models.PROTECT, db_index=False, db_constraint=False
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["segment", "profile"], name="one_membership_a_person")]


class MembershipChange(models.Model):
    """Who came and went, when, why and by which definition. Lean as memberships are."""

    id = models.BigAutoField(primary_key=True)
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="changes", db_index=False)
    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="+", db_index=False)
    entered = models.BooleanField(help_text="True: came; false: went.")
    at = models.DateTimeField()
    cause = models.CharField(max_length=12, choices=Cause)
    version = models.ForeignKey(
        SegmentVersion, null=True, on_delete=models.PROTECT, db_index=False, db_constraint=False
    )

    class Meta:
        indexes = [models.Index(fields=["segment", "at"]), models.Index(fields=["profile", "at"])]


class Watch(models.Model):
    """Somebody of whom the segments have been asked: as of when, and when they must be asked again for time alone.

    Of who has no row, or is to be asked `anew`, everything is asked, whatever brought them.
    """

    profile_id = models.UUIDField(primary_key=True)  # no foreign key: an erasure deletes it by name
    next_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True, help_text="No answer is ever asked as of before it.")
    anew = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = [
            # The sweep asks only for those whose time has come.
            models.Index(fields=["next_at"], condition=models.Q(next_at__isnull=False), name="segments_watch_due")
        ]


class Late(models.Model):
    """Word that a person must be asked again for one segment, taken by deleting it (`segments.membership`).

    Left by a refresh that met a build of the segment (`segment` None: some segment was being made live), and by whoever
    finds that a membership no longer fits. With `entered` the change is written, and only journeys must hear of it.
    """

    id = models.BigAutoField(primary_key=True)
    segment = models.ForeignKey(Segment, null=True, on_delete=models.CASCADE, related_name="+")
    profile_id = models.UUIDField()
    cause = models.CharField(max_length=12, choices=Cause)
    entered = models.BooleanField(null=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["profile_id"])]
