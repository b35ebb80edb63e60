"""A file's rows, one at a time and in little memory: CSV or JSON lines, packed by gzip or not.

What is wrong with one row is said of that row, with its line; what is wrong with the whole file raises `Invalid`.
"""

import codecs
import csv
import gzip
import hashlib
import io
import re
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from foundation import strict_json
from foundation.errors import Invalid

OURS = ("refused_line", "refused_reason")  # columns that our files of refused rows add
MAX_LINE_BYTES = 131_072
MAX_COLUMNS = 500
_MAX_LINES = 1_000  # of one row whose quotes hold line breaks
_UNCLOSED = "A quote is opened in it and not closed where the row should end."
_DELIMITERS = ",;\t|"
_ESCAPED = re.compile(r"'[=+\-@\t\r\0＝＋－＠]")
csv.field_size_limit(MAX_LINE_BYTES)


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it lies in the file: `values` by column, or `problem`, a sentence. `line` is where it begins."""

    line: int
    values: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A file that can be read: its SHA-256, how it is packed, and what it holds."""

    path: Path
    digest: str
    size: int
    is_packed: bool
    is_json: bool
    encoding: str = "utf-8"


def look(path: Path, *, encoding: str = "utf-8") -> Source:
    """Sees what kind of file it is. Raises `Invalid` where it is none that can be imported."""
    if not path.is_file():
        raise Invalid.at("", f"{path} is no file. Give the path of a CSV or JSON lines file.")
    try:
        if "\n".encode(encoding) != b"\n":
            raise Invalid.at("", f"Files in {encoding} cannot be read; save it as UTF-8.")
    except LookupError:
        raise Invalid.at("", f"There is no encoding {encoding!r}; try utf-8 or windows-1252.") from None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
        file.seek(0)
        is_packed = file.read(2) == b"\x1f\x8b"
    with _opened(path, is_packed) as text:
        try:
            start = text.read(4_096)
        except (OSError, EOFError) as error:
            raise Invalid.at("", f"{path.name} cannot be unpacked: {error}.") from None
    _check_start(path, start)
    is_json = start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
    return Source(path, digest, size, is_packed, is_json, encoding)


def _check_start(path: Path, start: bytes) -> None:
    if not start.strip():
        raise Invalid.at("", f"{path.name} is empty.")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Invalid.at("", f"{path.name} is UTF-16; save it as UTF-8.")
    if start.startswith(b"PK\x03\x04"):
        raise Invalid.at("", f"{path.name} is a zip archive or a spreadsheet; save it as CSV.")
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        raise Invalid.at("", f"{path.name} is one JSON list; write each of its objects on a line of its own.")


def _opened(path: Path, is_packed: bool) -> AbstractContextManager[BinaryIO]:
    return cast(BinaryIO, gzip.open(path)) if is_packed else path.open("rb")


@contextmanager
def opened(source: Source) -> Iterator["Rows"]:
    """The file, open to be read once. Raises `Invalid` where its header cannot be used."""
    with source.path.open("rb") as raw:
        if source.is_packed:
            with gzip.GzipFile(fileobj=raw) as unpacked, io.BufferedReader(unpacked) as file:
                yield Rows(source, raw, file)
        else:
            yield Rows(source, raw, raw)


class Rows:
    """The rows of a file, to be iterated over once. `header` is empty for JSON lines."""

    def __init__(self, source: Source, raw: IO[bytes], file: IO[bytes]) -> None:
        self._source, self._raw = source, raw
        self._lines = _Lines(file, source.encoding)
        self.header: list[str] = []
        if not source.is_json:
            self._read_header()

    @property
    def done(self) -> int:
        """How many of the file's bytes have been read."""
        return self._raw.tell()

    def __iter__(self) -> Iterator[Row]:
        try:
            yield from self._json_rows() if self._source.is_json else self._csv_rows()
        except (OSError, EOFError) as error:
            raise Invalid.at(
                "", f"{self._source.path.name} cannot be read behind line {self._lines.number:,}: {error}."
            ) from None

    def _json_rows(self) -> Iterator[Row]:
        for text in self._lines:
            line = self._lines.number
            if isinstance(text, _Unreadable):
                yield Row(line, problem=text.reason, cells=(text.shown,))
            elif text.strip():
                yield _json_row(line, text)

    def _read_header(self) -> None:
        line = next((text for text in self._lines if isinstance(text, _Unreadable) or text.strip()), "")
        number = self._lines.number
        if isinstance(line, _Unreadable):
            raise Invalid.at("", f"Line {number}, which should name the columns, cannot be read: {line.reason}")
        self._delimiter = max(_DELIMITERS, key=lambda sign: len(next(csv.reader([line], delimiter=sign))))
        header = [name.strip() for name in next(csv.reader([line], delimiter=self._delimiter))]
        blank = [place for place, name in enumerate(header, 1) if not name]
        twice = sorted({name for name in header if header.count(name) > 1} - {""})
        if blank:
            raise Invalid.at("", f"Column {blank[0]} has no name in line {number}; name every column there.")
        if twice:
            raise Invalid.at("", f"Line {number} names the column {twice[0]!r} twice; give each once.")
        if len(header) > MAX_COLUMNS:
            raise Invalid.at("", f"Line {number} names {len(header):,} columns; the most is {MAX_COLUMNS}.")
        self.header = header

    def _csv_rows(self) -> Iterator[Row]:
        names, width = self.header, len(self.header)
        reader = csv.reader(self._lines.texts(), delimiter=self._delimiter)
        while True:
            self._lines.begin()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (_Broken, csv.Error) as error:
                line, cut = self._lines.give_back()
                reason = error.reason if isinstance(error, _Broken) else _UNCLOSED
                yield Row(line, problem=reason, cells=(cut,))
                reader = csv.reader(self._lines.texts(), delimiter=self._delimiter)
                continue
            if len(cells) == width:
                cells = [cell[1:] if cell[:1] == "'" and _ESCAPED.match(cell) else cell for cell in cells]
                yield Row(self._lines.first, dict(zip(names, cells, strict=True)), cells=tuple(cells))
            elif cells and (len(cells) > 1 or cells[0].strip()):
                reason = f"It has {len(cells)} columns, and the header {width}."
                yield Row(self._lines.first, problem=reason, cells=tuple(cells))


