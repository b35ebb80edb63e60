"""What texts of steps may name, filled in for one person: the same values that messages know."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from foundation.errors import Problem
from journeys.fields import Text
from journeys.kinds import Standing
from messaging.liquid import Program, Unsayable
from profiles.models import Profile


@dataclass(frozen=True, kw_only=True)
class Liquid(Text):
    """A text with Liquid in it."""

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        found = list(super().problems(value, path))
        yield from found or flaws(value, path)


def flaws(text: str, path: str) -> Iterator[Problem]:
    """What is wrong with Liquid, whoever it is filled in for."""
    try:
        Program(text, naming=True).check()
    except Unsayable as unsayable:
        yield Problem(path, str(unsayable))


def values(one: Standing, profile: Profile) -> dict[str, Any]:
    """What a text may name: the person, their company, what started it, and what was answered on the way."""
    event, account = one.context.get("event") or {}, profile.account
    columns = {name: getattr(profile, name) for name in (*Profile.COLUMNS, "external_id")}
    return {
        "profile": _known({**profile.attributes, **_known(columns), "attributes": profile.attributes}),
        "account": _known({**account.attributes, "name": account.name}) if account else {},
        "event": {**_known(event.get("properties") or {}), **event},
        "data": data(one.context),
    }


def data(context: Mapping[str, Any]) -> dict[str, Any]:
    """What templates know as `data`: what it was started with, and under `answers` what tasks and webhooks answered."""
    given = context.get("data") or {}
    return {**given, "answers": context["answers"]} if context.get("answers") else dict(given)


def _known(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}
