"""Waits for something that the person does: several arms in order of preference, and one for when nothing comes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from foundation.errors import Problem
from journeys.answers import Advance, Answer, WaitFor
from journeys.fields import Duration, Field, Key, Names, Where, check, duration, joined, shown
from journeys.kinds import LABEL, Standing, Step, repeated, steps
from journeys.matching import Asked, Pattern


@dataclass(frozen=True, kw_only=True)
class LookBack(Field):
    """From when on what was done counts: the `entry`, the `step`, or a length of time before the step."""

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if isinstance(value, Mapping):
            yield from Duration(name=self.name, label=self.label).problems(value, path)
        elif value not in ("entry", "step"):
            yield Problem(path, f"must be entry, step or a length of time, not {shown(value)}")


@steps.register
class WaitForStep(Step):
    key = "wait_for"
    label = "Wait for something"
    icon = "notifications_active"
    about = "Waits until they do something, and goes on without it after a while."
    fresh = {"arms": [{"key": "did", "steps": []}], "timeout": {"after": {"days": 3}, "key": "nothing", "steps": []}}
    example = {
        "kind": "wait_for",
        "arms": [{"key": "paid", "name": "invoice_paid", "steps": []}],
        "timeout": {"after": {"days": 3}, "key": "nothing", "steps": []},
    }
    arms_in = ("arms", "timeout")
    fields = (LookBack(name="look_back", label="Also what was done since", required=False),)
    arm_fields = {
        "arms": (Names(name="name", label="Event"), Where(name="where", label="Where", required=False)),
        "timeout": (Duration(name="after", label="After"),),
    }

    def prepare(self) -> None:
        self.awaited = [(arm, Pattern(arm["name"], arm.get("where"))) for arm in self.given["arms"]]
        self.names = tuple(dict.fromkeys(name for _, pattern in self.awaited for name in pattern.names))
        self.timeout: Mapping[str, Any] = self.given["timeout"]
        self.after = duration(self.timeout["after"])
        back = self.given.get("look_back") or "entry"
        self.back = back if isinstance(back, str) else duration(back)

    def sentence(self) -> str:
        return f"Wait up to {self.after} until they do {' or '.join(pattern.what() for _, pattern in self.awaited)}"

    def arm_sentence(self, arm: Mapping[str, Any]) -> str:
        if "name" not in arm:
            return str(arm.get("label") or f"Nothing of it within {self.after}")
        did = f"They did {Pattern(arm['name'], arm.get('where')).what()}"
        return f"{arm['label']}: {did}" if arm.get("label") else did

    def answer(self, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        """Of event and timeout the time of occurrence decides, not which is seen first."""
        answers: dict[UUID, Answer] = {}
        undecided = {one.id: one for one in people}
        for arm, pattern in self.awaited:
            asked = [
                Asked(one.id, one.profile_id, self._since(one), min(at, self._until(one))) for one in undecided.values()
            ]
            for key in pattern.done(asked, at):
                del undecided[key]
                answers[key] = Advance(arm["key"], f"They did {pattern.what()}.", {"answers": {self.name: arm["key"]}})
        return answers | {id: self._still(one, at) for id, one in undecided.items()}

    def _still(self, one: Standing, at: datetime) -> Answer:
        until = self._until(one)
        if until <= at:
            return Advance(self.timeout["key"], f"Nothing of it came within {self.after}.")
        return WaitFor(self.names, until, f"Waits up to {self.after} for what they do.")

    def _until(self, one: Standing) -> datetime:
        return one.step_entered_at + self.after.length

    def _since(self, one: Standing) -> datetime:
        if self.back == "entry":
            return one.entered_at
        return one.step_entered_at if isinstance(self.back, str) else one.step_entered_at - self.back.length

    @classmethod
    def arm_problems(cls, name: str, value: Any, path: str) -> Iterator[Problem]:
        if name == "arms":
            yield from super().arm_problems(name, value, path)
        elif not isinstance(value, Mapping):
            yield Problem(path, 'is missing: say {"after": {"days": 3}, "key": "nothing", "steps": []}')
        else:
            yield from check([Key(name="key", label="Key"), LABEL, *cls.arm_fields[name]], value, path, also=("steps",))
            if value.get("steps") is not None and not isinstance(value["steps"], list):
                yield Problem(joined(path, "steps"), "must be a list of steps")

    @classmethod
    def problems(cls, document: Mapping[str, Any], path: str) -> Iterator[Problem]:
        yield from super().problems(document, path)
        arms, timeout = document.get("arms"), document.get("timeout")
        if isinstance(arms, list) and isinstance(timeout, Mapping):
            keys = [("", arm.get("key")) for arm in arms if isinstance(arm, Mapping)]
            ours = (joined(path, "timeout.key"), timeout.get("key"))
            yield from (problem for problem in repeated([*dict.fromkeys(keys), ours]) if problem.path)
