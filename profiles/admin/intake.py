"""What could not be taken as it came: refused data, two people who may be one, merges, and imports."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import CharField, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from foundation import clock, wording
from foundation.admin import ReadOnlyAdmin, page_of
from foundation.errors import Conflict
from foundation.pages import Facts, Head, Part, Table, Verb
from profiles import merging, rejected
from profiles.admin.filters import one_of, whether
from profiles.calls import Kind
from profiles.models import IdentityConflict, ImportJob, Merge, Profile, RejectedEvent


@admin.register(RejectedEvent)
class RejectedEventAdmin(ReadOnlyAdmin):
    empty = (
        "Data that cannot be taken is kept here with the reason, so that nothing is lost without a word. All is well."
    )
    list_display = ("why", "what", "source_", "when", "state")
    list_filter = (
        one_of("type", "kind of call", [(kind.value, kind.value.capitalize()) for kind in Kind]),
        whether("replayed_at", "state", filled="Taken later", empty="Refused"),
        ("received_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    ordering = ("-received_at",)

    @display(description="Why it was refused")
    def why(self, row: RejectedEvent) -> SafeString:
        return wording.wide(row.reason)

    @display(description="What it was")
    def what(self, row: RejectedEvent) -> SafeString:
        said = " ".join(part for part in (row.type, row.name) if part)
        return format_html("<bdi>{}</bdi>", wording.shortened(said, 60) or "unreadable")

    @display(description="Came by")
    def source_(self, row: RejectedEvent) -> SafeString:
        return format_html("<bdi>{}</bdi>", wording.shortened(row.source, 60))

    @display(description="When", ordering="received_at")
    def when(self, row: RejectedEvent) -> SafeString:
        return wording.moment(row.received_at)

    @display(description="State")
    def state(self, row: RejectedEvent) -> SafeString:
        return wording.badge("Taken later", "good") if row.replayed_at else wording.badge("Refused", "bad")

    def head(self, request: HttpRequest, row: RejectedEvent) -> Head:
        return Head("Refused data", row.reason, [self.state(row)])

    def parts(self, request: HttpRequest, row: RejectedEvent) -> Sequence[Part]:
        return [
            Facts(title="What was sent", rows=_payload(row.payload), empty="Nothing readable was sent."),
            Facts(
                title="How it came",
                aside=True,
                rows=[
                    ("Arrived", wording.moment(row.received_at)),
                    ("By", row.source),
                    ("Kind of call", row.type),
                    ("Event", row.name),
                    ("Its place", f"number {wording.amount(row.position + 1)} in its batch or file"),
                    ("Taken later", wording.moment(row.replayed_at, "") if row.replayed_at else ""),
                ],
            ),
        ]

    def verbs(self, request: HttpRequest, row: RejectedEvent) -> Sequence[Verb]:
        if row.replayed_at or not request.user.has_perm("profiles.change_rejectedevent"):
            return []
        question = f"Up to {_AT_ONCE} calls that were refused for this reason are tried again, the newest first. Go on?"
        return [Verb("again", "Try again"), Verb("all", "Try all with this reason", question)]

    def act(self, request: HttpRequest, row: RejectedEvent, verb: str) -> str:
        ids = [row.pk]
        if verb == "all":
            alike = RejectedEvent.objects.filter(reason=row.reason, replayed_at=None).order_by("-received_at")
            ids = list(alike.values_list("pk", flat=True)[:_AT_ONCE])
        outcome = rejected.replay(ids, now=clock.now())
        if not outcome.taken:
            raise Conflict(f"It is refused again: {next(iter(outcome.refused.values()), 'it was taken meanwhile')}")
        again = f" {wording.plural(len(outcome.refused), 'is', 'are')} refused again." if outcome.refused else ""
        return f"{wording.plural(outcome.taken, 'call is', 'calls are')} taken.{again}"


_AT_ONCE = 500


def _payload(text: str) -> list[tuple[str, object]]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    if isinstance(value, dict):
        return [(name, wording.readable(part)) for name, part in value.items()]
    return [("It", wording.readable(value))]


@admin.register(IdentityConflict)
class IdentityConflictAdmin(ReadOnlyAdmin):
    empty = "When data says that two people whom you know are one, they are not merged but listed here. There are none."
    list_display = ("pair", "why", "when", "state")
    list_filter = (whether("resolved_at", "state", filled="Settled", empty="Open"),)
    list_select_related = ("first", "second")
    ordering = ("-seen_at",)

    @display(description="Who")
    def pair(self, row: IdentityConflict) -> SafeString:
        return wording.wide(_pair(row))

    @display(description="What happened")
    def why(self, row: IdentityConflict) -> SafeString:
        return wording.wide(row.reason)

    @display(description="When", ordering="seen_at")
    def when(self, row: IdentityConflict) -> SafeString:
        return wording.moment(row.seen_at)

    @display(description="State")
    def state(self, row: IdentityConflict) -> SafeString:
        return wording.badge("Settled", "good") if row.resolved_at else wording.badge("Open", "warn")

    def head(self, request: HttpRequest, row: IdentityConflict) -> Head:
        return Head(_pair(row), row.reason, [self.state(row)])

    def parts(self, request: HttpRequest, row: IdentityConflict) -> Sequence[Part]:
        links = request.user.has_perm("profiles.view_profile")
        two = [row.first] if row.first_id == row.second_id else [row.first, row.second]
        return [
            Table(
                title="Who they are now" if len(two) == 1 else "The two, side by side",
                headers=["What", "They"] if len(two) == 1 else ["What", "The first", "The second"],
                rows=[
                    ("Person", *(wording.link(one, page_of(one)) if links else str(one) for one in two)),
                    *((label, *(tell(one) for one in two)) for label, tell in _SIDES),
                ],
                empty="",
            ),
            Facts(
                title="The conflict",
                aside=True,
                rows=[
                    ("Seen", wording.moment(row.seen_at)),
                    ("Settled", wording.moment(row.resolved_at, "") if row.resolved_at else ""),
                    ("How", row.resolution),
                ],
            ),
        ]

    def verbs(self, request: HttpRequest, row: IdentityConflict) -> Sequence[Verb]:
        if row.resolved_at or not request.user.has_perm("profiles.change_identityconflict"):
            return []
        older = min((row.first, row.second), key=lambda one: (one.first_seen_at, one.id))
        question = f"The two become one, which lives on as {older}. It can be taken back for 30 days. Merge them?"
        return [Verb("merge", "Merge them", question), Verb("apart", "Keep them apart")]

    def act(self, request: HttpRequest, row: IdentityConflict, verb: str) -> str:
        merging.resolve(row, merge=verb == "merge", now=clock.now())
        return "The two are one person now." if verb == "merge" else "The two stay apart, and are not listed again."

    def get_queryset(self, request: HttpRequest) -> QuerySet[IdentityConflict]:
        return super().get_queryset(request).select_related("first__account", "second__account")


def _pair(row: IdentityConflict) -> str:
    return f"{row.first}, who was two" if row.first_id == row.second_id else f"{row.first} and {row.second}"


_SIDES: tuple[tuple[str, Any], ...] = (
    ("Your id", lambda one: one.external_id or wording.quiet("none")),
    ("Email", lambda one: one.email or wording.quiet("unknown")),
    ("Company", lambda one: str(one.account) if one.account else wording.quiet("unknown")),
    ("First seen", lambda one: wording.moment(one.first_seen_at)),
    ("Last seen", lambda one: wording.moment(one.last_seen_at)),
    ("What we know", lambda one: wording.readable(one.attributes)),
)


@admin.register(Merge)
class MergeAdmin(ReadOnlyAdmin):
    empty = "When somebody whom we did not know signs in, the two profiles become one, and it is written down here."
    list_display = ("who", "why", "when", "undo_")
    ordering = ("-at",)

    @display(description="Lives on as")
    def who(self, row: Any) -> SafeString:
        return wording.wide(_survivor(row) or "Somebody who is gone since")

    @display(description="Why")
    def why(self, row: Merge) -> SafeString:
        return wording.wide(row.reason)

    @display(description="When", ordering="at")
    def when(self, row: Merge) -> SafeString:
        return wording.moment(row.at)

    @display(description="Can be taken back")
    def undo_(self, row: Any) -> str:
        return "Yes" if _is_undoable(row) else "No longer"

    def head(self, request: HttpRequest, row: Any) -> Head:
        return Head("Two profiles became one", row.reason)

    def parts(self, request: HttpRequest, row: Any) -> Sequence[Part]:
        survivor = Profile.objects.filter(pk=row.survivor_id).first()
        lives_on = wording.quiet("somebody who has since been merged into another, or erased")
        if survivor:
            links = request.user.has_perm("profiles.view_profile")
            lives_on = wording.link(survivor, page_of(survivor)) if links else wording.wide(survivor)
        return [
            Facts(
                title="The merge",
                rows=[
                    ("Lives on as", lives_on),
                    ("When", wording.moment(row.at)),
                    ("Can be taken back", self._until(row)),
                ],
            ),
            *_absorbed(row),
        ]

    def _until(self, row: Any) -> str | SafeString:
        return wording.moment(row.at + merging.UNDO_FOR) if _is_undoable(row) else "No longer"

    def verbs(self, request: HttpRequest, row: Any) -> Sequence[Verb]:
        if not _is_undoable(row) or not request.user.has_perm("profiles.change_merge"):
            return []
        question = "The two are parted again. What has arrived since stays with the one who lived on. Take it back?"
        return [Verb("undo", "Take it back", question, True)]

    def act(self, request: HttpRequest, row: Merge, verb: str) -> str:
        restored = merging.undo(row, now=clock.now())
        return f"They are two again: {restored} is back."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        survivor = Profile.objects.filter(pk=OuterRef("survivor_id"))
        names = {f"survivor_{field}": Subquery(survivor.values(field), output_field=CharField()) for field in _NAMING}
        kept = Q(undo__isnull=False)
        return super().get_queryset(request).defer("undo").annotate(kept=kept, **names)


_NAMING = ("first_name", "last_name", "email", "external_id")


def _survivor(row: Any) -> str:
    """The survivor's name, from what the list brought along; "" if there is nobody."""
    named = {field: getattr(row, f"survivor_{field}") for field in _NAMING}
    return str(Profile(**named)) if any(named.values()) else ""


