"""What a playbook would change: each definition in it against the one that there is."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from playbooks import exporting, files
from playbooks.files import Playbook


@dataclass(frozen=True, slots=True)
class Difference:
    """`lines` begin with + for what comes, - for what goes, and a space for what stays around it."""

    kind: str
    slug: str
    name: str
    how: Literal["new", "same", "changed"]
    lines: list[str]

    def __str__(self) -> str:
        said = {"new": "is new", "same": "stays as it is", "changed": "changes"}[self.how]
        return f"The {self.kind} “{self.name}” {said}."


def differences(playbook: Playbook) -> Iterator[Difference]:
    """One for each definition, in the order in which they are made."""
    for part in files.PARTS:
        kind = part.removesuffix("s")
        for row in getattr(playbook, part):
            before = exporting.row(kind, row["slug"])
            name = str(row.get("name") or row["slug"])
            if before is None:
                yield Difference(kind, row["slug"], name, "new", [f"+{line}" for line in _lines(row)])
                continue
            after = {**before, **row}
            lines = list(difflib.unified_diff(_lines(before), _lines(after), lineterm="", n=2))[2:]
            yield Difference(kind, row["slug"], name, "changed" if lines else "same", lines)


def _lines(row: dict[str, Any]) -> list[str]:
    return files.dumped(row).splitlines()
