"""What a condition's form is drawn of: words, fields, choices and buttons, in lines."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

_ROOMY = 14  # characters of a field that has room for its label


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    text: str
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class Control:
    """One thing in a line. `label` names it to those who do not see the line around it."""

    form: ClassVar[str]
    name: str = ""
    label: str = ""
    value: str = ""

    @property
    def id(self) -> str:
        return f"{self.form}-{self.name or self.value}".replace(".", "-").replace(":", "-")


@dataclass(frozen=True, kw_only=True)
class Words(Control):
    form = "words"


@dataclass(frozen=True, kw_only=True)
class Hidden(Control):
    form = "hidden"


@dataclass(frozen=True, kw_only=True)
class Entry(Control):
    """A field to type into. `suggestions`: the id of the list they stand in. `redraws`: what it says changes others."""

    form = "entry"
    kind: str = "text"
    size: int = 16
    mode: str = ""
    suggestions: str = ""
    redraws: bool = False

    @property
    def hint(self) -> str:
        """What stands in it while it is empty, for those who do not hear its label."""
        return f"{self.label} …" if self.kind == "text" and self.size >= _ROOMY else ""


@dataclass(frozen=True, kw_only=True)
class Area(Control):
    form = "area"


@dataclass(frozen=True, kw_only=True)
class Choice(Control):
    form = "choice"
    options: Sequence[Option] = ()
    redraws: bool = True

    @property
    def groups(self) -> list[tuple[str, list[Option]]]:
        """The options under their headings, one that is chosen but not among them before all."""
        found: dict[str, list[Option]] = {}
        if self.value not in {option.value for option in self.options}:
            found[""] = [Option(self.value, self.value or "choose …")]
        for option in self.options:
            found.setdefault(option.group, []).append(option)
        return list(found.items())


@dataclass(frozen=True, kw_only=True)
class Press(Control):
    """A button; `value` is what it does."""

    form = "press"
    text: str = ""
    icon: str = ""


@dataclass(slots=True)
class Drawn:
    """A field's controls: those in the line of the condition, and lines of their own below it."""

    line: list[Control] = field(default_factory=list)
    below: list[list[Control]] = field(default_factory=list)

    def add(self, other: "Drawn") -> None:
        self.line += other.line
        self.below += other.below
