"""The two families of a journey: kinds of steps and kinds of triggers, each kind in a file of its own."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from foundation.errors import Problem
from foundation.registry import Family
from journeys.answers import Answer
from journeys.fields import Field, Key, Text, Use, check, joined, uses
from journeys.matching import Renames
from profiles.pulses import Triggering

if TYPE_CHECKING:
    from segments.membership import Change

steps: Family[type["Step"]] = Family("steps", "journeys.steps")
triggers: Family[type["Trigger"]] = Family("triggers", "journeys.triggers")

KEY = Key(name="key", label="Key")
LABEL = Text(name="label", label="Label", required=False, longest=200)
NOTE = Text(name="note", label="Note", required=False, longest=2_000)
"""What staff tell one another about a step; nobody on the journey sees it, and the engine does not know it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Somebody at a step: all that a step is told when it is asked."""

    id: UUID
    profile_id: UUID
    journey: str
    version_id: int
    entered_at: datetime
    step_entered_at: datetime
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm in a document: where it stands, what it says, and its own steps."""

    path: str
    given: Mapping[str, Any]
    steps: Sequence[Any]

    @property
    def key(self) -> str:
        return str(self.given["key"])


class Step:
    """A kind of step. It decides for many people at a time, and touches nothing of the engine's.

    `name` is the step's own key in its journey, `given` what the document says of it, without the steps of its arms.
    """

    key: ClassVar[str]
    label: ClassVar[str]
    example: ClassVar[Mapping[str, Any]]  # a sound one, as a document has it, without its own key
    icon: ClassVar[str] = "circle"
    about: ClassVar[str] = ""  # one line for those who choose among kinds
    fresh: ClassVar[Mapping[str, Any]] = {}  # what a new one begins with; it need not be sound yet
    one_of: ClassVar[Sequence[str]] = ()  # fields of which it has one and no more
    acts: ClassVar[bool] = False  # whether it does something for people, which may be left out for whom it is too late
    fields: ClassVar[Sequence[Field]] = ()
    arms_in: ClassVar[Sequence[str]] = ()  # fields that hold an arm, or a list of arms
    without_arms: ClassVar[Collection[str]] = ()  # those of them that may be absent
    arm_fields: ClassVar[Mapping[str, Sequence[Field]]] = {}  # what an arm says beside key, label and steps

    hangs_on: Collection[str] = ()  # values of the person: when one changes, whoever waits here is asked again
    priority: int = 0  # how its journey's messages stand to others, where there is room for one

    def __init__(self, name: str, given: Mapping[str, Any]) -> None:
        self.name, self.given = name, given
        self.prepare()

    def prepare(self) -> None:
        """Reads what was given, once: conditions are compiled here."""

    def sentence(self) -> str:
        """What happens here, for people."""
        raise NotImplementedError

    def arm_sentence(self, arm: Mapping[str, Any]) -> str:
        """Who goes this way, for people."""
        return str(arm.get("label") or arm["key"])

    def answer(self, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        """What becomes of each of these, at that moment: one answer a person, and nothing changed."""
        raise NotImplementedError

    def perform(self, people: Sequence[Standing], at: datetime) -> None:
        """Does, for those who go on, what the step is for: through verbs of lower apps, in the engine's transaction."""

    def begin(self, people: Sequence[Standing], at: datetime) -> None:
        """Does, for those who wait here, what must be there while they do. Called each time that they are asked."""

    # ── In a document ────────────────────────────────────────────────────────────────────────────────────────────────
    @classmethod
    def arms(cls, document: Mapping[str, Any], path: str) -> list[Arm]:
        """The arms of a document that is sound enough to have some."""
        found = []
        for name in cls.arms_in:
            value = document.get(name)
            rows = (
                [(f"[{place}]", row) for place, row in enumerate(value)] if isinstance(value, list) else [("", value)]
            )
            for place, row in rows:
                if isinstance(row, Mapping):
                    inner = row.get("steps")
                    found.append(Arm(f"{joined(path, name)}{place}", row, inner if isinstance(inner, list) else []))
        return found

    @classmethod
    def problems(cls, document: Mapping[str, Any], path: str) -> Iterator[Problem]:
        """What is wrong with the step itself; the steps in its arms are looked at by `journeys.documents`."""
        yield from check((*cls.fields, LABEL, NOTE), document, path, also=("key", "kind", *cls.arms_in))
        for name in cls.arms_in:
            if name in cls.without_arms and document.get(name) is None:
                continue
            yield from cls.arm_problems(name, document.get(name), joined(path, name))

    @classmethod
    def arm_problems(cls, name: str, value: Any, path: str) -> Iterator[Problem]:
        """What is wrong with the arms in one field: by default a list of at least one, with keys of their own."""
        if not isinstance(value, list) or not value:
            yield Problem(path, "must be a list with at least one arm")
            return
        if len(value) > 50:
            yield Problem(path, "has more than 50 arms")
            return
        for place, row in enumerate(value):
            yield from arm_problems(row, f"{path}[{place}]", cls.arm_fields.get(name, ()))
        yield from repeated(
            ((f"{path}[{n}].key", row.get("key")) for n, row in enumerate(value) if isinstance(row, Mapping))
        )

    @classmethod
    def uses(cls, document: Mapping[str, Any], path: str) -> Iterator[Use]:
        """What a valid step relies on."""
        yield from uses(cls.fields, document, path)
        for name in cls.arms_in:
            value = document.get(name)
            rows = [(f"[{n}]", row) for n, row in enumerate(value)] if isinstance(value, list) else [("", value)]
            for place, row in rows:
                yield from uses(cls.arm_fields.get(name, ()), row or {}, f"{joined(path, name)}{place}")

    @classmethod
    def leads_to(cls, document: Mapping[str, Any]) -> str:
        """The slug of the journey that a valid step starts; "" where it starts none."""
        return ""

    @classmethod
    def without_steps(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """What the document says of the step, without the steps of its arms, and without what staff noted."""
        given = {name: value for name, value in document.items() if name != "note"}
        for name in cls.arms_in:
            value = given.get(name)
            if isinstance(value, list):
                given[name] = [_bare(arm) for arm in value]
            elif value is not None:
                given[name] = _bare(value)
        return given


def _bare(arm: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arm.items() if name != "steps"}


def arm_problems(row: Any, path: str, fields: Sequence[Field]) -> Iterator[Problem]:
    """What is wrong with one arm."""
    if not isinstance(row, Mapping):
        yield Problem(path, "must be an arm: an object with a key and steps")
        return
    yield from check([KEY, LABEL, *fields], row, path, also=("steps",))
    if row.get("steps") is not None and not isinstance(row["steps"], list):
        yield Problem(joined(path, "steps"), "must be a list of steps")


def repeated(keys: Iterable[tuple[str, Any]]) -> Iterator[Problem]:
    """Names each place whose key was taken before it."""
    taken: set[str] = set()
    for path, key in keys:
        if isinstance(key, str) and key in taken:
            yield Problem(path, f"the key {key!r} is taken already")
        elif isinstance(key, str):
            taken.add(key)


# ── Triggers ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Happened:
    """What a pass of the engine found: events that may trigger, and changes of membership that may."""

    events: Sequence[Triggering] = ()
    changes: "Sequence[Change]" = ()
    renames: Renames = field(default_factory=Renames)


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody who is about to enter: as of when, by what key, for which reason, and what the journey knows of it."""

    profile_id: UUID
    key: str
    at: datetime
    reason: str
    context: Mapping[str, Any]


class Trigger:
    """A kind of trigger: what of all that happened lets somebody enter."""

    key: ClassVar[str]
    label: ClassVar[str]
    example: ClassVar[Mapping[str, Any]]
    icon: ClassVar[str] = "bolt"
    about: ClassVar[str] = ""
    fields: ClassVar[Sequence[Field]] = ()

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = given
        self.prepare()

    def prepare(self) -> None:
        """Reads what was given, once."""

    def sentence(self) -> str:
        """Who enters, for people: what stands after "Starts when"."""
        raise NotImplementedError

    def entries(self, happened: Happened, at: datetime) -> Iterator[Entry]:
        """Those whom this lets in, in the order of what happened."""
        return iter(())

    def members(self) -> str:
        """The slug of the segment whose members may be entered when the journey is launched; "" where there is none."""
        return ""

    @classmethod
    def problems(cls, document: Mapping[str, Any], path: str) -> Iterator[Problem]:
        yield from check(cls.fields, document, path, also=("kind",))

    @classmethod
    def uses(cls, document: Mapping[str, Any], path: str) -> Iterator[Use]:
        yield from uses(cls.fields, document, path)
