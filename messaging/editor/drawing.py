"""What the editor's page shows of a template under way: a box for each block, with its fields and its notes."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

from messaging import dynamic
from messaging.building import BLOCKS, Block
from messaging.editor import shapes
from messaging.editor.pieces import Board, Piece
from messaging.editor.reading import Note, Reading
from messaging.editor.variables import Used


@dataclass(frozen=True)
class Entry:
    """One thing to type into."""

    id: str
    value: str
    used: list[Used]
    called: str = ""
    place: int = 0


@dataclass(frozen=True)
class Field:
    """A field of a block. `entries` are several only where it is a list of texts."""

    name: str
    field: str
    label: str
    hint: str
    shape: shapes.Shape
    entries: list[Entry]
    is_optional: bool
    value: Any
    is_odd: bool = False
    """Whether it is none of those that can be chosen."""

    @property
    def kind(self) -> str:
        return self.shape.key


@dataclass(frozen=True)
class Column:
    container: str
    called: str
    boxes: list["Box"]


@dataclass
class Box:
    """A block as the page shows it."""

    piece: Piece
    called: str
    notes: list[Note]
    fields: list[Field] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    container: str = ""
    is_first: bool = False
    is_last: bool = False

    @property
    def key(self) -> str:
        return self.piece.key

    @property
    def label(self) -> str:
        return self.piece.block.label if self.piece.block else "Known no more"

    @property
    def icon(self) -> str:
        return self.piece.block.icon if self.piece.block else "help"

    @property
    def who_sees_it(self) -> str:
        """In words; "" for everybody. A condition that is more than a segment can be kept here, or taken away."""
        return dynamic.sentence(dynamic.unpacked(self.piece.when)) if self.piece.when else ""


def boxes(board: Board, reading: Reading, snippets: Collection[str] = ()) -> list[Box]:
    """`snippets`: those that can be chosen."""
    found = _row(board.pieces, reading, "", "")
    for box in flat(found):
        box.fields = [replace(one, is_odd=_is_odd(one, snippets)) for one in box.fields]
    return found


def _is_odd(field: Field, snippets: Collection[str]) -> bool:
    return field.kind == "snippet" and bool(field.value) and field.value not in snippets


def flat(found: list[Box]) -> list[Box]:
    """Boxes with those that stand in their columns."""
    return [one for box in found for one in (box, *(inner for column in box.columns for inner in column.boxes))]


def _row(row: list[Piece], reading: Reading, container: str, within: str) -> list[Box]:
    found = [
        _box(piece, f"{piece.block.label.lower() if piece.block else 'block'} {place}{within}", reading, container)
        for place, piece in enumerate(row, 1)
    ]
    for box in found[:1]:
        box.is_first = True
    for box in found[-1:]:
        box.is_last = True
    return found


def _box(piece: Piece, called: str, reading: Reading, container: str) -> Box:
    box = Box(piece, called, reading.notes.get(piece.key, []), container=container)
    for name in piece.block.fields if piece.block else ():
        shape = shapes.of(piece.block, name)  # type: ignore[arg-type]
        if isinstance(shape, shapes.Columns):
            for number, column in enumerate(piece.columns):
                inside = _row(column, reading, f"{piece.key}.{number}", f" in column {number + 1} of {called}")
                box.columns.append(Column(f"{piece.key}.{number}", f"column {number + 1} of {called}", inside))
        else:
            box.fields.append(_field(piece, piece.block, name, shape, reading))  # type: ignore[arg-type]
    return box


def _field(piece: Piece, block: type[Block], name: str, shape: shapes.Shape, reading: Reading) -> Field:
    value = piece.values.get(name, shape.empty())
    entries = []
    for number, text in enumerate(value if isinstance(value, list) else [value]):
        id = f"field-{piece.key}-{name}-{number}"
        entries.append(Entry(id, str(text), reading.used.get(id, []), f"Point {number + 1}", number))
    return Field(
        name,
        f"b.{piece.key}.{name}",
        shapes.label(block, name),
        shapes.hint(block, name),
        shape,
        entries,
        name in block.optional and not isinstance(shape, shapes.YesNo),
        value,
    )


@dataclass(frozen=True)
class Kind:
    """What can be added, as pages name it."""

    key: str
    label: str
    icon: str


def kinds(may: Callable[[str], bool]) -> list[Kind]:
    """All kinds of blocks that somebody may write, what is used most first; `may` tells of a permission."""
    found = sorted(BLOCKS, key=lambda block: (block.place, block.label))
    return [
        Kind(block.key, block.label, block.icon) for block in found if not block.permission or may(block.permission)
    ]
