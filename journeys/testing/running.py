"""Tests played against a document: what came of each, and how that differs from what was expected."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any, Literal
from uuid import UUID

from consent import preferences
from foundation.errors import Refused
from journeys import simulating
from journeys.models import EnrollmentState
from journeys.simulating import Played
from journeys.testing import lengths, scripts
from journeys.testing.models import JourneyTest
from journeys.testing.scripts import Script
from messaging.liquid import Unsayable
from messaging.models import Message
from messaging.rendering import Desk

SECONDS = 20.0
"""How long all tests of a journey may take together; what was not played then counts as failed."""
_STATES = {
    scripts.KEPT_OUT: "They are kept out",
    EnrollmentState.ACTIVE: "They are on the way",
    EnrollmentState.COMPLETED: "They came to the end",
    EnrollmentState.EXITED: "They left",
    EnrollmentState.FAILED: "They are parked: a step failed",
}


Mark = Literal["+", "-", " "]
MARKS: tuple[Mark, ...] = ("+", "-", " ")


@dataclass(frozen=True, slots=True)
class Line:
    """`mark`: + for what came and was not expected, - for what was expected and did not come, else a space."""

    mark: Mark
    text: str

    def __str__(self) -> str:
        return f"{self.mark} {self.text}"


@dataclass(frozen=True)
class Result:
    """`why` says why it could not be played; `found` is what came of it, as an expectation."""

    name: str
    passed: bool
    found: dict[str, Any] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    why: str = ""

    @property
    def differences(self) -> list[str]:
        """What to say of one that failed."""
        return [self.why] if self.why else [str(line) for line in self.lines]


def played(slug: str, document: Any, script: Script, at: datetime, reader: simulating.Reader | None = None) -> Played:
    """The script against a document, from `at` on, by the steps of the engine. Nothing of it stays."""
    acts, until = script.played(at)
    return simulating.simulate(
        slug,
        document,
        person=script.somebody(at),
        deeds=acts,
        start=False,
        at=at,
        until=until,
        draws=script.draws,
        reader=reader or subjects,
    )


def run(
    slug: str, document: Any, name: str, script: Mapping[str, Any], expect: Mapping[str, Any], *, now: datetime
) -> Result:
    """One test. What cannot be played fails, with the reason."""
    try:
        read = scripts.read(script)
        at = read.begins(now)
        told = played(slug, document, read, at)
    except Refused as refusal:
        return Result(name, False, why=f"It cannot be played: {refusal}")
    if told.cut:
        return Result(name, False, why=told.cut)
    found = outcome(told, at)
    lines = compared(expect, found)
    return Result(name, all(line.mark == " " for line in lines), found, lines)


def run_all(
    slug: str, document: Any, tests: Iterable[JourneyTest], *, now: datetime
) -> Iterator[tuple[JourneyTest, Result]]:
    """These tests, within bounded time."""
    ends = time.monotonic() + SECONDS
    for test in tests:
        if time.monotonic() > ends:
            why = f"It was not played: those before it took more than {SECONDS:g} seconds."
            yield test, Result(test.name, False, why=why)
        else:
            yield test, run(slug, document, test.name, test.script, test.expect, now=now)


# ── What came of it ──────────────────────────────────────────────────────────────────────────────────────────────────
def outcome(told: Played, at: datetime) -> dict[str, Any]:
    """What was played, as an expectation has it: all that can be expected."""
    way = [f"{one['step']}/{one['arm']}" if one["arm"] else one["step"] for one in told.happened if _is_taken(one)]
    state = told.state if told.entered else scripts.KEPT_OUT
    return {
        "way": way,
        "messages": [_message(one, at) for one in told.messages if one["went"]],
        "state": state,
        **({"step": told.step} if state == EnrollmentState.ACTIVE else {}),
        "goal": told.converted_at is not None,
    }


def _is_taken(one: Mapping[str, Any]) -> bool:
    return bool(one["step"]) and one["what"] in ("advance", "leave")


def _message(one: Mapping[str, Any], since: datetime) -> dict[str, Any]:
    subject = {"subject": one["subject"]} if one.get("subject") else {}
    return {"step": one["step"], "after": lengths.written(one["at"] - since), **subject}


def subjects(messages: Sequence[Message], now: datetime) -> Mapping[UUID, Mapping[str, Any]]:
    """Of each message its subject as the person would read it; why not, where it cannot be filled in."""
    wishes = preferences.of(one.profile_id for one in messages if one.profile_id)
    desk = Desk(now, [(one, one.profile) for one in messages if one.profile])
    told = {}
    for one in messages:
        if one.profile is None:
            continue
        try:
            subject = desk.letter(one, one.profile, wishes[one.profile.pk], "").subject
        except Unsayable as unsayable:
            subject = f"It cannot be made: {unsayable}"
        told[one.pk] = {"subject": subject}
    return told


# ── How it differs ───────────────────────────────────────────────────────────────────────────────────────────────────
def compared(expect: Mapping[str, Any], found: Mapping[str, Any]) -> list[Line]:
    """Expected and found line by line, of what the expectation speaks of."""
    lines: list[Line] = []
    if "way" in expect:
        lines += _differing([_said(one) for one in expect["way"]], [_said(one) for one in found["way"]])
    if "messages" in expect:
        alike = _as_asked(expect["messages"], found["messages"])
        lines += _differing([_letter(one) for one in expect["messages"]], [_letter(one) for one in alike])
    for name in ("state", "step", "goal"):
        if name in expect:
            lines += _differing([_end(name, expect[name])], [_end(name, found.get(name))])
    return lines


def accepted(expect: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """What was found, of what the expectation speaks of."""
    alike = {name: found[name] for name in expect if name in found}
    if "messages" in alike:
        alike["messages"] = [dict(one) for one in _as_asked(expect["messages"], found["messages"])]
    return alike or {"state": found["state"]}


def _differing(expected: list[str], found: list[str]) -> list[Line]:
    lines = []
    for how, a, b, c, d in SequenceMatcher(None, expected, found, autojunk=False).get_opcodes():
        if how == "equal":
            lines += [Line(" ", text) for text in expected[a:b]]
        else:
            lines += [Line("-", text) for text in expected[a:b]] + [Line("+", text) for text in found[c:d]]
    return lines


def _as_asked(expected: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
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


def _said(place: str) -> str:
    step, _, arm = place.partition("/")
    return f"{step}, by the way {arm}" if arm else step


def _letter(one: Mapping[str, Any]) -> str:
    subject = f" “{one['subject']}”" if one.get("subject") else ""
    after = f", {_when(one['after'])}" if "after" in one else ""
    return f"Message{subject} of the step {one['step']}{after}"


def _when(after: Mapping[str, Any]) -> str:
    length = lengths.read(after, "after")
    return f"{lengths.said(length)} after the beginning" if length else "at once"


def _end(name: str, value: Any) -> str:
    match name:
        case "state":
            return f"{_STATES[value]}"
        case "step":
            return f"They stand at {value}" if value else "They stand nowhere"
    return "The goal is reached" if value else "The goal is not reached"
