"""The file of refused rows that lies beside what was imported: written as the import goes, purged by erasures."""

import csv
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from profiles.imports.reading import OURS
from profiles.models import ImportJob

# What a spreadsheet would run as a formula; a leading ' keeps it text, and an import takes it off again.
_FORMULA = re.compile(r"[=+\-@\t\r\0＝＋－＠]")


def refused_file(path: str | Path) -> Path:
    """Where the rows of an import that were refused are written down."""
    return Path(f"{path}.refused.csv")


class Refused:
    """The file of refused rows, open for adding to. It appears with the first of them.

    Each row bears its line in the file it came from, so that after a crash the lines behind those dealt with for good
    can be taken off again.
    """

    def __init__(self, path: Path, header: Sequence[str], *, behind: int) -> None:
        self._file = refused_file(path)
        self._header = [*OURS, *(header or ["row"])]
        if self._file.is_file():
            self._cut(behind)

    def _cut(self, line: int) -> None:
        """Leaves only rows up to `line`; none, and no file, where nothing has been dealt with."""
        with self._file.open(encoding="utf-8", newline="") as file:
            kept = [row for row in csv.reader(file) if row and row[0].isdigit() and int(row[0]) <= line]
        self._file.unlink()
        self._write(kept)

    def add(self, rows: Iterable[tuple[int, str, Sequence[str]]]) -> None:
        """Adds rows: line, reason, and the cells as they were found."""
        self._write([[str(line), safe(reason), *map(safe, cells)] for line, reason, cells in rows])

    def _write(self, rows: Sequence[Sequence[str]]) -> None:
        if not rows:
            return
        is_new = not self._file.exists()
        with self._file.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if is_new:
                writer.writerow(self._header)
            writer.writerows(rows)


def safe(cell: str) -> str:
    """The cell so that no spreadsheet takes it for a formula."""
    cell = cell.replace("\0", "").encode("utf-8", "replace").decode()
    return f"'{cell}" if _FORMULA.match(cell) else cell


def erase(values: Collection[str]) -> None:
    """Removes the rows that hold one of these values from the files that this machine can reach."""
    for (path,) in ImportJob.objects.filter(refused__gt=0).values_list("path"):
        file = refused_file(path)
        if file.is_file():
            _erase_from(file, values)


def _erase_from(file: Path, values: Collection[str]) -> None:
    with file.open(encoding="utf-8", newline="") as old:
        rows = list(csv.reader(old))
    kept = [row for row in rows if not any(_holds(cell, value) for cell in row[1:] for value in values)]
    if len(kept) == len(rows):
        return
    beside = file.with_name(f"{file.name}.part")
    with beside.open("w", encoding="utf-8", newline="") as new:
        csv.writer(new, lineterminator="\n").writerows(kept)
    beside.replace(file)


def _holds(cell: str, value: str) -> bool:
    return cell.removeprefix("'") == value or (len(value) >= 8 and value.lower() in cell.lower())
