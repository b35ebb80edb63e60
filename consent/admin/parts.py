"""Parts of staff pages that ask something: a form as a card, and bars that show how numbers went over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from foundation import wording
from foundation.pages import Part


@dataclass(frozen=True, kw_only=True)
class Field:
    """One question. `lines` makes it a text of several, `choices` one of them; `flaw` says what is wrong with it."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    required: bool = True
    lines: int = 0
    number: bool = False
    choices: Sequence[tuple[str, str]] = ()
    flaw: str = ""


@dataclass(frozen=True, kw_only=True)
class Form(Part):
    """Questions and a button; `do` is what it sends, `question` is asked first."""

    template: ClassVar[str] = "admin/consent/form.html"
    do: str
    button: str
    fields: Sequence[Field]
    question: str = ""
    danger: bool = False
    also: tuple[str, str] = ("", "")
    """A second button, which asks nothing: what it sends, and its words."""


@dataclass(frozen=True)
class Bar:
    """A stretch of time: `up` stands above the line and `down` below it; `tall` and `deep` in parts of the largest."""

    name: str
    up: int
    down: int
    tall: float
    deep: float

    @property
    def said(self) -> str:
        return f"{self.name}: {wording.amount(self.up)} yes, {wording.amount(self.down)} no"


@dataclass(frozen=True, kw_only=True)
class Bars(Part):
    """Numbers over time as bars, and the same as a table for who cannot see them."""

    template: ClassVar[str] = "admin/consent/bars.html"
    bars: Sequence[Bar]
    empty: str

    @property
    def any(self) -> bool:
        return any(bar.up or bar.down for bar in self.bars)


def bars(counted: Mapping[str, tuple[int, int]]) -> list[Bar]:
    """Bars of (yes, no) by the name of the stretch, all on one scale."""
    most = max((max(pair) for pair in counted.values()), default=0) or 1
    return [Bar(name, up, down, 100 * up / most, 100 * down / most) for name, (up, down) in counted.items()]
