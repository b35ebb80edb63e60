"""Puts people on another journey, by whose rules they enter or are kept out; this one goes on for them either way."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from journeys import entering, names
from journeys.answers import Advance, Answer, WaitUntil
from journeys.fields import Slug, Use
from journeys.kinds import Entry, Standing, Step, steps
from journeys.models import Journey
from profiles import pulses

_SHORTLY = timedelta(seconds=1)


@steps.register
class JourneyStep(Step):
    key = "journey"
    label = "Start another journey"
    acts = True
    icon = "route"
    about = "Puts them on another journey as well; this one goes on."
    example = {"kind": "journey", "slug": "onboarding"}
    fields = (Slug(name="slug", label="Journey", of="journey"),)

    @property
    def slug(self) -> str:
        return str(self.given["slug"])

    def sentence(self) -> str:
        return f"Start the journey {names.of('journey', self.slug)}"

    def answer(self, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        # Who enters is decided under the person's lock. Whoever has one now holds enrollments behind it, so that to
        # wait for it here, with enrollments in hand, could be to wait in a circle: those come again in a moment.
        free = pulses.lock(one.profile_id for one in people)
        with names.known([Use("", "journey", self.slug)]):
            name = names.of("journey", self.slug)
        done = Advance(reason=f"They were put forward for the journey {name}.")
        later = WaitUntil(at + _SHORTLY, "Waits a moment: something else is being done with them.")
        return {one.id: done if one.profile_id in free else later for one in people}

    def perform(self, people: Sequence[Standing], at: datetime) -> None:
        journey = Journey.objects.filter(slug=self.slug).select_related("version").first()
        if journey is not None:  # one that is gone takes nobody
            entering.put_forward(journey, [self._entry(one, at) for one in people], at)

    def _entry(self, one: Standing, at: datetime) -> Entry:
        return Entry(
            profile_id=one.profile_id,
            key=f"journey:{one.id}:{self.name}",
            at=at,
            reason=f"The journey {one.journey} led to this one.",
            context={name: one.context[name] for name in ("event", "data") if name in one.context}
            | {"journey": one.journey},
        )

    @classmethod
    def leads_to(cls, document: Mapping[str, Any]) -> str:
        return str(document["slug"])