def _is_undoable(row: Any) -> bool:
    return bool(row.kept) and row.at >= wording.now() - merging.UNDO_FOR


def _absorbed(row: Merge) -> list[Part]:
    """What is kept of the one who became part of the other."""
    if row.undo is None:
        return []
    kept = row.undo
    known = {**kept["row"]["attributes"], **{name: kept["row"][name] for name in Profile.COLUMNS}}
    return [
        Facts(
            title="Who became part of them",
            note="Kept for 30 days, so that the merge can be taken back.",
            rows=[
                *(
                    (wording.spoken(name), wording.readable(value))
                    for name, value in known.items()
                    if value is not None
                ),
                ("Events", wording.amount(len(kept["events"]))),
                ("First seen", wording.moment(datetime.fromisoformat(kept["row"]["first_seen_at"]))),
            ],
        )
    ]


@admin.register(ImportJob)
class ImportJobAdmin(ReadOnlyAdmin):
    empty = (
        "Files brought in with `manage.py import_events` or `import_profiles` are listed here, with how far they are."
    )
    list_display = ("file", "kind_", "rows_", "stored_", "refused_", "when", "state_")
    list_filter = (("state", ChoicesDropdownFilter),)
    ordering = ("-started_at",)

    @display(description="File")
    def file(self, job: ImportJob) -> SafeString:
        return wording.wide(job.path.rsplit("/", 1)[-1])

    @display(description="Holds", ordering="kind")
    def kind_(self, job: ImportJob) -> str:
        return "people" if job.kind == "profiles" else job.kind

    @display(description="Rows read")
    def rows_(self, job: ImportJob) -> str:
        return wording.amount(job.rows)

    @display(description="Stored")
    def stored_(self, job: ImportJob) -> str:
        return wording.amount(job.stored)

    @display(description="Refused")
    def refused_(self, job: ImportJob) -> str:
        return wording.amount(job.refused)

    @display(description="Begun", ordering="started_at")
    def when(self, job: ImportJob) -> SafeString:
        return wording.moment(job.started_at)

    @display(description="State", ordering="state")
    def state_(self, job: ImportJob) -> SafeString:
        tones: dict[str, wording.Tone] = {"running": "calm", "done": "good", "cancelled": "warn"}
        return wording.badge(job.get_state_display(), tones[job.state])

    def head(self, request: HttpRequest, row: ImportJob) -> Head:
        lead = (
            f"{wording.plural(row.rows, 'row')} read: {wording.amount(row.stored)} stored,"
            f" {wording.amount(row.repeated)} had come before, {wording.amount(row.refused)} refused."
        )
        if row.state != ImportJob.State.DONE:
            lead += " If nothing is at work on it, the same command goes on from there."
        return Head(row.path.rsplit("/", 1)[-1], lead, [self.state_(row)])

    def parts(self, request: HttpRequest, row: ImportJob) -> Sequence[Part]:
        reasons = sorted(row.reasons.items(), key=lambda found: -found[1])
        return [
            Table(
                title="Why rows were refused",
                headers=["Reason", "Rows"],
                rows=[(reason, wording.amount(n)) for reason, n in reasons[:50]],
                empty="No row was refused.",
            ),
            Facts(
                title="The import",
                aside=True,
                rows=[
                    ("Begun", wording.moment(row.started_at)),
                    ("Ended", wording.moment(row.finished_at, "not yet")),
                    ("File", row.path),
                    ("Names changed", ", ".join(f"{old} to {new}" for old, new in row.mapping.items())),
                ],
            ),
        ]