def _json_row(line: int, text: str) -> Row:
    try:
        value = strict_json.decode(text.encode("utf-8", "surrogatepass"))
    except Invalid as error:
        return Row(line, problem=str(error).replace("The body", "It"), cells=(text.strip(),))
    if not isinstance(value, dict):
        return Row(line, problem="It is no JSON object.", cells=(text.strip(),))
    return Row(line, value, cells=(text.strip(),))


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """A line that is no text; `shown` is what can be shown of it."""

    reason: str
    shown: str


class _Broken(Exception):
    """A row of CSV that cannot be read on."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class _Lines:
    """The lines of a file with their numbers, of which some may be given back to be read again."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._file = file
        self._encoding = encoding
        self._again: deque[tuple[int, str | _Unreadable]] = deque()
        self._taken: list[tuple[int, str | _Unreadable]] = []
        self._read = 0
        self.number = 0

    @property
    def first(self) -> int:
        """The line at which the row began that is being read."""
        return self._taken[0][0] if self._taken else self.number

    def begin(self) -> None:
        self._taken = []

    def give_back(self) -> tuple[int, str]:
        """Ends a row that cannot be read after its first line, and has the others read again; that line."""
        (line, text), *others = self._taken
        self._again.extendleft(reversed(others))
        return line, text.shown if isinstance(text, _Unreadable) else text.rstrip("\r\n")

    def __iter__(self) -> Iterator[str | _Unreadable]:
        while True:
            if self._again:
                self.number, text = self._again.popleft()
            else:
                raw = self._file.readline(MAX_LINE_BYTES + 1)
                if not raw:
                    return
                if not self._read:
                    raw = raw.removeprefix(codecs.BOM_UTF8)
                self._read += 1
                self.number, text = self._read, self._as_text(raw)
            yield text

    def texts(self) -> Iterator[str]:
        """The same for the CSV reader, which asks for line after line until a row is whole."""
        size = 0
        for text in self:
            size = size if self._taken else 0
            self._taken.append((self.number, text))
            if isinstance(text, _Unreadable):
                raise _Broken(text.reason if len(self._taken) == 1 else _UNCLOSED)
            size += len(text)
            if len(self._taken) > _MAX_LINES or size > 2 * MAX_LINE_BYTES:
                raise _Broken(_UNCLOSED)
            yield text
        if self._taken:
            # The file ended within quotes: without this, the reader would take what it has for a whole row.
            raise _Broken(_UNCLOSED)

    def _as_text(self, raw: bytes) -> str | _Unreadable:
        if len(raw) > MAX_LINE_BYTES:
            self._skip_rest()
            shown = raw[:200].decode(self._encoding, "replace")
            return _Unreadable(f"It is longer than {MAX_LINE_BYTES:,} bytes.", shown)
        if b"\0" in raw:
            return _Unreadable(
                "It contains the NUL character; leave it out.", raw.replace(b"\0", b"").decode("latin-1")
            )
        try:
            return raw.decode(self._encoding)
        except UnicodeDecodeError as error:
            reason = f"It is not {self._encoding.upper()}: byte {error.start + 1} does not fit."
            return _Unreadable(reason, raw.decode(self._encoding, "replace").strip())

    def _skip_rest(self) -> None:
        while (more := self._file.readline(MAX_LINE_BYTES)) and not more.endswith(b"\n"):
            pass
