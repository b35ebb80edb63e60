"""The files of refused rows that lie beside what was imported, and what an erasure removes from them."""

from collections.abc import Collection
from pathlib import Path

from profiles.models import ImportJob


def refused_file(path: str) -> Path:
    """Where the rows of an import that were refused are written down."""
    return Path(f"{path}.refused.csv")


def erase(values: Collection[str]) -> None:
    """Removes the lines that hold one of these values from the files that this machine can reach."""
    for (path,) in ImportJob.objects.filter(refused__gt=0).values_list("path"):
        file = refused_file(path)
        if file.is_file():
            _erase_from(file, values)


def _erase_from(file: Path, values: Collection[str]) -> None:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not any(value in line for value in values)]
    if len(kept) < len(lines):
        beside = file.with_name(f"{file.name}.part")
        beside.write_text("".join(kept), encoding="utf-8")
        beside.replace(file)
