"""Sets what is known of people: the same values for everybody who comes by, written once for all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from foundation.errors import Problem
from foundation.wording import spoken
from journeys.answers import Advance, Answer
from journeys.fields import Field, joined
from journeys.kinds import Standing, Step, steps
from profiles import people

_MOST = 50


@dataclass(frozen=True, kw_only=True)
class Values(Field):
    """{"stage": "onboarded", "plan": null}: names and values; null empties."""

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, Mapping) or not value:
            yield Problem(path, 'must be an object of names and values such as {"stage": "onboarded"}')
        elif len(value) > _MOST:
            yield Problem(path, f"sets more than {_MOST} values")
        else:
            for flaw in people.flaws(value):
                yield Problem(joined(path, flaw.path), flaw.reason)
            for name, one in value.items():
                if isinstance(one, Mapping) or (isinstance(one, list) and any(isinstance(x, list | dict) for x in one)):
                    yield Problem(joined(path, name), "must be a text, a number, true, false, null or a list of such")


@steps.register
class Update(Step):
    key = "update"
    label = "Set values"
    acts = True
    icon = "edit_note"
    about = "Writes values into their profile."
    example = {"kind": "update", "set": {"stage": "onboarded"}}
    fields = (Values(name="set", label="Values"),)

    def sentence(self) -> str:
        said = ", ".join(_set(spoken(name).lower(), value) for name, value in self.given["set"].items())
        return said[:1].upper() + said[1:]

    def answer(self, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        return dict.fromkeys((one.id for one in people), Advance(reason=f"{self.sentence()}."))

    def perform(self, standing: Sequence[Standing], at: datetime) -> None:
        # One object for all: what it says is read once.
        people.set_attributes(dict.fromkeys((one.profile_id for one in standing), self.given["set"]), now=at)


def _set(name: str, value: Any) -> str:
    return f"empty their {name}" if value is None else f"set their {name} to {_said(value)}"


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " and ".join(_said(one) for one in value) or "nothing"
    return f"“{value}”" if isinstance(value, str) else str(value)
