"""The flat program of a document, which the engine walks: step key to step, next and arms. And its form in memory."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from foundation.errors import Refused
from foundation.sql import statements
from journeys import kinds, reentry
from journeys.fields import condition, duration
from journeys.models import JourneyVersion
from segments.language import Condition

log = logging.getLogger(__name__)
_sql = statements("journeys", "engine")


def compiled(document: Mapping[str, Any]) -> dict[str, Any]:
    """The program of a sound document, as it is stored: `{"first", "steps": {key: {"kind", "given", "next", "arms"}}}`.

    `next` is the step after this one, `arms` the first step of each arm; an arm's last step, and an empty arm, lead to
    the step after their branch. Null is the end.
    """
    steps: dict[str, Any] = {}
    goal = _goal(document.get("goal"))
    return {
        "first": _lay(document["steps"], None, steps),
        "steps": steps,
        # Asked of the database, which knows no documents: who may still reach the goal.
        "has_goal": goal is not None,
        "goal_within": goal.within.total_seconds() if goal and goal.within else None,
    }


def _lay(body: Sequence[Any], after: str | None, steps: dict[str, Any]) -> str | None:
    """Lays a list of steps, the last first since each must know its next; the key of the first, else `after`."""
    for document in reversed(body):
        variant = kinds.steps[document["kind"]]
        arms = {arm.key: _lay(arm.steps, after, steps) for arm in variant.arms(document, "")}
        steps[document["key"]] = {
            "kind": document["kind"],
            "given": variant.without_steps(document),
            "next": after,
            "arms": arms,
        }
        after = document["key"]
    return after


@dataclass(frozen=True, slots=True)
class Node:
    """A step in its place. `step` is None where this release does not know its kind: another one may."""

    key: str
    kind: str
    step: kinds.Step | None
    next: str | None
    arms: Mapping[str, str | None]

    def after(self, arm: str) -> str | None:
        """The step that follows, by that arm; an arm that is none of ours is an error of the step."""
        return self.arms[arm] if arm else self.next


@dataclass(frozen=True, slots=True)
class Goal:
    condition: Condition
    within: timedelta | None
    exit: bool


class Program:
    """A published version, ready to run: its triggers, conditions and steps, read once."""

    def __init__(self, version: JourneyVersion) -> None:
        document, program = version.document, version.program or {"first": None, "steps": {}}
        entry = document["entry"]
        self.version_id, self.number, self.journey_id = version.pk, version.number, version.journey_id
        self.triggers = [_trigger(given) for given in _listed(entry["trigger"])]
        self.filter = condition(entry["filter"]) if entry.get("filter") is not None else None
        self.filter_given = entry.get("filter")
        self.rule = reentry.read(entry.get("reentry"))
        self.goal = _goal(document.get("goal"))
        self.exit = condition(document["exit"]) if document.get("exit") is not None else None
        self.first: str | None = program["first"]
        self.nodes = {key: _node(key, laid, document.get("priority") or 0) for key, laid in program["steps"].items()}


def of(version_ids: Iterable[int]) -> dict[int, Program]:
    """The programs of these published versions. A version never changes, so each is read once a process.

    One that this release cannot read is left out, and logged: its people wait for a release that can.
    """
    wanted = set(version_ids)
    digests = _sql.rows("digests", {"versions": list(wanted)}) if wanted else []
    found = {version_id: _read(version_id, digest) for version_id, digest in digests}
    return {version_id: program for version_id, program in found.items() if program is not None}


@lru_cache(maxsize=512)
def _read(version_id: int, digest: str) -> Program | None:
    # The digest is part of the key, as an id means another version in another database.
    try:
        return Program(JourneyVersion.objects.get(pk=version_id))
    except (Refused, LookupError) as error:
        log.error("version %s of a journey cannot be read by this release: %s", version_id, error)
        return None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _trigger(given: Mapping[str, Any]) -> kinds.Trigger:
    return kinds.triggers[given["kind"]](given)


def _goal(given: Mapping[str, Any] | None) -> Goal | None:
    if given is None:
        return None
    within = duration(given["within"]).length if given.get("within") is not None else None
    return Goal(condition(given["condition"]), within, given.get("exit") is not False)


def _node(key: str, laid: Mapping[str, Any], priority: int) -> Node:
    variant = kinds.steps.get(laid["kind"])
    step = variant(key, laid["given"]) if variant else None
    if step is not None:
        step.priority = priority
    return Node(key, laid["kind"], step, laid["next"], laid["arms"])
