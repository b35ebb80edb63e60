"""Parts people by chance: each person's share is drawn by a hash, and kept, so that nobody is ever moved."""

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import accumulate
from typing import Any
from uuid import UUID

from foundation.errors import Problem
from foundation.sql import statements
from journeys.answers import Advance, Answer
from journeys.fields import Field, Text
from journeys.kinds import Standing, Step, steps
from journeys.models import Assignment

BUCKETS = 10_000
_sql = statements("journeys", "engine")


@dataclass(frozen=True, kw_only=True)
class Weight(Field):
    """How large the share is, next to the others'."""

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1_000_000:
            yield Problem(path, "must be a number above 0: the size of the share, next to the others'")


def bucket(salt: str, unit: object) -> int:
    """The first 8 bytes of SHA-256 of `salt:unit` as a number, modulo 10,000 (docs/journeys.md has examples)."""
    return int.from_bytes(sha256(f"{salt}:{unit}".encode()).digest()[:8]) % BUCKETS


@steps.register
class Split(Step):
    key = "split"
    label = "Split by chance"
    icon = "shuffle"
    about = "Parts people by chance, to compare two ways."
    fresh = {
        "arms": [
            {"key": "a", "label": "A", "weight": 50, "steps": []},
            {"key": "b", "label": "B", "weight": 50, "steps": []},
        ]
    }
    example = {
        "kind": "split",
        "arms": [{"key": "a", "weight": 50, "steps": []}, {"key": "b", "weight": 50, "steps": []}],
    }
    arms_in = ("arms",)
    fields = (Text(name="salt", label="Salt: splits with the same one part people alike", required=False, longest=100),)
    arm_fields = {"arms": (Weight(name="weight", label="Share"),)}

    def prepare(self) -> None:
        self.arms_given = list(self.given["arms"])
        weights = [float(arm["weight"]) for arm in self.arms_given]
        self.edges = [edge / sum(weights) * BUCKETS for edge in accumulate(weights)]

    def sentence(self) -> str:
        return "Go one of these ways, by chance"

    def arm_sentence(self, arm: Mapping[str, Any]) -> str:
        share = float(arm["weight"]) / sum(float(one["weight"]) for one in self.arms_given)
        return f"{arm.get('label') or arm['key']} ({share:.0%})"

    def drawn(self, journey: str, unit: object) -> str:
        """The arm that the hash gives to a person."""
        number = bucket(self.given.get("salt") or f"{journey}:{self.name}", unit)
        return str(self.arms_given[min(bisect_right(self.edges, number), len(self.edges) - 1)]["key"])

    def answer(self, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        known = {arm["key"] for arm in self.arms_given}
        kept = Assignment.of(people[0].journey, self.name, [one.profile_id for one in people])
        arms = {one.id: kept.get(one.profile_id, "") for one in people}
        for one in people:
            if arms[one.id] not in known:
                arms[one.id] = self.drawn(one.journey, one.profile_id)
        answers = {arm: Advance(arm, "By chance.", {"variant": arm}) for arm in set(arms.values())}
        return {id: answers[arm] for id, arm in arms.items()}

    def perform(self, people: Sequence[Standing], at: datetime) -> None:
        # Who has an arm already keeps it, also where a second worker draws at the same moment: the hash is the same.
        drawn = [(one.profile_id, self.drawn(one.journey, one.profile_id)) for one in people]
        params = {
            "journey": people[0].journey,
            "step": self.name,
            "profiles": [profile for profile, _ in drawn],
            "arms": json.dumps([arm for _, arm in drawn]),
            "at": at,
        }
        _sql.run("assign", params)
