"""How many people stand, passed, left and reached the goal, on journeys and on every step and arm of theirs.

Triggers keep count of every change (see the model `Tally`), so that what is read here does not grow with the people.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from django.db import transaction

from foundation.sql import statements
from journeys.models import Journey, JourneyVersion

_sql = statements("journeys", "numbers")
_AT_ONCE = 50_000


@dataclass(slots=True)
class ArmNumbers:
    """An arm of a step."""

    passed: int = 0
    """Who went this way."""
    converted: int = 0
    """Of those, who reached the goal afterwards."""


@dataclass(slots=True)
class StepNumbers:
    """A step; its arms by their keys, those that anybody took."""

    waiting: int = 0
    """Who stands here now."""
    passed: int = 0
    """How often it was passed, by whatever arm."""
    converted: int = 0
    """Of those who passed, who reached the goal afterwards."""
    left: int = 0
    """Whose journey ended here: by the step itself, by goal or exit, or because they were taken off."""
    failed: int = 0
    """Who is parked here with an error."""
    arms: dict[str, ArmNumbers] = field(default_factory=dict)

    @property
    def reached(self) -> int:
        """How often anybody came to it."""
        return self.waiting + self.passed + self.left + self.failed


@dataclass(slots=True)
class Numbers:
    """A journey, its steps by their keys: those alone to which anybody came."""

    entered: int = 0
    active: int = 0
    completed: int = 0
    exited: int = 0
    failed: int = 0
    converted: int = 0
    steps: dict[str, StepNumbers] = field(default_factory=dict)

    def step(self, key: str) -> StepNumbers:
        return self.steps.get(key) or StepNumbers()

    def arm(self, key: str, arm: str) -> ArmNumbers:
        return self.step(key).arms.get(arm) or ArmNumbers()


def of(journey: Journey, version: JourneyVersion | None = None, since: date | datetime | None = None) -> Numbers:
    """The numbers of a journey: in all its versions or in one, of all or of those who entered `since` a day (UTC).

    Where people followed to a new version, their entry and what they passed before is counted in the old one, and where
    they stand and how it ended in the new.
    """
    day = since.date() if isinstance(since, datetime) else since
    found = Numbers()
    params = {"journey": journey.pk, "version": version and version.pk, "since": day}
    for step, arm, what, n in _sql.rows("of", params):
        _add(found, step, arm, what, n)
    return found


def _add(found: Numbers, step: str, arm: str, what: str, n: int) -> None:
    if not step:
        setattr(found, what, getattr(found, what) + n)
        return
    if what == "entered":
        found.entered += n
        return
    place = found.steps.setdefault(step, StepNumbers())
    if what == "active":
        place.waiting += n
        found.active += n
        return
    if what == "failed":
        found.failed += n
    setattr(place, what, getattr(place, what) + n)
    if arm:
        way = place.arms.setdefault(arm, ArmNumbers())
        setattr(way, what, getattr(way, what) + n)


@dataclass(frozen=True, slots=True)
class Totals:
    """How it stands with all who ever entered a journey."""

    active: int = 0
    completed: int = 0
    exited: int = 0
    failed: int = 0
    converted: int = 0

    @property
    def entered(self) -> int:
        return self.active + self.completed + self.exited + self.failed


def totals(journeys: Collection[int]) -> Mapping[int, Totals]:
    """The totals of each of these journeys, given by their ids: one question, for lists."""
    counts: dict[int, dict[str, int]] = {id: {} for id in journeys}
    for journey, what, n in _sql.rows("totals", {"journeys": list(counts)}) if counts else ():
        counts[journey][what] = n
    return {id: Totals(**found) for id, found in counts.items()}


def settle(now: datetime) -> int:
    """Sums up what is counted, so that reading stays fast; how many counts it took up."""
    with transaction.atomic():
        [(free,)] = _sql.rows("alone")
        return int(_sql.rows("settle", {"limit": _AT_ONCE})[0][0]) if free else 0


def keep(profile: UUID) -> None:
    """Before this person is erased: what they count for stays (`Bygone`). Whoever is on the way, or parked, has left.

    The caller holds their enrollments, and deletes them in the same transaction.
    """
    _sql.run("keep", {"profile": profile})


def miscounted() -> list[str]:
    """Journeys, by slug, whose counts are wrong; counts everybody again."""
    return [slug for (slug,) in _sql.rows("miscounted")]
