"""Refusals of the domain: a sentence that says what is wrong, where, and what to do. Doors turn them into answers."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `path` as in `all[1].count.op` ("" for the whole), and a sentence."""

    path: str
    reason: str


class Refused(Exception):
    """The base of what the domain refuses; `str()` is the sentence for people."""


class Invalid(Refused):
    """The input cannot be taken as it is; every problem found, each with its path."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{p.path}: {p.reason}" if p.path else p.reason for p in problems))

    @classmethod
    def at(cls, path: str, reason: str) -> "Invalid":
        return cls([Problem(path, reason)])


class Conflict(Refused):
    """Good input that does not fit the state of things now."""
