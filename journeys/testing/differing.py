"""What was expected of a test and what came of it, line by line in words."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from difflib import SequenceMatcher
from typing import Any, Literal

from foundation.wording import shortened, spoken
from journeys import documents, kinds
from journeys import names as called
from journeys.models import EnrollmentState
from journeys.testing import lengths
from journeys.testing.scripts import KEPT_OUT

Mark = Literal["+", "-", " "]
MARKS: tuple[Mark, ...] = ("+", "-", " ")
_LONGEST = 90
_STATES = {
    KEPT_OUT: "They are kept out",
    EnrollmentState.ACTIVE: "They are on the way",
    EnrollmentState.COMPLETED: "They came to the end",
    EnrollmentState.EXITED: "They left",
    EnrollmentState.FAILED: "They are parked: a step failed",
}


@dataclass(frozen=True, slots=True)
class Line:
    """`mark`: + for what came and was not expected, - for what was expected and did not come, else a space."""

    mark: Mark
    text: str

    def __str__(self) -> str:
        return f"{self.mark} {self.text}"


def compared(expect: Mapping[str, Any], found: Mapping[str, Any], document: Mapping[str, Any]) -> list[Line]:
    """Expected and found, of what the expectation speaks of, in the words of a sound document."""
    lines: list[Line] = []
    said = _Said(document)
    with said.known():
        if "way" in expect:
            lines += _differing(expect["way"], found["way"], said.place)
        if "messages" in expect:
            alike = as_asked(expect["messages"], found["messages"])
            lines += _differing(
                [_letter(one) for one in expect["messages"]], [_letter(one) for one in alike], said.letter
            )
        for name in ("state", "step", "goal"):
            if name in expect:
                lines += _differing([(name, expect[name])], [(name, found.get(name))], said.end)
    return lines


def accepted(expect: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """What was found, of what the expectation speaks of."""
    alike = {name: found[name] for name in expect if name in found}
    if "messages" in alike:
        alike["messages"] = [dict(one) for one in as_asked(expect["messages"], found["messages"])]
    return alike or {"state": found["state"]}


def as_asked(expected: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The messages found, of each only what the expectation says of the message of its step."""
    left = list(expected)
    alike = []
    for one in found:
        asked = next((other for other in left if other["step"] == one["step"]), None)
        if asked is None:
            alike.append(one)
        else:
            left.remove(asked)
            alike.append({name: value for name, value in one.items() if name in asked})
    return alike


def _differing(expected: Sequence[Hashable], found: Sequence[Hashable], say: Callable[[Any], str]) -> list[Line]:
    lines = []
    for how, a, b, c, d in SequenceMatcher(None, expected, found, autojunk=False).get_opcodes():
        if how == "equal":
            lines += [Line(" ", say(one)) for one in expected[a:b]]
        else:
            lines += [Line("-", say(one)) for one in expected[a:b]] + [Line("+", say(one)) for one in found[c:d]]
    return lines


_Letter = tuple[str, str | None, timedelta | None]


def _letter(one: Mapping[str, Any]) -> _Letter:
    """A message that is expected or found: its step, its subject, and how long after the beginning."""
    return one["step"], one.get("subject"), lengths.read(one["after"], "after") if "after" in one else None


class _Said:
    """What steps and ways are called in a document; those that it does not have, by their keys."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._steps = {step["key"]: step for _, step in documents.walk(document)}

    def known(self) -> AbstractContextManager[None]:
        return called.known(documents.uses(self._document))

    def step(self, key: str) -> str:
        step = self._steps.get(key)
        if step is None:
            return f"{spoken(key)} (a step that is gone)"
        return shortened(str(step.get("label") or _variant(step).sentence()), _LONGEST)

    def place(self, place: str) -> str:
        key, _, arm = place.partition("/")
        if not arm:
            return self.step(key)
        step = self._steps.get(key)
        arms = _variant(step).arms(step, "") if step else []
        given = next((one.given for one in arms if one.given.get("key") == arm), {"key": arm})
        return f"{self.step(key)}: {given.get('label') or spoken(arm)}"

    def letter(self, one: _Letter) -> str:
        step, subject, after = one
        title = f"The message “{subject}”" if subject else "A message"
        when = "" if after is None else f", {lengths.said(after)}{' after the beginning' if after else ''}"
        return f"{title} ({self.step(step)}){when}"

    def end(self, said: tuple[str, Any]) -> str:
        match said:
            case ("state", state):
                return str(_STATES[state])
            case ("step", str(key)):
                return f"They stand at: {self.step(key)}"
            case ("step", _):
                return "They stand nowhere"
        return "The goal is reached" if said[1] else "The goal is not reached"


def _variant(step: Mapping[str, Any]) -> kinds.Step:
    variant = kinds.steps[step["kind"]]
    return variant(step["key"], variant.without_steps(step))
