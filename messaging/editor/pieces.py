"""The blocks of a template as a form holds them, and what its buttons do: the only reader and writer of that form.

A piece is a block under way, with a key that it keeps while it is moved. The order of the pieces is the order in which
the form sends them; a piece within a column says in which.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from messaging import dynamic
from messaging.building import BLOCKS, MOST_BLOCKS, Block
from messaging.editor import shapes

_KEY = re.compile(r"k[1-9]\d{0,5}\Z")
_CONTAINER = re.compile(r"(k[1-9]\d{0,5})\.([0-2])\Z")
_COLUMNS = (2, 3)


@dataclass
class Piece:
    """A block under way. `kept` holds, as it was stored, a block of a kind that is known no more."""

    key: str
    kind: str
    values: dict[str, Any] = field(default_factory=dict)
    columns: list[list["Piece"]] = field(default_factory=list)
    kept: str = ""
    when: str = ""
    """Who sees it, as `dynamic.packed` writes it; empty: everybody."""

    @property
    def block(self) -> type[Block] | None:
        return BLOCKS.get(self.kind)


@dataclass
class Board:
    """All pieces of a template, in order."""

    pieces: list[Piece] = field(default_factory=list)

    def walk(self) -> Iterator[Piece]:
        for piece in self.pieces:
            yield piece
            for column in piece.columns:
                yield from column

    def find(self, key: str) -> tuple[list[Piece], int] | None:
        """The row that a piece stands in, and its place there."""
        for row in self.rows():
            for place, piece in enumerate(row):
                if piece.key == key:
                    return row, place
        return None

    def rows(self) -> Iterator[list[Piece]]:
        yield self.pieces
        for piece in self.pieces:
            yield from piece.columns

    def row(self, container: str) -> list[Piece] | None:
        """The row of a name: "" for the whole, `k3.1` for a column."""
        if not container:
            return self.pieces
        found = _CONTAINER.match(container)
        here = self.find(found[1]) if found else None
        if found is None or here is None:
            return None
        columns = here[0][here[1]].columns
        return columns[int(found[2])] if int(found[2]) < len(columns) else None

    def free_key(self) -> str:
        return f"k{max((int(piece.key[1:]) for piece in self.walk()), default=0) + 1}"


# ── From what is stored, and back ────────────────────────────────────────────────────────────────────────────────────
def from_blocks(blocks: Any) -> Board:
    """The form of blocks as they are stored."""
    board = Board()
    for values in blocks if isinstance(blocks, list) else []:
        board.pieces.append(_piece(values, board))
    return board


def _piece(values: Any, board: Board, taken: int = 0) -> Piece:
    kind = values.get("kind") if isinstance(values, dict) else None
    block = BLOCKS.get(kind) if isinstance(kind, str) else None
    key = f"k{int(board.free_key()[1:]) + taken}"
    if block is None:
        return Piece(key, str(kind or "")[:50], kept=json.dumps(values))
    piece = Piece(key, block.key, when=dynamic.packed(values.get("when")))
    for name in block.fields:
        shape, value = shapes.of(block, name), values.get(name)
        if isinstance(shape, shapes.Columns):
            for column in value if isinstance(value, list) else []:
                row: list[Piece] = []
                for one in column if isinstance(column, list) else []:
                    taken += 1
                    row.append(_piece(one, board, taken))
                piece.columns.append(row)
        else:
            piece.values[name] = shape.empty() if value in (None, "", []) else value
    return piece


@dataclass(frozen=True)
class Written:
    """The blocks as they would be saved, and which piece stands at which path."""

    blocks: list[Any]
    paths: dict[str, str]

    def place_of(self, path: str) -> tuple[str, str]:
        """The piece that a problem's path lies in, and the rest of the path; "" where it is in none."""
        inside = [known for known in self.paths if path == known or path.startswith((f"{known}.", f"{known}["))]
        longest = max(inside, key=len, default="")
        return (self.paths[longest], path[len(longest) :].lstrip(".")) if longest else ("", path)


def written(board: Board) -> Written:
    paths: dict[str, str] = {}
    blocks = [_written(piece, f"blocks[{place}]", paths) for place, piece in enumerate(board.pieces)]
    return Written(blocks, paths)


def _written(piece: Piece, path: str, paths: dict[str, str]) -> Any:
    paths[path] = piece.key
    block = piece.block
    if block is None:
        return _kept(piece)
    values: dict[str, Any] = {"kind": piece.kind}
    for name in block.fields:
        shape = shapes.of(block, name)
        if isinstance(shape, shapes.Columns):
            values[name] = [
                [_written(one, f"{path}.{name}[{n}][{m}]", paths) for m, one in enumerate(column)]
                for n, column in enumerate(piece.columns)
            ]
            continue
        value = piece.values.get(name, shape.empty())
        if isinstance(shape, shapes.Texts) and isinstance(value, list):
            value = [one for one in value if one]
        if not shape.is_empty(value):
            values[name] = value
    if piece.when:
        values["when"] = dynamic.unpacked(piece.when)
    return values


def _kept(piece: Piece) -> Any:
    try:
        return json.loads(piece.kept)
    except (ValueError, RecursionError):
        return {"kind": piece.kind}


def is_same(board: Board, blocks: Any) -> bool:
    """Whether the form says what is stored, however that writes what is empty."""
    return bool(written(board).blocks == written(from_blocks(blocks)).blocks)


