"""Tests played against a document: what came of each, and how that differs from what was expected."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from consent import preferences
from foundation.errors import Refused
from journeys import simulating
from journeys.models import EnrollmentState
from journeys.simulating import Played
from journeys.testing import differing, lengths, scripts
from journeys.testing.differing import Line
from journeys.testing.models import JourneyTest
from journeys.testing.scripts import Script
from messaging.liquid import Unsayable
from messaging.models import Message
from messaging.rendering import Desk

SECONDS = 20.0
"""How long all tests of a journey may take together; what was not played then counts as failed."""


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
    lines = differing.compared(expect, found, document)
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
