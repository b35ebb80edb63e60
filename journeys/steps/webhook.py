"""Calls an endpoint of somebody's, and waits for what it answers; whatever that is, the journey goes on."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from foundation import addresses
from foundation.errors import Conflict, Problem
from journeys import calling, filling, hours
from journeys.answers import Advance, Answer, Leave, WaitFor
from journeys.fields import Choice, Duration, Field, duration, joined
from journeys.filling import Liquid
from journeys.kinds import Standing, Step, steps
from messaging import liquid
from messaging.liquid import Program, Unsayable
from profiles.models import Profile

PATIENCE = timedelta(days=1)
_LARGEST, _DEEPEST, _LONGEST_KEY = 20_000, 10, 250
_MOST = 200_000  # bytes of a body, filled in
_ALONE = re.compile(r"\s*\{\{\s*(profile|account|event|data)((?:\.[A-Za-z_][A-Za-z0-9_]*)+)\s*\}\}\s*\Z")
_GO_ON, _LEAVE, _PARK = "go_on", "leave", "park"


@dataclass(frozen=True, kw_only=True)
class Address(Field):
    """Where a call goes. Where its name leads is asked at every call."""

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if flaw := addresses.flaw(value):
            yield Problem(path, flaw)


@dataclass(frozen=True, kw_only=True)
class Body(Field):
    """JSON, of whose texts each may have Liquid in it."""

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        try:
            size = len(json.dumps(value, allow_nan=False).encode())
        except (ValueError, TypeError, RecursionError):
            size = _LARGEST + 1
        if not isinstance(value, Mapping):
            yield Problem(path, 'must be an object, such as {"name": "{{ profile.first_name }}"}')
        elif size > _LARGEST:
            yield Problem(path, f"must be JSON of at most {_LARGEST} bytes")
        else:
            yield from self._look(value, path, 1)

    def _look(self, value: Any, path: str, depth: int) -> Iterator[Problem]:
        if depth > _DEEPEST:
            yield Problem(path, f"lies more than {_DEEPEST} deep")
        elif isinstance(value, Mapping):
            for name, inner in value.items():
                if "\x00" in name or not name:
                    yield Problem(path, "holds a name that cannot be sent")
                yield from self._look(inner, joined(path, name), depth + 1)
        elif isinstance(value, list):
            for place, inner in enumerate(value):
                yield from self._look(inner, f"{path}[{place}]", depth + 1)
        elif isinstance(value, str):
            if "\x00" in value:
                yield Problem(path, "holds a character that cannot be stored")
            yield from filling.flaws(value, path)


@steps.register
class Webhook(Step):
    key = "webhook"
    label = "Call a webhook"
    icon = "webhook"
    about = "Tells a program of yours, and may go on by what it answers."
    acts = True
    example = {
        "kind": "webhook",
        "url": "https://example.com/hooks/cairn",
        "body": {"plan": "{{ profile.plan }}"},
        "once_per": "{{ event.order_id }}",
    }
    fields = (
        Address(name="url", label="Address"),
        Body(name="body", label="What is sent", required=False),
        Liquid(name="once_per", label="One call for each", required=False, longest=500),
        Duration(name="timeout", label="Go on without an answer after", required=False),
        Choice(name="failure", label="When it is not taken", required=False, among=(_GO_ON, _LEAVE, _PARK)),
    )

    def prepare(self) -> None:
        self.url = str(self.given["url"])
        self.once_per = Program(self.given["once_per"]) if self.given.get("once_per") else None
        self.body = _compiled(self.given["body"]) if self.given.get("body") is not None else None
        timeout = self.given.get("timeout")
        self.patience = duration(timeout).length if timeout else PATIENCE
        self.failure = self.given.get("failure") or _GO_ON

    def sentence(self) -> str:
        parts = urlsplit(self.url)
        then = {_GO_ON: "", _LEAVE: ", and leave if it is not taken", _PARK: ", and stop here if it is not taken"}
        return f"Call {parts.netloc}{parts.path if parts.path != '/' else ''}{then[self.failure]}"

    # ── What becomes of whom ─────────────────────────────────────────────────────────────────────────────────────────
    def answer(self, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        known = calling.answers(self.name, [one.id for one in people])
        return {one.id: self._decided(one, known.get(one.id), at) for one in people}

    def _decided(self, one: Standing, found: calling.Answered | None, at: datetime) -> Answer:
        until = one.step_entered_at + self.patience
        if found and found.counts(one.step_entered_at):
            return self._answered(one, found)
        if until <= at:
            return self._answered(one, calling.NOBODY)
        return WaitFor((calling.ANSWERED,), until, "Waits for the webhook to be answered.")

    def _answered(self, one: Standing, found: calling.Answered) -> Answer:
        said = {**found.answer, "ok": found.ok, "status": found.status}
        learnt = {"answers": {**one.context.get("answers", {}), self.name: said}}
        if found.ok:
            return Advance(reason=f"The webhook was taken. {found.reason}", learnt=learnt)
        reason = f"The webhook was not taken. {found.reason}"
        if self.failure == _LEAVE:
            return Leave(reason)
        if self.failure == _PARK:
            raise Conflict(reason)
        return Advance(reason=reason, learnt=learnt)

    def begin(self, people: Sequence[Standing], at: datetime) -> None:
        known = calling.answers(self.name, [one.id for one in people])
        new = [one for one in people if one.id not in known or known[one.id].is_of_before(one.step_entered_at)]
        if not new:
            return
        profiles = Profile.objects.select_related("account").in_bulk([one.profile_id for one in new])
        given = [self._call(one, profiles[one.profile_id], at) for one in new]
        calling.give(given, step=self.name, url=self.url, now=at)

    def perform(self, people: Sequence[Standing], at: datetime) -> None:
        calling.give_up(self.name, [one.id for one in people], now=at)

    # ── What is sent ─────────────────────────────────────────────────────────────────────────────────────────────────
    def _call(self, one: Standing, profile: Profile, at: datetime) -> calling.Given:
        known, zone = filling.values(one, profile), hours.zone(profile.timezone)
        end = liquid.end()

        def fill(program: Program) -> str | None:
            try:
                return program.fill(known, zone=zone, ends_at=end)
            except Unsayable:
                return None

        body = self.body.filled(known, fill) if self.body else self._as_usual(one, profile, at)
        text = json.dumps(body, allow_nan=False)
        if len(text) > _MOST:
            raise Conflict(f"What would be sent is longer than {_MOST:,} bytes.")
        key = (fill(self.once_per) or "").strip() if self.once_per else ""
        if len(key) > _LONGEST_KEY or "\x00" in key:
            key = f"sha256:{sha256(key.encode(errors='replace')).hexdigest()}"
        return calling.Given(one.id, key, text, one.step_entered_at + self.patience)

    def _as_usual(self, one: Standing, profile: Profile, at: datetime) -> dict[str, Any]:
        """What is sent where the document says nothing: who, where, and what started it."""
        return {
            "type": "journey.webhook",
            "timestamp": at.isoformat(),
            "data": {
                "journey": one.journey,
                "step": self.name,
                "enrollment": str(one.id),
                "profile": str(one.profile_id),
                "external_id": profile.external_id,
                "event": one.context.get("event"),
                "data": filling.data(one.context),
            },
        }


class _Part:
    """A part of a body, read once and filled in for many."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def filled(self, known: Mapping[str, Any], fill: Any) -> Any:
        return self.value