# ── From what was sent ───────────────────────────────────────────────────────────────────────────────────────────────
def from_form(data: QueryDict) -> Board:
    """The pieces that a form holds; what is no part of one is passed over."""
    board, taken = Board(), set()
    # What is dragged stands where it was dropped already; `was` is the order before, in which it is moved by us.
    order = data.get("was", "").split(",") if data.get("was") else data.getlist("order")
    for key in order[: MOST_BLOCKS * 2]:
        if key in taken or not _KEY.match(key):
            continue
        taken.add(key)
        piece = _sent(key, data)
        row = board.row(data.get(f"b.{key}.in", ""))
        if row is None or (row is not board.pieces and piece.columns):
            row = board.pieces
        row.append(piece)
    return board


def _sent(key: str, data: QueryDict) -> Piece:
    kind = data.get(f"b.{key}.kind", "")[:50]
    block = BLOCKS.get(kind)
    if block is None:
        return Piece(key, kind, kept=data.get(f"b.{key}.kept", ""))
    piece = Piece(key, kind, when=data.get(f"b.{key}.when", "")[:20_000])
    for name in block.fields:
        shape = shapes.of(block, name)
        if isinstance(shape, shapes.Columns):
            piece.columns = [[] for _ in range(3 if data.get(f"b.{key}.columns") == "3" else 2)]
        else:
            piece.values[name] = shape.read(data, f"b.{key}.{name}")
    return piece


# ── What buttons do ──────────────────────────────────────────────────────────────────────────────────────────────────
def act(board: Board, do: str) -> str | None:
    """Does what a button says (`up:k3`) and returns where the keyboard goes on; None if it says nothing known."""
    verb, _, rest = do.partition(":")
    match verb:
        case "add":
            return _add(board, *rest.partition(":")[::2])
        case "move":
            return _move(board, rest)
        case "more" | "fewer":
            return _texts(board, verb, rest)
        case "columns":
            return _widen(board, rest)
    found = board.find(rest)
    if found is None:
        return None
    row, place = found
    match verb:
        case "up" | "down":
            to = place + (-1 if verb == "up" else 1)
            if 0 <= to < len(row):
                row[place], row[to] = row[to], row[place]
            return f"press-{verb}-{rest}"
        case "double" if _count(board) < MOST_BLOCKS:
            row.insert(place + 1, _double(board, row[place]))
            return f"piece-{row[place + 1].key}"
        case "remove":
            del row[place]
            after = row[min(place, len(row) - 1)] if row else None
            return f"piece-{after.key}" if after else "palette"
    return None


def _count(board: Board) -> int:
    return sum(1 for _ in board.walk())


def _add(board: Board, kind: str, container: str) -> str | None:
    block, row = BLOCKS.get(kind), board.row(container)
    if block is None or row is None or _count(board) >= MOST_BLOCKS:
        return None
    piece = Piece(board.free_key(), kind)
    for name in block.fields:
        shape = shapes.of(block, name)
        if isinstance(shape, shapes.Columns):
            piece.columns = shape.empty()
        else:
            piece.values[name] = shape.empty()
    if piece.columns and row is not board.pieces:
        return None
    row.append(piece)
    return f"piece-{piece.key}"


def _move(board: Board, rest: str) -> str | None:
    key, _, to = rest.partition(":")
    container, _, place = to.partition(":")
    found, row = board.find(key), board.row(container)
    if found is None or row is None or not place.isdecimal() or len(place) > 3:
        return None
    piece = found[0][found[1]]
    if piece.columns and row is not board.pieces:
        return None
    del found[0][found[1]]
    row.insert(int(place), piece)
    return f"press-grip-{key}"


def _texts(board: Board, verb: str, rest: str) -> str | None:
    key, _, which = rest.partition(".")
    name, _, place = which.partition(".")
    found = board.find(key)
    piece = found[0][found[1]] if found else None
    texts = piece.values.get(name) if piece else None
    if not isinstance(texts, list) or not place.isdecimal() or len(place) > 3:
        return None
    at = int(place)
    if verb == "more" and len(texts) < 200:
        texts.insert(at, "")
        return f"field-{key}-{name}-{min(at, len(texts) - 1)}"
    if verb == "fewer" and at < len(texts):
        del texts[at]
        piece.values[name] = texts or [""]  # type: ignore[union-attr]
        return f"field-{key}-{name}-{max(at - 1, 0)}"
    return None


def _widen(board: Board, rest: str) -> str | None:
    key, _, many = rest.partition(":")
    found = board.find(key)
    if found is None or many not in {str(n) for n in _COLUMNS}:
        return None
    piece = found[0][found[1]]
    if not piece.columns:
        return None
    while len(piece.columns) < int(many):
        piece.columns.append([])
    while len(piece.columns) > int(many):
        piece.columns[-2].extend(piece.columns.pop())
    return f"piece-{key}"


def _double(board: Board, piece: Piece) -> Piece:
    """The same once more, under keys of its own."""
    stored = _written(piece, "", {})
    if piece.block is None:
        return Piece(board.free_key(), piece.kind, kept=piece.kept)
    copy = _piece(stored, board)
    if piece.columns:
        copy.columns = copy.columns or [[] for _ in piece.columns]
    return copy
