"""The list of tasks: what there is to do, for whom and by when, with the outcomes as buttons."""

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from foundation import wording
from foundation.admin import ReadOnlyAdmin, page_of
from foundation.pages import Facts, Head, Part, Verb
from journeys import work
from journeys.models import Task

_STATE: dict[str, wording.Tone] = {"open": "calm", "done": "good", "expired": "warn", "called_off": "plain"}
_OUTCOME = "outcome-"


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin):
    empty = "Tasks appear here as soon as a journey, or a message to a team, gives one."
    list_display = ("what", "person", "team_", "due", "state_")
    list_filter = (("state", ChoicesDropdownFilter), ("team", RelatedDropdownFilter))
    list_select_related = ("profile", "team")
    ordering = ("-created_at",)

    @display(description="What to do")
    def what(self, row: Task) -> SafeString:
        return wording.wide(row.title)

    @display(description="Person")
    def person(self, row: Task) -> SafeString:
        return wording.wide(row.profile)

    @display(description="Team")
    def team_(self, row: Task) -> str:
        return str(row.team)

    @display(description="Due", ordering="due_at")
    def due(self, row: Task) -> SafeString:
        return wording.moment(row.due_at) if row.due_at else wording.quiet("")

    @display(description="State", ordering="state")
    def state_(self, row: Task) -> SafeString:
        return _state(row)

    def head(self, request: HttpRequest, row: Task) -> Head:
        return Head(row.title, f"For the team {row.team}, about {row.profile}.", [_state(row)])

    def parts(self, request: HttpRequest, row: Task) -> Sequence[Part]:
        return [
            Facts(
                title="About it",
                rows=[
                    ("Person", wording.link(row.profile, page_of(row.profile))),
                    ("What is to be known", row.details),
                    (
                        "Journey",
                        wording.link(row.enrollment.journey, page_of(row.enrollment)) if row.enrollment else "",
                    ),
                    ("Team", str(row.team)),
                    ("Given", wording.moment(row.created_at)),
                    ("Due", wording.moment(row.due_at) if row.due_at else ""),
                    ("What came of it", row.outcome_label if row.state == Task.State.DONE else ""),
                    ("Note", row.note),
                    ("Ended", wording.moment(row.ended_at) if row.ended_at else ""),
                    ("By", row.ended_by.partition(":")[2] or row.ended_by),
                ],
            )
        ]

    def verbs(self, request: HttpRequest, row: Task) -> Sequence[Verb]:
        if row.state != Task.State.OPEN or not request.user.has_perm("journeys.change_task"):
            return []
        if not row.outcomes:
            return [Verb("done", "Done")]
        return [Verb(f"{_OUTCOME}{one['key']}", str(one["label"])) for one in row.outcomes]

    def act(self, request: HttpRequest, row: Task, verb: str) -> str:
        done = work.finish(row.pk, outcome=verb.removeprefix(_OUTCOME) if row.outcomes else "", now=wording.now())
        return f"{done.title}: {done.outcome_label}."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        return super().get_queryset(request).select_related("profile", "team", "enrollment__journey")


def _state(row: Task) -> SafeString:
    said = row.outcome_label if row.state == Task.State.DONE else row.get_state_display()
    return wording.badge(said, _STATE[row.state])
