"""The screen on scheduled work: what Cairn does by itself, how often, and when it last did."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.decorators import display

from config import schedule
from foundation import loops, wording
from foundation.admin import ReadOnlyAdmin
from foundation.pages import Facts, Head, Part, Prose, Verb
from staff import audit

# Beat's own screens speak of crontabs and solar events; ours is one, in words.
for _model in (PeriodicTask, IntervalSchedule, CrontabSchedule, ClockedSchedule, SolarSchedule):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)

_PACES = {1: "every second", 10: "every 10 seconds", 60: "every minute", 600: "every 10 minutes", 3600: "every hour"}


@admin.register(PeriodicTask)
class ScheduledWorkAdmin(ReadOnlyAdmin):
    empty = "Nothing is scheduled yet. `manage.py up` writes the schedule when it starts."
    list_display = ("what", "often", "ran", "state")
    list_filter = ("enabled",)
    ordering = ("name",)

    @display(description="What Cairn does by itself")
    def what(self, task: PeriodicTask) -> SafeString:
        return wording.wide(task.description or wording.spoken(task.name))

    @display(description="How often")
    def often(self, task: PeriodicTask) -> str:
        seconds = schedule.seconds(task)
        return _PACES.get(seconds, f"every {wording.span(timedelta(seconds=seconds))}") if seconds else "as set by hand"

    @display(description="Last done")
    def ran(self, task: PeriodicTask) -> str:
        age = loops.ages().get(task.name)
        return "never" if age is None else f"{wording.span(timedelta(seconds=age))} ago"

    @display(description="State", ordering="enabled")
    def state(self, task: PeriodicTask) -> SafeString:
        return wording.badge("On", "good") if task.enabled else wording.badge("Off", "warn")

    def head(self, request: HttpRequest, row: PeriodicTask) -> Head:
        lead = f"{self.often(row).capitalize()}; last done: {self.ran(row)}."
        return Head(wording.spoken(row.name), lead, [self.state(row)])

    def parts(self, request: HttpRequest, row: PeriodicTask) -> Sequence[Part]:
        return [
            Prose(title="What it does", text=row.description),
            Facts(
                title="How it is run",
                note="Changes made here stay through upgrades.",
                rows=[("How often", self.often(row)), ("Last done", self.ran(row))],
            ),
        ]

    def verbs(self, request: HttpRequest, row: PeriodicTask) -> Sequence[Verb]:
        if not request.user.has_perm("django_celery_beat.change_periodictask"):
            return []
        paces = [Verb(f"every:{n}", words.capitalize()) for n, words in _PACES.items() if n != schedule.seconds(row)]
        if not row.enabled:
            return [Verb("on", "Switch on"), *paces]
        return [*paces, Verb("off", "Switch off", f"{row.description} Nobody does that while it is off. Go on?", True)]

    def act(self, request: HttpRequest, row: PeriodicTask, verb: str) -> str:
        if verb in ("on", "off"):
            row.enabled = verb == "on"
            said = f"{wording.spoken(row.name)} is {verb}."
        else:
            seconds = int(verb.removeprefix("every:"))
            row.interval, _ = IntervalSchedule.objects.get_or_create(every=seconds, period=IntervalSchedule.SECONDS)
            said = f"{wording.spoken(row.name)} is done {_PACES[seconds]} now."
        row.save()
        audit.record("change", "scheduled work", row.name, said)
        return said

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("interval").exclude(name__startswith="celery.")
