"""Handing over: what a channel is, and all that may come of handing a message to it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar
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
    urgent: bool = False
    """Whether it is transactional."""
    profile: UUID | None = None
    """Whose it is, and in which language they are spoken to."""
    language: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the template chose among what the channel offers, such as how it is shown."""


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


class About(StrEnum):
    """What a refusal says something about: this message, all that goes to such a place, or the whole channel."""

    MESSAGE = "message"
    PLACE = "place"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class Later:
    """It was surely not taken, and may be if it is tried again."""

    reason: str
    about: About = About.MESSAGE


@dataclass(frozen=True, slots=True)
class Returned:
    """It was surely not taken and never will be. `gone`: since there is no such address."""

    reason: str
    gone: bool = False
    about: About = About.MESSAGE


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Nobody knows: the tie was cut when all was said and nothing was answered."""

    reason: str
    about: About = About.CHANNEL


Outcome = Accepted | Later | Returned | InDoubt


@dataclass(frozen=True, slots=True)
class Option:
    """What a template chooses beside its words: one of `among`, each a value and how it reads; the first is usual."""

    name: str
    label: str
    among: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Form:
    """What a template for a channel consists of: an editor asks for just that, and saving refuses the rest.

    `rich`: blocks of all kinds, with links and pictures; else only what can be said in plain text. `framed`: with the
    brand's head and foot around it. `longest`: of the plain text, in characters, when it is filled in.
    """

    has_subject: bool = True
    subject: str = "Subject"
    rich: bool = True
    framed: bool = False
    longest: int | None = None
    options: tuple[Option, ...] = ()


def _no_flaw(value: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that staff say of a channel, as text. `flaw` tells what is wrong with one ("must be …"), or nothing.

    `secret`: it can be written and is never shown again. `make`: we make it up ourselves when it is first needed, and
    staff only copy it (`shown`) or have it made anew (`renewable`).
    """

    name: str
    label: str
    help: str = ""
    required: bool = True
    secret: bool = False
    usual: str = ""
    lines: bool = False
    flaw: Callable[[str], str] = _no_flaw
    among: Callable[[], Sequence[tuple[str, str]]] | None = None
    make: Callable[[], str] | None = None
    shown: bool = False
    renewable: bool = False

    @property
    def is_sealed(self) -> bool:
        return self.secret or self.make is not None


class Unreachable(Exception):
    """The other side cannot be reached at all just now; nothing was handed over."""


class Line(ABC):
    """An open line to the other side, for one batch."""

    @abstractmethod
    def send(self, letter: Letter) -> Outcome:
        """Hands one over. What raises here counts as in doubt."""


class Channel(ABC):
    """A way to reach a person: what it asks of staff, of a template, and of a person, and how it hands over.

    Everything but `key`, `label`, `address` and `line` has a default that suits most.
    """

    key: ClassVar[str]
    label: ClassVar[str]
    """How it reads after "by": email, text message."""
    about: ClassVar[str] = ""
    """What it is, in a sentence for staff."""
    icon: ClassVar[str] = "send"
    form: ClassVar[Form] = Form()
    settings: ClassVar[tuple[Setting, ...]] = ()
    knows_doubles: ClassVar[bool] = False
    """Whether the other side tells a message that it got already by its id: then what is in doubt is sent again."""
    tells_clicks: ClassVar[bool] = False
    """Whether it tells of clicks itself: then links lead straight to where they lead."""
    can_test: ClassVar[bool] = True
    """Whether staff can have a few words sent by it, to see that it works."""
    test_to: ClassVar[str] = ""
    """What a test must be told, such as a phone number; "" if it knows where to go."""
    tries_on_person: ClassVar[bool] = False
    """Whether what goes by it lies with a person whom we know: a test needs one to be tried on."""

    @abstractmethod
    def address(self, profile: Profile) -> str:
        """Where the person is reached; "" if nowhere."""

    def addresses(self, profiles: Sequence[Profile]) -> dict[UUID, str]:
        """The same of many, by their ids; in one question where it takes one."""
        return {profile.id: self.address(profile) for profile in profiles}

    @contextmanager
    @abstractmethod
    def line(self) -> Iterator[Line]:
        """A line for as long as the block takes; `Unreachable` if there is none to be had."""
        yield  # type: ignore[misc]

    def takes(self, address: str) -> bool:
        """Whether anything could go there at all."""
        return bool(address)

    def place(self, address: str) -> str:
        """Who takes it there, where that matters to how fast it may go and to what is wrong when it fails."""
        return ""

    def told(self, address: str) -> str:
        """The address as staff read it."""
        return address

    def headers(self, envelope: "Envelope") -> dict[str, str]:
        """What goes with a message beside what is said."""
        return {}

    def copied(self) -> list[tuple[str, str, str]]:
        """What developers copy into other systems for it: what it is, the text itself, and what to do with it."""
        return []

    def hints(self, text: str, *, transactional: bool) -> list[str]:
        """What whoever writes this had better mind, a sentence each."""
        return []


def label(channel: str) -> str:
    """The channel in a sentence, also one that is no more."""
    found = CHANNELS.get(channel)
    return found.label if found else channel.replace("_", " ")


def told(channel: str, address: str) -> str:
    """Where a message went, as staff read it."""
    found = CHANNELS.get(channel)
    return found().told(address) if found and address else address


def form_of(channel: str) -> Form:
    """What a template for it consists of; of a channel that is no more, what most do."""
    found = CHANNELS.get(channel)
    return found.form if found else Form()
