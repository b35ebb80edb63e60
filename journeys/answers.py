"""All that a step may answer about somebody. The set is closed: the engine knows what to write for each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Advance:
    """Go on: into `arm`, or past the step. `learnt` is added to what the enrollment knows."""

    arm: str = ""
    reason: str = ""
    learnt: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Ask again at that moment."""

    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Ask again when the person does one of these, and at `until` in any case."""

    events: tuple[str, ...]
    until: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Leave:
    """The journey ends here for them."""

    reason: str


Answer = Advance | WaitUntil | WaitFor | Leave
