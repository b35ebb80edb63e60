"""Messages of a play as people would read them, and what the guardrails would say of each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from consent.models import ConsentState, State
from foundation.wording import exact
from journeys.simulating import Reader
from messaging import dispatch, judging
from messaging.judging import Block, Candidate, Defer, Verdict
from messaging.liquid import Unsayable
from messaging.models import Message
from messaging.rendering import Desk


def reader(*, agreed: bool) -> Reader:
    """Tells of each message how it reads, and its verdict; `agreed`: as if they had agreed to every topic."""

    def read(messages: Sequence[Message], now: datetime) -> Mapping[UUID, Mapping[str, Any]]:
        going = dispatch.candidates(messages, now)
        if agreed:
            going = [replace(one, consent=_granted(one, now)) for one in going]
        # What counts how much goes out is not asked: nothing of this does.
        judged = judging.judge(going, now, [rail for rail in judging.in_order() if not rail.uses_up])
        desk = Desk(now, [(one.message, one.profile) for one in going])
        return {one.id: {**_read(desk, one), "verdict": _said(judged[one.id].verdict, one)} for one in going}

    return read


def _granted(one: Candidate, now: datetime) -> ConsentState:
    return ConsentState(topic=one.topic.slug, channel=one.channel, state=State.GRANTED, since=now)


def _read(desk: Desk, one: Candidate) -> dict[str, str]:
    try:
        letter = desk.letter(one.message, one.profile, one.preference, one.address)
    except Unsayable as unsayable:
        return {"subject": "", "html": "", "text": "", "unsayable": str(unsayable)}
    return {"subject": letter.subject, "html": letter.html, "text": letter.text, "address": letter.address}


def _said(verdict: Verdict, one: Candidate) -> tuple[str, str]:
    """A tone, and a sentence; who is made up and has no name is not called by an id."""
    unnamed = str(one.profile) if str(one.profile) == one.profile.external_id else ""
    match verdict:
        case Block(reason):
            tone, said = "bad", f"It would be stopped: {reason}"
        case Defer(until, reason):
            tone, said = "warn", f"It would wait until {exact(until)}: {reason}"
        case _:
            return "good", "It would go."
    return tone, said.replace(unnamed, "This person") if unnamed else said
