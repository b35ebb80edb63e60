"""Puts people into a segment that is filled by hand, or takes them out."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from foundation.errors import Conflict, Problem
from journeys import names
from journeys.answers import Advance, Answer
from journeys.fields import Slug
from journeys.kinds import Standing, Step, steps
from segments import membership
from segments.models import Segment


@steps.register
class SegmentStep(Step):
    key = "segment"
    label = "Change a segment"
    acts = True
    icon = "group_add"
    about = "Puts them into a segment that is filled by hand, or takes them out."
    one_of = ("add", "remove")
    example = {"kind": "segment", "add": "beta"}
    fields = (
        Slug(name="add", label="Put into", of="segment", required=False),
        Slug(name="remove", label="Take out of", of="segment", required=False),
    )

    def sentence(self) -> str:
        name = names.of("segment", self.slug)
        return f"Put into the segment {name}" if self.adds else f"Take out of the segment {name}"

    @property
    def adds(self) -> bool:
        return self.given.get("add") is not None

    @property
    def slug(self) -> str:
        return str(self.given["add"] if self.adds else self.given["remove"])

    def answer(self, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        with names.known(names.segments([self.slug])):
            name = names.of("segment", self.slug)
        done = f"They were put into the segment {name}." if self.adds else f"They left the segment {name}."
        return dict.fromkeys((one.id for one in people), Advance(reason=done))

    def perform(self, people: Sequence[Standing], at: datetime) -> None:
        segment = Segment.objects.filter(slug=self.slug).first()
        if segment is None:
            raise Conflict(f"There is no segment {self.slug!r} any more.")
        change = membership.add if self.adds else membership.remove
        change(segment, [one.profile_id for one in people], now=at)

    @classmethod
    def problems(cls, document: Mapping[str, Any], path: str) -> Iterator[Problem]:
        yield from super().problems(document, path)
        if (document.get("add") is None) == (document.get("remove") is None):
            yield Problem(path, "must say one segment: to add people to, or to remove them from")
