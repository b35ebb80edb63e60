"""Staff put people elsewhere on a journey, take them off, or have them try again: one person, or many at once."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from foundation.errors import Conflict, Invalid
from foundation.sql import statements
from foundation.wake import wake
from foundation.wording import plural
from journeys import publishing
from journeys.fields import shown
from journeys.models import Ending, Enrollment, EnrollmentState, Journey
from journeys.walking import Traveller, Walk, read
from profiles.models import Profile
from staff import audit

MOST = 10_000
"""How many may be chosen at once."""
_NAMED = 100
_sql = statements("journeys", "engine")
State = EnrollmentState


@dataclass(frozen=True, slots=True)
class Done:
    """How many of those who were chosen it was done with, and how many it could not be done with, and why."""

    done: int
    skipped: int
    why: str = ""


def chosen(
    journey: Journey, *, step: str = "", state: str = "", profile: Profile | None = None, ids: Collection[UUID] = ()
) -> list[UUID]:
    """Enrollments of a journey by where they stand, how it stands with them, whose they are, or by their ids.

    Those that have come to an end are left out, but for the ones that were parked. `Invalid` where it is too many.
    """
    rows = Enrollment.objects.filter(journey=journey, state__in=[state] if state else [State.ACTIVE, State.FAILED])
    if step:
        rows = rows.filter(step=step)
    if profile is not None:
        rows = rows.filter(profile=profile)
    if ids:
        rows = rows.filter(pk__in=ids)
    found = list(rows.order_by("pk").values_list("pk", flat=True)[: MOST + 1])
    if len(found) > MOST:
        raise Invalid.at("", f"These are more than {MOST:,} people: change the journey, and choose for its groups.")
    return found


def move(slug: str, enrollments: Collection[UUID], *, step: str, reason: str = "", now: datetime) -> Done:
    """Puts them on a step, where they are asked as if they had just come to it; whoever was parked goes on so.

    What they pass from there is done again: messages are sent again. What a team or an endpoint answered stands.
    """
    said = f"Staff put them here{_because(reason)}"

    def put(walk: Walk, one: Traveller) -> str:
        program = walk.programs([one]).get(one.version_id)
        if program is None or step not in program.nodes:
            return f"The version that they are in has no step {shown(step)}."
        one.passed = []
        walk.put(one, step, said)
        return ""

    return _each(slug, enrollments, put, "move", f"to the step {step}", reason, now, step=step)


def exit(slug: str, enrollments: Collection[UUID], *, reason: str = "", now: datetime) -> Done:
    """Takes them off the journey, and calls off what was not handed over yet."""
    said = f"Staff took them off{_because(reason)}"

    def take_off(walk: Walk, one: Traveller) -> str:
        if not one.active:
            return "They are not on the way."
        walk.take_off(one, Ending.STAFF, said)
        return ""

    return _each(slug, enrollments, take_off, "exit", "off", reason, now)


def retry(slug: str, enrollments: Collection[UUID], *, reason: str = "", now: datetime) -> Done:
    """Has those who were parked, or who wait to be tried again, try their step at once."""
    said = f"Staff had it tried again{_because(reason)}"

    def again(walk: Walk, one: Traveller) -> str:
        if one.active and not one.attempts:
            return "Nothing went wrong for them."
        walk.put(one, one.step, said)
        return ""

    return _each(slug, enrollments, again, "retry", "to be tried again", reason, now)


Act = Callable[[Walk, Traveller], str]
"""Does it with one of them; why not, where it cannot be done."""


def _each(
    slug: str, enrollments: Collection[UUID], act: Act, verb: str, what: str, reason: str, now: datetime, **details: str
) -> Done:
    if len(enrollments) > MOST:
        raise Invalid.at("enrollments", f"Choose at most {MOST:,} people at once.")
    if len(reason) > 1_000 or "\x00" in reason:
        raise Invalid.at("reason", "must be a text of at most 1000 characters")
    with transaction.atomic():
        journey = publishing.get(slug)
        if journey.status not in (Journey.Status.LIVE, Journey.Status.PAUSED):
            raise Conflict(f"The journey {journey.name} does not run: nobody on it can be moved.")
        walk = Walk.at(now)
        held = read(_sql.rows("lock_these", {"enrollments": list(enrollments), "journey": journey.pk}))
        twice = _Twice(journey, held)
        whys = {one.id: _done(walk, one, act, twice) for one in held}
        done = [one for one in held if not whys[one.id]]
        why = next((why for why in whys.values() if why), "" if held else "Nobody was chosen who is on this journey.")
        if not done:
            raise Conflict(why)
        walk.write()
        if verb == "move":  # what they passed before the journey was changed is done again, too
            Enrollment.objects.filter(id__in=[one.id for one in done]).exclude(passed=[]).update(passed=[])
        summary = f"Put {plural(len(done), 'person', 'people')} on the journey {journey.name} {what}."
        audit.record(
            verb,
            "journey",
            slug,
            summary,
            reason=reason,
            people=[str(one.profile_id) for one in done[:_NAMED]],
            **details,
        )
        wake("journeys.advance")
    return Done(len(done), len(enrollments) - len(done), why)


def _done(walk: Walk, one: Traveller, act: Act, twice: "_Twice") -> str:
    if one.state not in (State.ACTIVE, State.FAILED):
        return "They have come to the end of it."
    if not one.active and twice.would_be(one):
        return "They are on the way already, in a later try."
    why = act(walk, one)
    if not why:
        twice.add(one)
    return why


class _Twice:
    """Who must not go on again, being on the way already where nobody may be so twice."""

    def __init__(self, journey: Journey, held: Collection[Traveller]) -> None:
        parked = [one for one in held if not one.active]
        rows = Enrollment.objects.filter(pk__in=[one.id for one in parked], exclusive=True)
        self._alone = set(rows.values_list("pk", flat=True)) if parked else set()
        on_the_way = Enrollment.objects.filter(journey=journey, state=State.ACTIVE, exclusive=True)
        people = on_the_way.filter(profile__in=[one.profile_id for one in parked]) if parked else on_the_way.none()
        self._people = set(people.values_list("profile_id", flat=True))

    def would_be(self, one: Traveller) -> bool:
        return one.id in self._alone and one.profile_id in self._people

    def add(self, one: Traveller) -> None:
        if one.id in self._alone:
            self._people.add(one.profile_id)


def _because(reason: str) -> str:
    return f": {reason.strip()}" if reason.strip() else "."
