"""Who enters a journey and who does not, with the reason of either. To be called under the locks of the people."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from foundation.sql import statements
from foundation.wake import wake
from foundation.wording import span
from journeys import names, pausing, reentry
from journeys.fields import condition, said
from journeys.kinds import Entry, Happened
from journeys.models import EnrollmentState, Journey, Refusal
from journeys.program import Program
from journeys.triggers import segment_entered
from journeys.walking import Traveller, Walk
from segments.language import Asked

_sql = statements("journeys", "engine")
Cause = Refusal.Cause
_LONGEST_KEY = 250


@dataclass(frozen=True, slots=True)
class Refused:
    """Somebody who does not enter."""

    entry: Entry
    cause: Refusal.Cause
    reason: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry with the id and the key that it will have."""

    id: UUID
    entry: Entry
    key: str


@dataclass
class Gate:
    """The way into one journey, as of now."""

    journey: Journey
    program: Program
    now: datetime
    refused: list[Refused] = field(default_factory=list)
    why: str = ""  # the last refusal, in words

    def happened(self, happened: Happened) -> list[Entry]:
        """Whom what happened would let in, each at most once by each trigger."""
        return [entry for trigger in self.program.triggers for entry in trigger.entries(happened, self.now)]

    def admit(self, entries: Sequence[Entry], walk: Walk) -> list[Traveller]:
        """Lets in those who may; those who may not are remembered with the reason. They stand before the first step."""
        if not entries:
            return []
        if self.journey.status == Journey.Status.PAUSED:
            self._while_paused(entries)
            candidates = []
        else:
            candidates = self._by_rule(sorted(entries, key=lambda entry: entry.at))
        entered = self._enter(candidates, walk)
        self._write_refusals()
        return entered

    def _while_paused(self, entries: Sequence[Entry]) -> None:
        if self.journey.queues_entries:
            pausing.keep(self.journey, entries)
            self.why = "The journey is paused: they enter when it is resumed."
        else:
            self._refuse(entries, Cause.PAUSED, "The journey was paused.")

    # ── The rule of re-entry ─────────────────────────────────────────────────────────────────────────────────────────
    def _by_rule(self, entries: Sequence[Entry]) -> list[Candidate]:
        """Those whom the rule and then the filter let in, the earliest of several of one person first."""
        candidates, missing = [], f"What happened has no {self.program.rule.key}, which tells one from another."
        for entry in entries:
            key = self._key(entry)
            if key is None:
                self._refuse([entry], Cause.NO_KEY, missing)
            else:
                candidates.append(Candidate(uuid4(), entry, key))
        past = self._past(candidates)
        met = self._met([one for one in candidates if self._may(one, past)])
        # Once more, as each who enters is part of the past of who comes next.
        return [one for one in met if self._may(one, past) and past[one.entry.profile_id].enter(one, self.now)]

    def _may(self, one: Candidate, past: "Mapping[UUID, Past]") -> bool:
        refusal = against(self.program.rule, past[one.entry.profile_id], one.key, self.now)
        if refusal:
            self._refuse([one.entry], *refusal)
        return refusal is None

    def _key(self, entry: Entry) -> str | None:
        """What makes this entry the same as another; None where the property that should say so is missing."""
        key = entry.key
        if self.program.rule.key and "event" in entry.context:
            value = entry.context["event"]["properties"].get(self.program.rule.key)
            if value is None:
                return None
            key = f"{self.program.rule.key}:{value if isinstance(value, str) else json.dumps(value, sort_keys=True)}"
        return key if len(key) <= _LONGEST_KEY else f"sha256:{sha256(key.encode()).hexdigest()}"

    def _past(self, candidates: Sequence[Candidate]) -> "dict[UUID, Past]":
        past = {one.entry.profile_id: Past() for one in candidates}
        params = {"journey": self.journey.pk, "profiles": list(past), "keys": list({one.key for one in candidates})}
        for profile, active, last, keys in _sql.rows("past", params) if past else []:
            past[profile] = Past(active, last, set(keys))
        return past

    # ── The filter ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _met(self, candidates: list[Candidate]) -> list[Candidate]:
        """Those for whom the filter holds now; of the others it is remembered which part did not."""
        if self.program.filter is None or not candidates:
            return candidates
        met = self.program.filter.matching_each([self._asked(one) for one in candidates], at=self.now)
        self._say_what_was_missing([one for one in candidates if one.id not in met])
        return [one for one in candidates if one.id in met]

    def _say_what_was_missing(self, candidates: Sequence[Candidate]) -> None:
        """One question a part of the filter, for all who were kept out."""
        if not candidates:
            return
        given = self.program.filter_given
        parts = given["all"] if isinstance(given, Mapping) and given.get("all") else [given]
        missing: dict[UUID, list[str]] = {one.id: [] for one in candidates}
        for part in parts:
            compiled = condition(part)
            met = compiled.matching_each([self._asked(one) for one in candidates], at=self.now)
            for one in candidates:
                if one.id not in met:
                    missing[one.id].append(said(compiled))
        for one in candidates:
            self._refuse([one.entry], Cause.FILTER, f"They are not among {', nor among '.join(missing[one.id])}.")

    def _asked(self, one: Candidate) -> Asked:
        return Asked(one.id, one.entry.profile_id, min(one.entry.at, self.now), self.now, None)

    # ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def _enter(self, candidates: Sequence[Candidate], walk: Walk) -> list[Traveller]:
        program = self.program
        if not candidates or program.first is None:
            return []
        params = {
            "journey": self.journey.pk,
            "version": program.version_id,
            "step": program.first,
            "now": self.now,
            "exclusive": program.rule.exclusive,
            "rows": json.dumps([self._row(one) for one in candidates]),
        }
        # Whoever is left out was entered by somebody without the person's lock: the constraints have the last word.
        entered = {id for (id,) in _sql.rows("enter", params)}
        kind = program.nodes[program.first].kind
        travellers = []
        for one in candidates:
            if one.id in entered:
                traveller = self._traveller(one)
                walk.entered(traveller, kind, one.entry.reason)
                travellers.append(traveller)
        return travellers

    def _row(self, one: Candidate) -> dict[str, Any]:
        return {
            "id": str(one.id),
            "profile": str(one.entry.profile_id),
            "entered": min(one.entry.at, self.now).isoformat(),
            "key": one.key,
            "context": one.entry.context,
        }

    def _traveller(self, one: Candidate) -> Traveller:
        return Traveller(
            id=one.id,
            journey_id=self.journey.pk,
            version_id=self.program.version_id,
            profile_id=one.entry.profile_id,
            step=self.program.first or "",
            state=EnrollmentState.ACTIVE,
            due_at=self.now,
            awaits=[],
            entered_at=min(one.entry.at, self.now),
            step_entered_at=self.now,
            context=dict(one.entry.context),
            passed=[],
            attempts=0,
            converted_at=None,
        )

    def _refuse(self, entries: Iterable[Entry], cause: Refusal.Cause, reason: str) -> None:
        self.refused += [Refused(entry, cause, reason) for entry in entries]
        self.why = reason

    def _write_refusals(self) -> None:
        write_refusals(self.journey, self.refused, self.now)
        self.refused = []


