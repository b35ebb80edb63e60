"""How a field of a block is asked for: the words on it, what of its form is read, and what it is drawn as.

A block says for each of its fields which shape it has; a field that says nothing is a text of several lines. So a new
kind of block has its form with its declaration.
"""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from django.http import QueryDict

from messaging.building import Block

_WHOLE = re.compile(r"-?\d{1,9}\Z")


@dataclass(frozen=True)
class Shape:
    """`empty` is what a new block holds; `fills` says whether values of the person can be put into it."""

    key: ClassVar[str]
    fills: ClassVar[bool] = False
    styles: ClassVar[bool] = False

    def empty(self) -> Any:
        return ""

    def read(self, data: QueryDict, name: str) -> Any:
        """What the form says, as a block would hold it; what cannot be that stays as it was typed."""
        return said(data.get(name, ""))

    def is_empty(self, value: Any) -> bool:
        return value in ("", None, [])


class Text(Shape):
    key = "text"
    fills = True
    styles = True


class Line(Shape):
    key = "line"
    fills = True


class PlainLine(Shape):
    """Words that are the same for everybody."""

    key = "plain line"


class Address(Shape):
    key = "address"
    fills = True


class Number(Shape):
    key = "number"

    def read(self, data: QueryDict, name: str) -> Any:
        typed = said(data.get(name, "")).strip()
        return int(typed) if _WHOLE.match(typed) else typed


class YesNo(Shape):
    key = "yes or no"

    def empty(self) -> Any:
        return False

    def read(self, data: QueryDict, name: str) -> Any:
        return data.get(name) == "on"

    def is_empty(self, value: Any) -> bool:
        return not value


class Texts(Shape):
    """Several texts; those that are empty are left out when it is saved."""

    key = "texts"
    fills = True
    styles = True

    def empty(self) -> Any:
        return [""]

    def read(self, data: QueryDict, name: str) -> Any:
        return [said(one) for one in data.getlist(name)]


class Source(Shape):
    """What is written by hand: no buttons for styles, and every character counts."""

    key = "source"
    fills = True


class Snippet(Shape):
    """One of the snippets that there are."""

    key = "snippet"


class Columns(Shape):
    """Blocks side by side. What stands in them is read by the whole form, since blocks move in and out."""

    key = "columns"

    def empty(self) -> Any:
        return [[], []]


SHAPES: dict[str, Shape] = {
    shape.key: shape() for shape in (Text, Line, PlainLine, Address, Number, YesNo, Texts, Source, Snippet, Columns)
}


def of(block: type[Block], field: str) -> Shape:
    named = block.shapes.get(field, "address" if field in ("href", "src") else "text")
    return SHAPES.get(named, SHAPES["text"])


def label(block: type[Block], field: str) -> str:
    """The start of the sentence that the block has on its field: `What it says`."""
    words = block.fields[field].partition(",")[0].removeprefix("whether ").strip()
    return words[:1].upper() + words[1:]


def hint(block: type[Block], field: str) -> str:
    """The rest of that sentence."""
    if of(block, field).styles:
        return ""  # the buttons above it say the same
    words = block.fields[field].partition(",")[2].strip()
    return words[:1].upper() + words[1:]


def said(text: str) -> str:
    """As forms send it, but with line breaks as everything else has them."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