class _Object(_Part):
    def filled(self, known: Mapping[str, Any], fill: Any) -> Any:
        return {name: part.filled(known, fill) for name, part in self.value.items()}


class _List(_Part):
    def filled(self, known: Mapping[str, Any], fill: Any) -> Any:
        return [part.filled(known, fill) for part in self.value]


class _Text(_Part):
    """A text with Liquid in it; null where it cannot be filled in for this person."""

    def filled(self, known: Mapping[str, Any], fill: Any) -> Any:
        return fill(self.value)


class _Value(_Part):
    """`{{ profile.seats }}` alone: the value itself, be it a number, a list, or nothing."""

    def filled(self, known: Mapping[str, Any], fill: Any) -> Any:
        found: Any = known
        for name in self.value:
            found = found.get(name) if isinstance(found, Mapping) else None
        if isinstance(found, datetime):
            return found.isoformat()
        return found


def _compiled(value: Any) -> _Part:
    if isinstance(value, Mapping):
        return _Object({name: _compiled(inner) for name, inner in value.items()})
    if isinstance(value, list):
        return _List([_compiled(inner) for inner in value])
    if isinstance(value, str) and ("{{" in value or "{%" in value):
        alone = _ALONE.match(value)
        return _Value([alone[1], *alone[2].split(".")[1:]]) if alone else _Text(Program(value))
    return _Part(value)