def write_refusals(journey: Journey, refusals: Sequence[Refused], now: datetime) -> None:
    """Remembers who did not enter; several of one person for one cause are one row, counted."""
    latest: dict[tuple[UUID, Refusal.Cause], tuple[Refused, int]] = {}
    for refused in refusals:
        key = (refused.entry.profile_id, refused.cause)
        latest[key] = (refused, latest[key][1] + 1 if key in latest else 1)
    if not latest:
        return
    rows = [latest[key] for key in sorted(latest)]
    _sql.run(
        "refuse",
        {
            "journeys": [journey.pk] * len(rows),
            "profiles": [refused.entry.profile_id for refused, _ in rows],
            "causes": [refused.cause.value for refused, _ in rows],
            "moments": [now] * len(rows),
            "keys": [refused.entry.key[:_LONGEST_KEY] for refused, _ in rows],
            "times": [times for _, times in rows],
            "reasons": [refused.reason for refused, _ in rows],
        },
    )


def put_forward(journey: Journey, entries: Sequence[Entry], now: datetime) -> None:
    """Lets in, in the caller's transaction, those of these whom the journey takes, and remembers why the others not.

    They stand before its first step and are due now: `engine.advance` leads them on, in a transaction of its own.
    """
    walk = Walk.at(now)
    gate = next(iter(gates([journey], walk)), None)
    if gate is None or journey.status not in (Journey.Status.LIVE, Journey.Status.PAUSED):
        _turn_away(journey, entries, now)
    else:
        gate.admit(entries, walk)
        walk.write()
        wake("journeys.advance")


def _turn_away(journey: Journey, entries: Sequence[Entry], now: datetime) -> None:
    refused = [Refused(entry, Cause.NOT_LIVE, f"The journey {journey.name} is not live.") for entry in entries]
    write_refusals(journey, refused, now)


def members_of(gate: Gate, limit: int) -> list[Entry]:
    """The next of those who were in the segments of the journey's triggers when it was launched, in order of id."""
    slugs = [slug for slug in (trigger.members() for trigger in gate.program.triggers) if slug]
    params = {"slugs": slugs, "after": gate.journey.entered_up_to, "since": gate.journey.entering_after, "limit": limit}
    with names.known(names.segments(slugs)):
        called = {slug: names.of("segment", slug) for slug in slugs}
    return [
        Entry(
            profile_id=profile,
            key=segment_entered.key_of("segment_entered", slug, at),
            at=gate.now,
            reason=f"They were in the segment {called[slug]} when the journey was launched.",
            context={"segment": slug},
        )
        for profile, slug, at in _sql.rows("members", params)
    ]


def against(rule: reentry.Rule, past: "Past", key: str, now: datetime) -> tuple[Refusal.Cause, str] | None:
    """Why the rule keeps somebody with this past out."""
    if rule.rule == reentry.EVERY_TIME:
        return (Cause.SAME_KEY, "They entered for the same thing before.") if key in past.keys else None
    if past.active:
        return Cause.ON_THE_WAY, "They are on the way already."
    if past.last is None:
        return None
    if rule.rule == reentry.ONCE:
        return Cause.TOOK_PART, "They took part already, and the journey takes everybody once."
    if key in past.keys:
        return Cause.SAME_KEY, "They entered for the same thing before."
    if past.last + rule.gap > now:
        return Cause.TOO_SOON, f"They took part less than {span(rule.gap)} ago."
    return None


@dataclass
class Past:
    """What somebody has done in a journey so far, this batch included."""

    active: bool = False
    last: datetime | None = None
    keys: set[str] = field(default_factory=set)

    def enter(self, one: Candidate, now: datetime) -> bool:
        self.active, self.last = True, min(one.entry.at, now)
        self.keys.add(one.key)
        return True


def gates(journeys: Collection[Journey], walk: Walk) -> list[Gate]:
    """The gates of these journeys, in order of their ids; one whose version cannot be read has none."""
    known = walk.programs_of({journey.version_id for journey in journeys if journey.version_id})
    return [
        Gate(journey, known[journey.version_id], walk.now)
        for journey in sorted(journeys, key=lambda journey: journey.pk)
        if journey.version_id in known
    ]
