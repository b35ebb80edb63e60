"""Handing over: what a channel is, and all that may come of handing a message to it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

from foundation.registry import Family
from profiles.models import Profile

CHANNELS: Family[type["Channel"]] = Family("channels", "messaging.channels")


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it is handed over: finished, addressed, and committed to the outbox as such."""

    id: UUID
    channel: str
    message_id: str
    sender: str
    address: str
    subject: str
    html: str
    text: str
    headers: dict[str, str] = field(default_factory=dict)
    links: dict[str, int] = field(default_factory=dict)
    """Where its tracked links lead, each with its place."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of a message beside what it says; nothing in it names the person but `unsubscribe`.

    `campaign` is the journey or template that it is part of, `domain` is ours.
    """

    topic: str
    transactional: bool
    campaign: str
    domain: str
    unsubscribe: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """It was taken; `provider_id` is what the other side calls it, if it said so."""

    provider_id: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """It was surely not taken, and may be if it is tried again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Returned:
    """It was surely not taken and never will be. `gone`: since there is no such address."""

    reason: str
    gone: bool = False


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Nobody knows: the tie was cut when all was said and nothing was answered."""

    reason: str


Outcome = Accepted | Later | Returned | InDoubt


class Unreachable(Exception):
    """The other side cannot be reached at all just now; nothing was handed over."""


class Line(ABC):
    """An open line to the other side, for one batch."""

    @abstractmethod
    def send(self, letter: Letter) -> Outcome:
        """Hands one over. What raises here counts as in doubt."""


class Channel(ABC):
    """A way to reach a person."""

    key: ClassVar[str]
    label: ClassVar[str]
    """How it reads after "by": email, text message."""

    @abstractmethod
    def address(self, profile: Profile) -> str:
        """Where the person is reached; "" if nowhere."""

    @contextmanager
    @abstractmethod
    def line(self) -> Iterator[Line]:
        """A line for as long as the block takes; `Unreachable` if there is none to be had."""
        yield  # type: ignore[misc]

    def takes(self, address: str) -> bool:
        """Whether anything could go there at all."""
        return bool(address)

    def headers(self, envelope: "Envelope") -> dict[str, str]:
        """What goes with a message beside what is said."""
        return {}


def label(channel: str) -> str:
    """The channel in a sentence, also one that is no more."""
    found = CHANNELS.get(channel)
    return found.label if found else channel.replace("_", " ")
