"""Parts people by what is true of them now: the first arm whose condition holds, else the last, which has none."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from foundation.errors import Problem
from journeys.answers import Advance, Answer
from journeys.fields import Condition, condition, joined, said
from journeys.kinds import Standing, Step, steps
from segments.language import Asked


@steps.register
class Branch(Step):
    key = "branch"
    label = "Part ways"
    icon = "call_split"
    about = "Everybody goes the first way whose condition fits them."
    fresh = {"arms": [{"key": "yes", "steps": []}, {"key": "no", "label": "Everyone else", "steps": []}]}
    example = {
        "kind": "branch",
        "arms": [
            {"key": "yes", "when": {"kind": "event", "name": "feature_used"}, "steps": []},
            {"key": "no", "label": "Everyone else", "steps": []},
        ],
    }
    arms_in = ("arms",)
    arm_fields = {"arms": (Condition(name="when", label="When", required=False),)}

    def prepare(self) -> None:
        self.arms_given = list(self.given["arms"])
        self.conditions = [condition(arm["when"]) for arm in self.arms_given[:-1]]

    def sentence(self) -> str:
        return "Go the first way that fits"

    def arm_sentence(self, arm: Mapping[str, Any]) -> str:
        if arm.get("when") is None:
            return str(arm.get("label") or "Everyone else")
        when = said(condition(arm["when"]))
        return f"{arm['label']}: {when}" if arm.get("label") else when

    def answer(self, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        answers: dict[UUID, Answer] = {}
        undecided = list(people)
        for arm, when in zip(self.arms_given, self.conditions, strict=False):
            if undecided:
                met = when.matching_each([asked(one) for one in undecided], at=at)
                answers |= dict.fromkeys(met, Advance(arm["key"], f"{_named(arm)}: {said(when)}."))
                undecided = [one for one in undecided if one.id not in met]
        rest = self.arms_given[-1]
        return answers | dict.fromkeys(
            (one.id for one in undecided), Advance(rest["key"], f"{_named(rest)}: no other way fitted.")
        )

    @classmethod
    def arm_problems(cls, name: str, value: Any, path: str) -> Iterator[Problem]:
        flaws = list(super().arm_problems(name, value, path))
        yield from flaws
        if isinstance(value, list) and not any(problem.path == path for problem in flaws):
            yield from _defaults(value, path)


def _defaults(arms: Sequence[Any], path: str) -> Iterator[Problem]:
    for place, arm in enumerate(arms):
        when = arm.get("when") if isinstance(arm, Mapping) else None
        last = place == len(arms) - 1
        if last and when is not None:
            yield Problem(
                joined(f"{path}[{place}]", "when"), "the last arm is for everyone else and has no condition: add one"
            )
        elif not last and when is None and isinstance(arm, Mapping):
            yield Problem(joined(f"{path}[{place}]", "when"), "is missing: only the last arm goes without a condition")


def asked(one: Standing) -> Asked:
    return Asked(one.id, one.profile_id, one.entered_at, one.step_entered_at, None)


def _named(arm: Mapping[str, Any]) -> str:
    return str(arm.get("label") or arm["key"])
