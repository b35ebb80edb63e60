"""A rule like cron's, again and again: whoever is in the segment at that moment enters."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from foundation.errors import Problem
from journeys import cron, names
from journeys.fields import Field, Slug
from journeys.kinds import Trigger, triggers


@dataclass(frozen=True, kw_only=True)
class Cron(Field):
    """`"0 9 * * 1"`: Mondays at nine, in the project's time zone."""

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        try:
            cron.read(value)
        except cron.Unreadable as unreadable:
            yield Problem(path, str(unreadable))


@triggers.register
class Schedule(Trigger):
    key = "schedule"
    label = "A rule of time"
    icon = "schedule"
    about = "Again and again, for everybody in a segment."
    example = {"kind": "schedule", "segment": "active", "cron": "0 9 * * 1"}
    fields = (Slug(name="segment", label="Segment", of="segment"), Cron(name="cron", label="When"))

    def prepare(self) -> None:
        self.rule = cron.read(self.given["cron"])
        self.segment = str(self.given["segment"])

    def sentence(self) -> str:
        return f"{self.rule}, for those in the segment {names.of('segment', self.segment)}"

    def following(self, after: datetime) -> datetime | None:
        """The next moment after `after` at which those in the segment enter."""
        return self.rule.following(after)
