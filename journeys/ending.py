"""Goals and exits: asked of everybody on the way who was touched, as one question a journey, wherever they stand."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID

from foundation.sql import statements
from journeys.fields import said
from journeys.models import Ending
from journeys.program import Goal, Program
from journeys.walking import Traveller, Walk
from profiles.pulses import Taken
from segments.kinds import Needs
from segments.language import Asked, Condition

_sql = statements("journeys", "engine")
Concerns = Callable[[Needs], bool]


def by_version(travellers: Sequence[Traveller]) -> dict[int, list[Traveller]]:
    groups: dict[int, list[Traveller]] = {}
    for one in travellers:
        groups.setdefault(one.version_id, []).append(one)
    return groups


def check(walk: Walk, travellers: Sequence[Traveller], *, concerns: Concerns) -> None:
    """Ends those whose exit condition holds or who reached the goal, and marks who reached it.

    Only what they did after they entered counts. `concerns` says whether a condition may have changed its answer.
    """
    known = walk.programs(travellers)
    for version_id, group in by_version(travellers).items():
        if program := known.get(version_id):
            _goal(walk, program, group, concerns)
            _exit(walk, program, group, concerns)


def _goal(walk: Walk, program: Program, group: Sequence[Traveller], concerns: Concerns) -> None:
    goal = program.goal
    if goal is None or not concerns(goal.condition.needs()):
        return
    open_ = [one for one in group if one.converted_at is None]
    reason = f"They reached the goal: {said(goal.condition)}."
    for one, at in reached(goal, open_, walk.now):
        walk.convert(one, at)
        if goal.exit and one.active:
            walk.take_off(one, Ending.GOAL, reason)
        elif goal.exit:
            walk.call_off(one.id, reason)


def reached(goal: Goal, travellers: Sequence[Traveller], now: datetime) -> list[tuple[Traveller, datetime]]:
    """Who of these reached the goal within its window, and when."""
    by_deadline: dict[datetime, list[Traveller]] = {}
    for one in travellers:
        # A window that has closed is asked about as of its end: what came late counts by when it happened.
        at = now if goal.within is None else min(now, one.entered_at + goal.within)
        by_deadline.setdefault(at, []).append(one)
    found = []
    for at, group in by_deadline.items():
        met = holding(goal.condition, group, at)
        found += _when(goal.condition, [one for one in group if one.id in met], at)
    return found


def _when(condition: Condition, met: Sequence[Traveller], at: datetime) -> list[tuple[Traveller, datetime]]:
    """When it came true for these: where only events count, with the last of them; else it is known since `at`."""
    needs = condition.needs()
    by_events_alone = needs.events and not (
        needs.attributes or needs.account or needs.segments or needs.time or needs.consent
    )
    if not met or not by_events_alone:
        return [(one, at) for one in met]
    params = {
        "enrollments": [one.id for one in met],
        "profiles": [one.profile_id for one in met],
        "since": [one.entered_at for one in met],
        "at": at,
        "names": sorted({id for name in needs.events for id in condition.names().numbers(name)}),
    }
    last = dict(_sql.rows("last_done", params))
    return [(one, last.get(one.id, at)) for one in met]


def holding(condition: Condition, travellers: Sequence[Traveller], at: datetime) -> set[UUID]:
    """For whom of these it holds, by what they did after they entered."""
    asked = [Asked(one.id, one.profile_id, one.entered_at, one.step_entered_at, one.entered_at) for one in travellers]
    return condition.matching_each(asked, at=at)


def _exit(walk: Walk, program: Program, group: Sequence[Traveller], concerns: Concerns) -> None:
    if program.exit is None or not concerns(program.exit.needs()):
        return
    active = [one for one in group if one.active]
    if not active:
        return
    met = holding(program.exit, active, walk.now)
    for one in active:
        if one.id in met:
            walk.take_off(one, Ending.EXIT, f"The exit condition came true: {said(program.exit)}.")


def always(needs: Needs) -> bool:
    return True


def by_time(needs: Needs) -> bool:
    """Whether time alone can make it true."""
    return needs.time


def touched(taken: Sequence[Taken], names: Collection[str], segments: Collection[str]) -> Concerns:
    """Whether a condition depends on something of what these people did, were told of, or came into."""
    attributes = {name for one in taken for name in one.attributes}
    merged = any(cause in ("merge", "time") for one in taken for cause in one.causes)

    def concerns(needs: Needs) -> bool:
        return (
            merged
            or needs.time
            or needs.anything
            or not needs.events.isdisjoint(names)
            or not needs.attributes.isdisjoint(attributes)
            or not {f"account.{name}" for name in needs.account}.isdisjoint(attributes)
            or not needs.segments.isdisjoint(segments)
        )

    return concerns
